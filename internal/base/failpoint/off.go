//go:build !failpoint

package failpoint

// Enabled says whether failpoints are compiled in.
const Enabled = false

// Register does nothing in this build.
func Register(...string) struct{} { return struct{}{} }

// Hit does nothing in this build.
func Hit(string, any) {}

// Names is empty in this build.
func Names() []string { return nil }
