// Package assign decides which member of a group gets which partitions: the assignors
// that the coordinator runs for consumer groups (KIP-848) and share groups (KIP-932).
// They are pure functions of the members, what those own already and the topics; they
// know neither epochs nor how an assignment reaches its member. The room owns no
// goroutines.
package assign
