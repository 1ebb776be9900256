//go:build !synctests

package load

// Grouping reports whether there can be members of groups: franz-go holds locks while its
// members wait for each other, which stops a bubble, but with the build tag synctests.
const Grouping = false

func (l *Load) startGroups() {}
