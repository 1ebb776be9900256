package delivery

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Reset is where a group begins that has never read a partition. The zero value is the
// end: what comes from now on.
type Reset struct {
	Earliest bool
	Back     time.Duration // by_duration: so long ago
}

// ParseReset reads share.auto.offset.reset: latest, earliest, or by_duration: and an ISO
// 8601 duration. What is none of these is latest.
func ParseReset(text string) Reset {
	iso, ok := strings.CutPrefix(text, "by_duration:")
	if !ok {
		return Reset{Earliest: text == "earliest"}
	}
	parts := isoDuration.FindStringSubmatch(iso)
	if parts == nil {
		return Reset{}
	}
	seconds := 0.0
	for i, unit := range []float64{24 * 3600, 3600, 60, 1} {
		n, _ := strconv.ParseFloat(parts[i+1], 64) // what is left out is none
		seconds += n * unit
	}
	const most = 290 * 365 * 24 * 3600 // what a Duration can be
	return Reset{Back: max(time.Duration(min(seconds, most)*float64(time.Second)), 1)}
}

var isoDuration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)
