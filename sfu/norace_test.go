//go:build !race

package sfu

const raced = false // see race_test.go
