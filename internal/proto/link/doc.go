// Package link is the line between two nodes of a cluster: framed, checksummed and
// shared by one-way messages and calls of many goroutines. It knows nodes, addresses,
// bytes and when a process is dead; it does not know what is said. A node dials every
// other that it wants to speak to, so two nodes have up to two lines: who dialed sends
// messages and calls, who accepted answers. Run owns the goroutines of dialed lines,
// Serve those of an accepted one, and the listeners of Split those that look at the
// first bytes of a connection.
package link
