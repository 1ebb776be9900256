// Package arch holds the tests that keep the house in shape: imports go downward,
// every package says what it knows, and the tree is tidy. It has no code of its own.
package arch
