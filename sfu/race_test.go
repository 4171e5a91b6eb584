//go:build race

package sfu

// raced says that the tests run with the race detector, under which pools of memory forget on purpose: allocations mean nothing.
const raced = true
