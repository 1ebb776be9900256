//go:build !unix

package clock

import "time"

// Now is the hour of the machine: where there is no better one, nobody must set it.
func Now() int64 { return time.Now().UnixNano() }
