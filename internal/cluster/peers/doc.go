// Package peers is what the nodes of a cluster say to each other over their links: the
// messages of Raft, the tail of the metadata that nodes without a vote follow, and
// requests that the active controller is to decide. It knows who is where, who leads and
// who does not belong; it does not know what the requests mean. Run owns its goroutines
// and those of the link; Follow runs on its caller's.
package peers
