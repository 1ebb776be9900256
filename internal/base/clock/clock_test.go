package clock

import (
	"testing"
	"time"
)

// No clock shows the instant; another may be wrong.
func TestMillis(t *testing.T) {
	at := time.UnixMilli(1234567)
	if got := Clock(nil).Millis(at); got != 1234567 {
		t.Errorf("no clock shows %d", got)
	}
	late := Clock(func(t time.Time) int64 { return t.Add(-time.Second).UnixMilli() })
	if got := late.Millis(at); got != 1233567 {
		t.Errorf("a clock that is late by a second shows %d", got)
	}
}
