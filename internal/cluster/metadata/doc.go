// Package metadata is what the cluster agrees on, as one immutable value: the Image,
// made of records. It knows topics, partitions, brokers, configs and features, how a
// record changes them and how records and images are written down; it does not know
// how records are agreed, who decides them or what a broker does about them. It owns
// no goroutines.
package metadata
