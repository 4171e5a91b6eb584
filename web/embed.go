// Package web holds the built web application, embedded in the binary.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Dist is the built application, rooted where index.html is, and whether it has been built.
func Dist() (files fs.FS, built bool) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	_, err = fs.Stat(files, "index.html")
	return files, err == nil
}
