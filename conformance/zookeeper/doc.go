// Package zookeeper runs a compose file of ZooKeeper's days and asks with ZooKeeper's own
// tools what it shows: zkCli.sh of Debian's package, and kazoo, the library of Python.
// Everything is done by its test.
package zookeeper
