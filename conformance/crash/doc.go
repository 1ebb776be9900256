// Package crash kills a real node under load, again and again, and asks a fresh client
// each time whether the node kept its word. It knows what clients were told, and nothing
// of a broker's inside: the node is a child process, met on a socket. Load owns the
// goroutines of the clients that live through the kills; everything else is done by the
// test that calls it.
package crash
