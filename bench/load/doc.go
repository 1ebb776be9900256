// Package load puts one load on a cluster, from a process of its own, and says what it
// saw: how much was acknowledged or read, how long it took, how long each record took. It
// knows the protocol and nothing of the broker behind it, so that every system of a
// comparison gets the same load. A load checks what it was told: the ends of the
// partitions against what was acknowledged, what was read against what was written; where
// they differ the result has errors and is no result. What the broker paid for it is
// measured by who started the load, between Hooks.Ready and Hooks.Ran.
package load
