// Package soak keeps a real node busy with comings and goings and asks whether it
// gives back what it took. It knows the node's address and its own gauges of goroutines,
// files and heap, and nothing of its inside. Churn owns the goroutines of the clients;
// the node is a child process that ends with the test.
package soak
