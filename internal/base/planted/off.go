//go:build !planted

package planted

// Enabled says whether mistakes can be planted.
const Enabled = false

// Is is false in this build.
func Is(Bug) bool { return false }
