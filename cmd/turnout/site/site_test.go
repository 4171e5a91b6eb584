package site

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func built(t *testing.T) http.Handler {
	t.Helper()
	h, err := New(fstest.MapFS{
		"index.html":           {Data: []byte("<!doctype html>" + strings.Repeat(" ", 500))},
		"favicon.svg":          {Data: []byte("<svg/>")},
		"assets/app-abc123.js": {Data: []byte(strings.Repeat("let a=1;", 200))},
		"assets/logo.png":      {Data: []byte(strings.Repeat("png", 300))},
		".gitkeep":             {Data: []byte{}},
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(h http.Handler, target string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestOnlyTheStartAndRoomsAreTheApplication(t *testing.T) {
	h := built(t)
	for target, want := range map[string]string{
		"/": "200 text/html; charset=utf-8", "/r/lobby": "200 text/html; charset=utf-8", "/r/a%20b": "200 text/html; charset=utf-8",
		"/r/a%2Fb": "200 text/html; charset=utf-8", "/assets/app-abc123.js": "200 text/javascript; charset=utf-8", "/favicon.svg": "200 image/svg+xml", "/assets/logo.png": "200 image/png",
		"/r/": "404", "/r": "404", "/r/a/b": "404", "/nothing": "404", "/assets/old-000.js": "404", "/.gitkeep": "404", "/assets/": "404", "/../etc/passwd": "404",
	} {
		res := get(h, target)
		got := res.Status[:3]
		if res.StatusCode == http.StatusOK {
			got += " " + res.Header.Get("Content-Type")
		}
		if got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

func TestAMistypedPathIsAPageForAPerson(t *testing.T) {
	h := built(t)
	for accept, want := range map[string]string{
		"text/html,application/xhtml+xml,*/*;q=0.8": "text/html; charset=utf-8",
		"image/avif,image/webp,*/*;q=0.8":           "text/plain; charset=utf-8",
		"*/*":                                       "text/plain; charset=utf-8",
	} {
		res := get(h, "/r/a/b", "Accept", accept)
		if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusNotFound || got != want || res.Header.Get("Etag") != "" {
			t.Errorf("%s: %s %s, want 404 %s", accept, res.Status, got, want)
		}
	}
}

func TestHashedAssetsAreKeptAndPagesAreConfirmed(t *testing.T) {
	h := built(t)
	if got := get(h, "/assets/app-abc123.js").Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("asset: %s", got)
	}
	first := get(h, "/r/lobby")
	if got := first.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("page: %s", got)
	}
	if again := get(h, "/r/lobby", "If-None-Match", first.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("with its ETag: %s", again.Status)
	}
	if other := get(h, "/r/lobby", "If-None-Match", `"other"`); other.StatusCode != http.StatusOK {
		t.Errorf("with another ETag: %s", other.Status)
	}
}

func TestTextIsPackedForWhoTakesIt(t *testing.T) {
	h := built(t)
	plain, err := io.ReadAll(get(h, "/assets/app-abc123.js").Body)
	if err != nil {
		t.Fatal(err)
	}
	res := get(h, "/assets/app-abc123.js", "Accept-Encoding", "br;q=1, gzip;q=0.8")
	z, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if unpacked, err := io.ReadAll(z); err != nil || !bytes.Equal(unpacked, plain) || res.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("unpacked %d of %d bytes, %v, Vary %q", len(unpacked), len(plain), err, res.Header.Get("Vary"))
	}
	if res.Header.Get("ETag") == get(h, "/assets/app-abc123.js").Header.Get("ETag") {
		t.Error("packed and plain have the same ETag")
	}
	for target, accept := range map[string]string{"/assets/app-abc123.js": "gzip;q=0", "/assets/logo.png": "gzip", "/favicon.svg": "gzip"} {
		if got := get(h, target, "Accept-Encoding", accept).Header.Get("Content-Encoding"); got != "" {
			t.Errorf("%s with %s: %s", target, accept, got)
		}
	}
}

func TestEveryAnswerIsSecured(t *testing.T) {
	h := built(t)
	for _, target := range []string{"/", "/assets/logo.png", "/nothing"} {
		header := get(h, target).Header
		for name, part := range map[string]string{
			"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
		} {
			if !strings.Contains(header.Get(name), part) {
				t.Errorf("%s: %s is %q", target, name, header.Get(name))
			}
		}
	}
}

func TestWithoutTheAppThePageSaysHowToBuildIt(t *testing.T) {
	h, err := New(fstest.MapFS{}, false)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(get(h, "/r/lobby").Body)
	if !bytes.Contains(body, []byte("make build")) {
		t.Errorf("%s", body)
	}
}

func TestOnlyReading(t *testing.T) {
	w := httptest.NewRecorder()
	built(t).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("%d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}
