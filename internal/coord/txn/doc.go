// Package txn is the transaction coordinator: which producer a transactional id belongs
// to, which partitions its transaction has touched, and how it ends. A transaction is
// ended in two steps: a record says how (prepare), markers tell every partition of it,
// and when all have been acknowledged a second record says so (complete).
//
// What decides is the machine of one partition of __transaction_state: pure, it sees
// requests, acknowledgements and the time, and writes records in Kafka's own format. The
// Service is the shell: it finds the partition of a transactional id and runs commands on
// the runtime. The sender takes markers to the leaders of the partitions. The room knows
// neither connections nor the image; it is told who leads what, and asks brokers through
// a func. Its goroutines live under Run: the runtime's, one that tries markers again, one
// for each broker that markers are on their way to, and one for each partition of
// __transaction_state that has something to do which nobody asked for.
package txn
