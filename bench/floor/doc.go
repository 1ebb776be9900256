// Package floor is what the kernel alone asks of a broker, and CRC-32C: a server that
// receives batches into a reused buffer, sums them, appends them to a file and answers; or
// reads batches from a file and sends them; or answers small requests. It knows nothing
// else of Kafka than where in a request its batch stands, and is driven by the same
// prepared requests as a broker. It runs as a process of its own, so that its processor
// time can be told from its driver's. What it takes is the denominator of the targets.
package floor
