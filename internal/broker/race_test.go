//go:build race

package broker_test

// racing says that the race detector is at work: pools forget what they are given, and what is
// allocated says nothing.
const racing = true
