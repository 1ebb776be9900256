// Package eos runs pipelines that consume, transform and produce exactly once, written with
// four client libraries, on three nodes of Odradek or of Apache Kafka, while brokers and
// pipelines are killed at random, and pipelines that seemed dead come back. Whoever reads
// what was committed must find each input once, in order by partition. It knows what was
// put in and what came out, and nothing of a broker's inside. A pipeline's processes belong
// to its crew; the goroutines of a test end with it.
package eos
