// Package delivery hands the records of a partition to the members of share groups, on the
// partition's leader (KIP-932): who has which record, for how long, for the how-manieth time,
// and what became of it. It reads the log, has the share coordinator remember what was
// decided before anybody is told of it, and writes what nobody could process to a group's
// dead letter queue (KIP-1191). It knows members by their names only, and neither
// connections nor sessions.
//
// What decides is the state of one share partition: pure, it sees offsets and never
// records. The Service is the shell; its goroutines run under its Run.
package delivery
