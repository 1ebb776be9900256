// Package wire carries Kafka's frames. It knows sizes, headers, schemas, order and
// memory: it checks every request against its schema before anything decodes it,
// hands requests to a Handler in arrival order and writes replies in that order. It
// does not know what a request means.
//
// Each connection has a reader goroutine for its life, and a finisher goroutine for
// as long as answers that wait are pending; Server.Serve owns both and returns after
// the last of them has ended.
//
// A Client is the other side, for brokers that ask brokers; it owns one goroutine.
package wire
