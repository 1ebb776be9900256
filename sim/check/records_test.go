package check

import (
	"slices"
	"testing"
	"time"
)

// tale is a history by hand, and which checks must find something in it: those, and no
// others.
type tale struct {
	name  string
	want  []string
	o     Options
	story string
}

func (c tale) run(t *testing.T) {
	t.Run(c.name, func(t *testing.T) {
		found := All(story(t, c.story), c.o)
		if got := verdicts(found); !slices.Equal(got, c.want) {
			t.Errorf("found %v, want %v", got, c.want)
			for _, v := range found {
				t.Log(v)
			}
		}
	})
}

func bad(checks ...string) []string { return checks }

var loose = Options{Topics: map[string]Topic{"a": {Loose: true}}}

// What producers and readers see of records.
func TestRecordsByHand(t *testing.T) {
	for _, c := range []tale{
		{"nothing", nil, Options{}, ``},
		{"all is well", nil, Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			9 poll a/0 0:1#0 1:1#1 from=0 high=2 stable=2 start=0
			8 drain a/0 @2000-2100 start=0 high=2
			8 poll a/0 @2010-2020 0:1#0 1:1#1`},
		{"what nobody was told of may be there or not", nil, Options{}, `
			1 send a/0 1#0 info
			1 send a/0 1#1 info
			1 send a/0 1#2 offset=1
			8 drain a/0 @2000-2100 start=0 high=2
			8 poll a/0 @2010-2020 0:1#1 1:1#2`},
		{"what may have been deleted may go while it is drained", nil, Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			1 send a/0 1#2 offset=2
			2 deleteRecords a/0 offset=2 info
			8 drain a/0 @2000-2100 start=0 high=3
			8 poll a/0 @2010-2020 0:1#0
			8 poll a/0 @2030-2040 2:1#2`},
		{"but for what is missing below what is there", bad("C1"), Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			1 send a/0 1#2 offset=2
			2 deleteRecords a/0 offset=2 info
			8 drain a/0 @2000-2100 start=0 high=3
			8 poll a/0 @2010-2020 1:1#1 2:1#2`},
		{"or above the start that was asked for", bad("C1", "C9"), Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			1 send a/0 1#2 offset=2
			2 deleteRecords a/0 offset=1 info
			8 drain a/0 @2000-2100 start=0 high=3
			8 poll a/0 @2010-2020 0:1#0 2:1#2`},
		{"sends that overlap may be in any order", nil, Options{}, `
			1 send a/0 1#0 offset=1 @10-90
			2 send a/0 2#0 offset=0 @20-80
			9 poll a/0 0:2#0 1:1#0`},

		{"a new leader's marks are behind", bad("C7", "C10"), Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			9 poll a/0 0:1#0 1:1#1 high=2 stable=2 isolation=committed
			8 poll a/0 0:1#0 high=1 stable=1 isolation=committed`},
		{"which is allowed to fetches", nil, Options{LateFetches: true}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			9 poll a/0 0:1#0 1:1#1 high=2 stable=2 isolation=committed
			8 poll a/0 0:1#0 high=1 stable=1 isolation=committed`},
		{"lost at the end", bad("C1", "C10"), Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			8 drain a/0 @2000-2100 start=0 high=1
			8 poll a/0 @2010-2020 0:1#0`},
		{"lost in the middle", bad("C1", "C9"), Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			1 send a/0 1#2 offset=2
			8 drain a/0 @2000-2100 start=0 high=3
			8 poll a/0 @2010-2020 0:1#0 2:1#2`},
		{"lost after it was read", bad("C1", "C10"), Options{}, `
			1 send a/0 1#0 offset=0
			9 poll a/0 0:1#0 high=1
			8 drain a/0 @2000-2100 start=0 high=0`},
		{"lost, and the offset was not told", bad("C1"), Options{}, `
			1 send a/0 1#0
			8 drain a/0 @2000-2100 start=0 high=0`},
		{"a loose topic may lose", nil, loose, `
			1 send a/0 1#0 offset=0 acks=1
			8 drain a/0 @2000-2100 start=0 high=0`},
		{"without acknowledgements anything may be lost", nil, Options{}, `
			1 send a/0 1#0 acks=0
			8 drain a/0 @2000-2100 start=0 high=0`},
		{"what was sent while it was drained need not show", nil, Options{}, `
			1 send a/0 1#0 offset=0 @2050-2060
			8 drain a/0 @2000-2100 start=0 high=0`},
		{"lost from a drain of what is committed", bad("C1"), Options{}, `
			1 send a/0 1#0 offset=0
			8 drain a/0 committed @2000-2100 start=0 high=1`},

		{"two records at an offset", bad("C2"), Options{}, `
			1 send a/0 1#0 info
			2 send a/0 2#0 info
			8 poll a/0 0:1#0
			9 poll a/0 0:2#0`},
		{"two were told the same offset", bad("C2"), Options{}, `
			1 send a/0 1#0 offset=0 @10-50
			2 send a/0 2#0 offset=0 @20-60`},
		{"told one offset, read at another", bad("C2"), Options{}, `
			1 send a/0 1#0 offset=3
			9 poll a/0 5:1#0`},
		{"two read what two nodes have", bad("C2", "C5"), Options{}, `
			8 poll a/0 0:1#0
			9 poll a/0 0:1#1`},
		{"what was read once stays, though the topic be loose", bad("C2"), loose, `
			1 send a/0 1#0 offset=0 acks=1
			2 send a/0 2#0 offset=0 acks=1
			8 poll a/0 0:1#0
			9 poll a/0 0:2#0`},

		{"twice", bad("C3"), Options{}, `
			1 send a/0 1#0 info
			9 poll a/0 0:1#0 1:1#0`},
		{"acknowledged, and there twice", bad("C3"), Options{}, `
			1 send a/0 1#0 offset=0
			9 poll a/0 0:1#0 1:1#0`},
		{"a loose topic may have it twice", nil, loose, `
			1 send a/0 1#0 info
			9 poll a/0 0:1#0 1:1#0`},

		{"a producer's records change places", bad("C4"), Options{}, `
			1 send a/0 1#0 offset=1 @10-50
			1 send a/0 1#1 offset=0 @11-50`},
		{"read out of order", bad("C4"), Options{}, `
			1 send a/0 1#0 info
			1 send a/0 1#1 info
			9 poll a/0 0:1#1 1:1#0`},
		{"sequences that leave much out", bad("C4"), Options{}, `
			1 send a/0 1#9000000 offset=1 @10-50
			1 send a/0 1#9000001 offset=0 @11-50`},
		{"later in time, earlier in the log", bad("C4"), Options{}, `
			1 send a/0 1#0 offset=1
			2 send a/0 2#0 offset=0`},
		{"sent after a higher offset was read", bad("C4"), Options{}, `
			1 send a/0 1#0 info
			9 poll a/0 7:1#0
			2 send a/0 2#0 offset=3`},
		{"sent after the high watermark was higher", bad("C4"), Options{}, `
			9 listOffset a/0 offset=7
			2 send a/0 2#0 offset=3`},

		{"nobody sent it", bad("C5"), Options{}, `9 poll a/0 0:1#0`},
		{"torn", bad("C5"), Options{}, `9 poll a/0 0:`},
		{"other people's records", nil, Options{Topics: map[string]Topic{"a": {Foreign: true}}}, `9 poll a/0 0: 0:`},
		{"in another partition", bad("C5"), Options{}, `
			1 send a/0 1#0 info
			9 poll a/1 0:1#0`},
		{"in another topic", bad("C5"), Options{}, `
			1 send a/0 1#0 info
			9 poll b/0 0:1#0`},
		{"a send that failed", bad("C5"), Options{}, `
			1 send a/0 1#0 fail
			9 poll a/0 0:1#0`},
		{"read before it was sent", bad("C4", "C5"), Options{}, `
			9 poll a/0 0:1#0
			1 send a/0 1#0 info`},
		{"given to a share group before it was sent", bad("C4", "C5"), Options{}, `
			9 shareAcquire a/0 0:1#0 group=s member=m
			1 send a/0 1#0 info`},

		{"told an offset with an error", bad("C10"), Options{}, `1 send a/0 1#0 info offset=0`},
		{"a question that was told an offset with an error", bad("C10"), Options{}, `1 listOffset a/0 fail offset=0`},
		{"an offset of a group that came with an error", bad("C10"), Options{}, `1 fetchOffset a/0 group=g info offset=0`},
		{"the end goes back", bad("C10"), Options{}, `
			1 listOffset a/0 offset=7
			2 listOffset a/0 offset=6`},
		{"the end is below what was read", bad("C10"), Options{}, `
			1 send a/0 1#0 info
			9 poll a/0 7:1#0
			2 listOffset a/0 offset=7`},
		{"the end is below what was acknowledged", bad("C10"), Options{}, `
			1 send a/0 1#0 offset=7
			2 listOffset a/0 offset=7`},
		{"a reader sees the high watermark go back", bad("C10"), Options{}, `
			9 poll a/0 high=7
			9 poll a/0 high=6`},
		{"questions that overlap", nil, Options{}, `
			1 listOffset a/0 offset=7 @10-30
			2 listOffset a/0 offset=6 @20-40`},
		{"the start goes back", bad("C10"), Options{}, `
			1 deleteRecords a/0 offset=7 start=7
			9 poll a/0 start=6`},
		{"the start goes back that one leader told", nil, Options{}, `
			1 listOffset a/0 earliest offset=7
			9 poll a/0 start=6`},
		{"a start above the end", bad("C10"), Options{}, `9 poll a/0 start=8 high=7`},
		{"out of range, and is not", bad("C10"), Options{}, `
			9 poll a/0 high=7 start=2
			9 poll a/0 from=5 fail err=OFFSET_OUT_OF_RANGE`},
		{"out of range, and is", nil, Options{}, `
			9 poll a/0 high=7 start=2
			9 poll a/0 from=1 fail err=OFFSET_OUT_OF_RANGE
			9 poll a/0 from=8 fail err=OFFSET_OUT_OF_RANGE`},

		{"a reader goes back", bad("C9"), Options{}, `
			1 send a/0 1#0 info
			1 send a/0 1#1 info
			9 poll a/0 0:1#0 1:1#1
			9 poll a/0 1:1#1`},
		{"a reader goes back within a poll", bad("C9"), Options{}, `
			1 send a/0 1#0 info
			1 send a/0 1#1 info
			9 poll a/0 1:1#1 0:1#0`},
		{"a reader goes over what another read", bad("C9"), Options{}, `
			1 send a/0 1#0 info
			1 send a/0 1#1 info
			1 send a/0 1#2 info
			8 poll a/0 1:1#1
			9 poll a/0 0:1#0
			9 poll a/0 2:1#2`},
		{"a reader goes over what is acknowledged later", bad("C9"), Options{}, `
			9 poll a/0 from=0 1:1#1 @100-200
			1 send a/0 1#0 offset=0 @10-300
			1 send a/0 1#1 offset=1 @20-310`},
		{"a reader does not begin where it asked", bad("C9"), Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			9 poll a/0 from=0 1:1#1`},
		{"readers may seek", nil, Options{}, `
			1 send a/0 1#0 info
			1 send a/0 1#1 info
			1 send a/0 1#2 info
			8 poll a/0 1:1#1
			9 poll a/0 0:1#0
			9 seek a/0 offset=2
			9 poll a/0 2:1#2
			9 seek a/0 offset=0
			9 poll a/0 0:1#0`},
		{"a partition that is given anew begins anew", nil, Options{}, `
			1 send a/0 1#0 info
			9 assign group=g member=m generation=1 places=a/0
			9 poll a/0 0:1#0 group=g
			9 revoke group=g member=m generation=1 places=a/0
			9 assign group=g member=m generation=2 places=a/0
			9 poll a/0 0:1#0 group=g`},
		{"what was deleted is passed over", nil, Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			9 poll a/0 from=0 high=2
			2 deleteRecords a/0 offset=1 start=1
			9 poll a/0 1:1#1`},

		{"a record is deleted before its time", bad("C16"), Options{Topics: map[string]Topic{"a": {Retention: time.Second}}}, `
			1 send a/0 1#0 offset=0
			9 listOffset a/0 earliest offset=1`},
		{"a record is deleted in its time", nil, Options{Topics: map[string]Topic{"a": {Retention: time.Second}}}, `
			1 send a/0 1#0 offset=0
			9 listOffset a/0 earliest offset=1 @2000000000-2000000001`},
		{"a record is deleted that is kept for ever", bad("C16"), Options{}, `
			1 send a/0 1#0 offset=0
			8 drain a/0 @2000-2100 start=1 high=1`},
		{"more is deleted than was asked for", bad("C16"), Options{}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			2 deleteRecords a/0 offset=1 start=1
			8 drain a/0 @2000-2100 start=2 high=2`},
		{"a record is deleted though few follow", bad("C16"), Options{Topics: map[string]Topic{"a": {RetentionRecords: 2}}}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			9 poll a/0 1:1#1 start=1`},
		{"a record is deleted since many follow", nil, Options{Topics: map[string]Topic{"a": {RetentionRecords: 1}}}, `
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 offset=1
			9 poll a/0 1:1#1 start=1`},
		{"what began before the topic was made again is not held against it", nil, fleeting, `
			1 create key=topic/a text=one
			1 send a/0 1#0 offset=0
			1 send a/0 1#1 info
			1 remove key=topic/a
			1 create key=topic/a text=two
			2 send a/0 2#0 offset=0
			8 drain a/0 @2000-2100 start=0 high=1
			8 poll a/0 @2010-2020 0:2#0`},
		{"a deleted topic's record is back", bad("C5"), fleeting, `
			1 create key=topic/a text=one
			1 send a/0 1#0 offset=0
			1 remove key=topic/a
			1 create key=topic/a text=two
			9 poll a/0 0:1#0`},
		{"a topic that was made again loses", bad("C1", "C10"), fleeting, `
			1 create key=topic/a text=one
			1 remove key=topic/a
			1 create key=topic/a text=two
			1 send a/0 1#0 offset=0
			8 drain a/0 @2000-2100 start=0 high=0`},
	} {
		c.run(t)
	}
}

var fleeting = Options{Topics: map[string]Topic{"a": {Fleeting: true}}}
