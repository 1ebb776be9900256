// Package clock is the door to the hour. It knows what time of day a machine believes it
// is, which somebody may set wrong; it does not know how long things take: waits,
// deadlines and leases are package time's, which nobody sets. It owns no goroutines.
package clock

import "time"

// Clock is what a machine's wall clock shows at an instant, in milliseconds since 1970.
// What is told or kept goes by it: timestamps, ages, what expires after days. Nil shows
// the instant itself.
type Clock func(t time.Time) (millis int64)

// Millis is what the clock shows at t.
func (c Clock) Millis(t time.Time) int64 {
	if c == nil {
		return t.UnixMilli()
	}
	return c(t)
}
