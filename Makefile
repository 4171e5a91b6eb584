# Everything through make: the same for people and for CI. `make help` lists what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME:%=%/.cache),$(CURDIR)/.cache)/turnout
LINT_VERSION := v2.15.0
LINT := $(CACHE)/golangci-lint-$(LINT_VERSION)/golangci-lint
PEBBLE_VERSION := v2.10.1
PEBBLE := $(CACHE)/pebble-$(PEBBLE_VERSION)/pebble
FUZZTIME ?= 10s
BENCH ?= .
ARGS ?=
stage := .ci/stage
yjs := datachannel/yjs/testdata/oracle
stock := signaling/testdata/stock
others := signaling/bench/servers

web_sources := $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path 'web/e2e/*' -not -name '*.go' 2>/dev/null)

.PHONY: run
run: build ## build everything and start it on http://localhost:7880 (ARGS="--listen …" adds flags)
	@exec bin/turnout dev $(ARGS)

.PHONY: test
test: ## install what the tests need and run everything
	@$(MAKE) -j2 prepare
	@$(MAKE) check
	@$(MAKE) test-go
	@$(MAKE) test-web
	@$(MAKE) e2e

.PHONY: build
build: web-build ## the web app and the binary, bin/turnout
	@$(stage) "build bin/turnout" env CGO_ENABLED=0 go build -trimpath -o bin/turnout ./cmd/turnout

.PHONY: check
check: check-go check-web ## formats, vet, linters and type checks

.PHONY: e2e
e2e: build ## calls in real browsers, in a network namespace of their own
	@cd web && ../$(stage) "end-to-end tests in browsers" npm -w e2e run e2e

.PHONY: bench
bench: ## what media and documents cost, beside others: bench-media and bench-data
	@$(MAKE) bench-media ARGS=
	@$(MAKE) bench-data ARGS=

.PHONY: bench-media
bench-media: ## forwarding media, beside a naive forwarder and the floor (ARGS="-rounds 9" adds flags)
	@go run ./sfu/bench $(ARGS)

.PHONY: bench-go
bench-go: ## benchmarks of single functions (BENCH=regexp chooses)
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

.PHONY: bench-turn
bench-turn: ## what relaying costs beside coturn, which it installs (ARGS="-rounds 9" adds flags)
	@.ci/install-test-deps coturn:turnserver
	@go run ./turn/bench $(ARGS)

.PHONY: bench-data
bench-data: build $(others)/node_modules/.package-lock.json ## documents: turnout beside Node servers (ARGS="-time 20s")
	@go run ./signaling/bench $(ARGS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s)
	@.ci/fuzz $(FUZZTIME)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# ---- parts of the above ----

.PHONY: prepare
prepare: prepare-machine prepare-go web/node_modules/.package-lock.json $(yjs)/node_modules/.package-lock.json $(stock)/node_modules/.package-lock.json $(LINT) $(PEBBLE)

.PHONY: prepare-machine
prepare-machine:
	@.ci/install-test-deps

.PHONY: prepare-go
prepare-go:
	@$(stage) "download Go modules" go mod download

.PHONY: check-go
check-go: $(LINT)
	@$(stage) "gofmt" .ci/gofmt
	@$(stage) "go vet" go vet ./...
	@$(stage) "golangci-lint" $(LINT) run ./...

.PHONY: check-web
check-web: web-build
	@cd web && ../$(stage) "lint of the web packages" npm run --silent lint
	@cd web && ../$(stage) "type check of the web packages" npm run --silent check

# parallel: such tests wait for a network or for another process most of their time
.PHONY: test-go
test-go: $(PEBBLE) $(yjs)/node_modules/.package-lock.json $(stock)/node_modules/.package-lock.json
	@$(stage) "Go tests with the race detector" env TURNOUT_TEST_YJS=1 PEBBLE=$(PEBBLE) go test -race -shuffle=on -parallel 8 -timeout 5m ./...

.PHONY: test-web
test-web: web-build
	@cd web && ../$(stage) "tests of the web packages" npm run --silent test
	@cd web && ../$(stage) "size of the web packages" npm run --silent size

.PHONY: web-build
web-build: web/dist/index.html

web/dist/index.html: web/node_modules/.package-lock.json $(web_sources)
	@cd web && ../$(stage) "build the web app" npm run --silent build

web/node_modules/.package-lock.json: web/package-lock.json
	@.ci/need-node
	@cd web && ../$(stage) "install npm packages" npm ci --no-audit --no-fund --prefer-offline
	@touch $@

# Yjs itself, with which the Go tests of documents compare.
$(yjs)/node_modules/.package-lock.json: $(yjs)/package-lock.json
	@.ci/need-node
	@$(stage) "install Yjs for the Go tests" npm ci --prefix $(yjs) --no-audit --no-fund --prefer-offline
	@touch $@

# The clients of y-websocket and Hocuspocus, which the Go tests of their doors use as they are.
$(stock)/node_modules/.package-lock.json: $(stock)/package-lock.json
	@.ci/need-node
	@$(stage) "install y-websocket and Hocuspocus for the Go tests" npm ci --prefix $(stock) --no-audit --no-fund --prefer-offline
	@touch $@

# The servers of y-websocket and Hocuspocus, for make bench-data.
$(others)/node_modules/.package-lock.json: $(others)/package-lock.json
	@.ci/need-node
	@$(stage) "install the servers that turnout is compared with" npm ci --prefix $(others) --no-audit --no-fund --prefer-offline
	@touch $@

$(LINT):
	@mkdir -p $(@D)
	@$(stage) "build golangci-lint $(LINT_VERSION) (once)" env GOBIN=$(@D) \
		go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

# an ACME server, for the tests of certificates
$(PEBBLE):
	@mkdir -p $(@D)
	@$(stage) "build pebble $(PEBBLE_VERSION) (once)" env GOBIN=$(@D) \
		go install github.com/letsencrypt/pebble/v2/cmd/pebble@$(PEBBLE_VERSION)
