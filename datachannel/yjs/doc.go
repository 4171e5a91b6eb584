// Package yjs keeps Yjs documents as what they are on the wire: structs in clock order for each client, and ranges of deleted
// clocks. It integrates nothing, so it holds no text and no tree; it can still check an update, say what of it is new, answer
// a state vector with what a peer lacks, and throw deleted content away.
//
// Its nouns: an update is a set of structs and deletions in Yjs' update format V1. A Doc is the union of updates. A
// StateVector says how far each client is known. A Message is one message of the y-protocols wire, and Hocuspocus one of
// that provider's. Awareness is who looks at a document now, each state bound to the owner that announced it.
//
// Whatever arrives is checked whole before anything changes; what passes does not make Yjs throw in a client, and takes time
// and memory in proportion to its size.
//
// The package does no I/O, starts no goroutine and never reads the clock. Nothing in it is safe for concurrent use.
//
// What it cannot see, because it does not integrate: whether an item's neighbours exist. Such an item is well-formed, is
// stored, and waits in every client (as in Yjs itself) until they arrive.
package yjs
