package site

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// file is one file of the application. All fields but packed are set at construction and never changed.
type file struct {
	body        []byte
	etag        string // without quotes
	contentType string
	cache       string // Cache-Control

	once   sync.Once
	packed []byte // body in gzip, nil when that is not smaller; guarded by once
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", f.cache)
	h.Set("Content-Type", f.contentType)
	body, etag := f.body, f.etag
	if compressible(f.contentType) {
		h.Set("Vary", "Accept-Encoding")
		if packed := f.gzipped(); packed != nil && acceptsGzip(r) {
			body, etag = packed, etag+"-gzip" // another representation, another tag (RFC 9110 §8.8.3)
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", strconv.Quote(etag))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// serveMissing serves the file as the page of a path that is not there.
func (f *file) serveMissing(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", f.contentType)
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.body) // a browser that is gone misses nothing
	}
}

// gzipped packs the file when it is asked for the first time.
func (f *file) gzipped() []byte {
	f.once.Do(func() {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		_, _ = z.Write(f.body) // a bytes.Buffer takes everything
		_ = z.Close()
		if b.Len() < len(f.body) {
			f.packed = b.Bytes()
		}
	})
	return f.packed
}

func compressible(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	switch kind {
	case "image/svg+xml", "application/json", "application/manifest+json", "application/wasm":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

// acceptsGzip reads Accept-Encoding (RFC 9110 §12.5.3).
func acceptsGzip(r *http.Request) bool {
	for _, coding := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(coding, ";")
		if name = strings.TrimSpace(name); name != "gzip" && name != "*" {
			continue
		}
		q, _ := strings.CutPrefix(strings.TrimSpace(params), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return err != nil || weight > 0
	}
	return false
}
