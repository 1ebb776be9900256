// Package identity says who a node is: the cluster it belongs to, its id and the ids of
// its log folders, as the file meta.properties in each folder has them. It formats new
// folders by itself, in two steps where other nodes name the cluster, and refuses those of
// another cluster or node; it does not know what else is in them. It owns no goroutines.
package identity
