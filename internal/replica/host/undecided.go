package host

import (
	"time"

	"github.com/odradek/odradek/internal/replica/partition"
)

// Undecided is what open transactions hold back in the partitions that are led here.
type Undecided struct {
	// Behind are records between the last stable offset and the high watermark, by topic;
	// topics without any are left out.
	Behind map[string]int64
	Late   int // partitions whose oldest open transaction has been silent since before a time
}

// Undecided looks at the logs that are open, and not at the disk. A transaction is late if
// its producer wrote last before late.
func (h *Host) Undecided(late time.Time) Undecided {
	u := Undecided{Behind: map[string]int64{}}
	h.eachOpen(func(p *partition.Partition) {
		log := p.Opened()
		if log == nil || !p.Role().Leading {
			return
		}
		of, ok := log.Undecided(p.HighWatermark())
		if !ok {
			return
		}
		if of.Behind > 0 {
			u.Behind[p.TP().Topic] += of.Behind
		}
		if of.OldestMillis > 0 && of.OldestMillis < h.cfg.Clock.Millis(late) {
			u.Late++
		}
	})
	return u
}
