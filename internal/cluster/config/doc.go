// Package config knows every configuration key: its name, type, default, range, scope,
// whether it can change while the broker runs, and what it means here. It reads property
// files and environments, merges the layers, keeps where each value came from, checks all
// of them, and resolves what is in force for a broker, a topic, a group or a client metrics
// subscription, together with the answer that DescribeConfigs gives about it. It does not
// know who uses a value, it keeps no state and it opens no file by itself: what it reads
// from, it is given. It owns no goroutine.
package config
