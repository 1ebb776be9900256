// Package chaos hurts a cluster of real processes in every way that this machine allows,
// many at a time: it kills and pauses them, cuts, delays and loses what they say to one
// another, takes the power from their disks, fills them, makes them slow or lets them lie,
// damages files, takes memory away. A Rig is the cluster and what is needed to hurt it; a
// Fault is one way to do so, and says what it lacks where it cannot; a Nemesis does some
// of them, by a seed. All of it knows processes, packets and files, and nothing of a
// broker's inside. A Rig owns what it makes (processes, namespaces, mounts, groups) and
// takes it away again at Close, on ^C, and at the next New if it could do neither.
package chaos
