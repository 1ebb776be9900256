// Package controller decides what the cluster becomes. State is the pure part: an
// image, a request and the time go in; records and answers, item by item, come out.
// Service is the shell: it orders decisions, proposes their records to the quorum and
// answers when they are applied here. The room knows Kafka's rules for topics, configs,
// brokers and elections, and who is dead; it does not know the wire, nor how records are
// agreed. A decision runs on its caller's goroutine; Run's watch over the brokers.
package controller
