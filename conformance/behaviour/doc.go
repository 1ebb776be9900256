// Package behaviour shows, one test a behaviour, that a node keeps what Kafka's clients
// rely on. The tests are strangers to the house: each starts a whole node on a disk and
// a network in memory, inside a bubble of testing/synctest, and speaks to it as any
// client would, in frames. docs/BEHAVIOURS.md lists the behaviours by number; a test
// here holds that page to the tests. It has no code but tests and owns no goroutines.
package behaviour
