// Package site serves the built web application.
//
// It answers from memory: every file is read and named by its content once. Files that the build has named by their content
// (assets/) may be kept by the browser for ever; all others are asked for again and confirmed by their ETag. The paths / and
// /r/ROOM are the application itself; any other path that is not a file is 404, with the application as its page for browsers: it
// says what is wrong, and leads on.
package site

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed unbuilt.html
var unbuilt []byte

// New serves the application in files, or, when it has not been built, a page that says how to build it.
func New(files fs.FS, built bool) (http.Handler, error) {
	if !built {
		page := newFile("index.html", unbuilt)
		return secured(app{files: map[string]*file{"index.html": page}}, unbuiltPolicy), nil
	}
	a := app{files: map[string]*file{}}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		body, err := fs.ReadFile(files, name)
		a.files[name] = newFile(name, body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return secured(a, policy), nil
}

// app is the application's files by name. Set at construction, never changed.
type app struct{ files map[string]*file }

func (a app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" || isRoom(r.URL.EscapedPath()) {
		name = "index.html"
	}
	if f, ok := a.files[name]; ok {
		f.serve(w, r)
	} else if f, ok := a.files["index.html"]; ok && isForAPerson(r) {
		f.serveMissing(w, r)
	} else {
		http.NotFound(w, r)
	}
}

// isForAPerson says whether the answer is to be a page: of images, scripts and programs nobody reads one.
func isForAPerson(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// isRoom says whether an escaped path is the page of a room: /r/NAME, where the name may hold an escaped slash.
func isRoom(escaped string) bool {
	room, ok := strings.CutPrefix(escaped, "/r/")
	return ok && room != "" && !strings.Contains(room, "/")
}

func newFile(name string, body []byte) *file {
	sum := sha256.Sum256(body)
	f := &file{
		body:        body,
		etag:        hex.EncodeToString(sum[:12]),
		contentType: mime.TypeByExtension(path.Ext(name)),
		cache:       "no-cache",
	}
	if strings.HasPrefix(name, "assets/") {
		f.cache = "public, max-age=31536000, immutable"
	}
	switch path.Ext(name) {
	case ".js", ".mjs": // what the machine's own table says of these is often wrong
		f.contentType = "text/javascript; charset=utf-8"
	case ".wasm":
		f.contentType = "application/wasm"
	case ".webmanifest":
		f.contentType = "application/manifest+json"
	case "":
		f.contentType = "application/octet-stream"
	}
	return f
}
