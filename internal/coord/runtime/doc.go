// Package runtime hosts the state machines of a coordinator: one machine for each
// partition of its topic. It loads a machine from the log, runs commands on it one
// after the other, appends what they write, replays it and lets an answer go once
// everything that it saw is committed. It knows logs and time; it does not know what
// a machine decides, nor groups, transactions or requests.
//
// A command runs on the goroutine of whoever asked. The only goroutines of the room
// are those of Run: one for the timers of all partitions and a few while it loads.
package runtime
