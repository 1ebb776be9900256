package model

import "testing"

// As Java's String.hashCode says, which Kafka takes the absolute value of.
func TestCoordinatorPartition(t *testing.T) {
	for key, hash := range map[string]int32{
		"":                               0,
		"group":                          98629247,
		"polygenelubricants":             0, // -2^31 has no absolute value
		"Grüße":                          69215351,
		"\U0001F600":                     1772899, // two UTF-16 units
		"share:Ls9Ij6XGRaGVbAh5TzjtkQ:0": 1038296291,
	} {
		if got := CoordinatorPartition(key, 1<<31-1); got != hash {
			t.Errorf("%q: got %d, want %d", key, got, hash)
		}
		if got := CoordinatorPartition(key, 50); got != hash%50 {
			t.Errorf("%q: got partition %d, want %d", key, got, hash%50)
		}
	}
}
