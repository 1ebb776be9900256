package chaos

import (
	"time"

	"github.com/odradek/odradek/sim/history"
)

// grace is how long after its answer a leader may turn out to have been replaced before.
const grace = 30 * time.Second

// doubt takes back answers to ListOffsets of leaders that may have been replaced when they
// gave them: of whose partition somebody was told a later epoch before, or soon afterwards. A
// leader that others have replaced, and that has not heard of it, acknowledges nothing, but
// it lets read what was committed, and tells its own marks, as in Kafka; the answer bears its
// epoch, for those who mind.
func doubt(h *history.History) (taken int) {
	type epoch struct {
		place history.Place
		epoch int32
	}
	seen := make(map[epoch]int64) // when somebody was first told of it
	last := make(map[history.Place]int32)
	note := func(p history.Place, e int32, at int64) {
		if before, again := seen[epoch{p, e}]; e >= 0 && (!again || at < before) {
			seen[epoch{p, e}] = at
			last[p] = max(last[p], e)
		}
	}
	for i := range h.Polls {
		note(h.Places[h.Polls[i].Place], h.Polls[i].Epoch, h.Polls[i].Return)
	}
	for i := range h.Ops {
		if o := &h.Ops[i]; o.Kind == history.ListOffset && o.Outcome == history.OK {
			note(history.Place{Topic: o.Topic, Partition: o.Partition}, o.Epoch, o.Return)
		}
	}
	for i := range h.Ops {
		o := &h.Ops[i]
		if o.Kind != history.ListOffset || o.Outcome != history.OK || o.Spec != history.Latest {
			continue
		}
		p := history.Place{Topic: o.Topic, Partition: o.Partition}
		for e := o.Epoch + 1; e <= last[p]; e++ {
			if at, told := seen[epoch{p, e}]; told && at < o.Return+int64(grace) {
				o.Outcome, o.Offset, o.Epoch, o.Err = history.Info, history.Unknown, history.Unknown, "the leader may have been replaced"
				taken++
				break
			}
		}
	}
	return taken
}
