//go:build race

package pool

const poisoning = true
