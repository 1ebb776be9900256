package delivery

import (
	"testing"
	"time"
)

func TestParseReset(t *testing.T) {
	for text, want := range map[string]Reset{
		"latest":                       {},
		"earliest":                     {Earliest: true},
		"by_duration:P1DT2H3M4.5S":     {Back: 26*time.Hour + 3*time.Minute + 4500*time.Millisecond},
		"by_duration:PT90M":            {Back: 90 * time.Minute},
		"by_duration:PT0S":             {Back: 1},
		"by_duration:P999999999999D":   {Back: 290 * 365 * 24 * time.Hour},
		"by_duration:ten days":         {},
		"something of another version": {},
	} {
		if got := ParseReset(text); got != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
