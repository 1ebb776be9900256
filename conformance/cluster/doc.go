// Package cluster runs clusters of real processes, of Odradek or of Apache Kafka with the
// same settings, and hurts them: brokers are killed, paused, cut off, and their disks
// damaged, while real clients work and package crash's history holds the cluster to its
// word. It knows what clients were told and how processes are hurt, and nothing of a
// broker's inside. A Cluster owns its processes, one goroutine for each that waits for its
// end, and one that starts them; Close ends them all. Everything else is done by the test
// that calls it.
package cluster
