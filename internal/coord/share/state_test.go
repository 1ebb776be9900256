package share

import "testing"

func TestStates(t *testing.T) {
	cases := map[string]string{
		"what was written is read, after a reload too": `
			init t/0 state=1 start=-1 -> ok
			read t/0 leader=3 -> ok state=1 start=-1
			write t/0 state=1 leader=3 start=10 done=5 10-14:2*1 20-21:0*2 -> ok
			read t/0 leader=3 -> ok state=1 start=10 10-14:2*1 20-21:0*2
			summary t/0 -> ok state=1 leader=3 start=10 done=5
			log reload
			read t/0 leader=3 -> ok state=1 start=10 10-14:2*1 20-21:0*2
			summary t/0 -> ok state=1 leader=3 start=10 done=5
			records -> snapshot#0 update#0 update#0
		`,
		"a new state has no start; one that begins somewhere counts from there": `
			summary t/0 -> ok state=0 leader=0 start=-1 done=-1
			init t/0 state=0 start=-1 -> ok
			summary t/0 -> ok state=0 leader=0 start=-1 done=-1
			init t/0 state=1 start=7 -> ok
			summary t/0 -> ok state=1 leader=0 start=7 done=0
		`,
		"an answer counts what is committed": `
			init t/0 state=1 start=0 -> ok
			write t/0 state=1 leader=0 start=5 done=0 -> ok
			log holds
			write t/0 state=1 leader=0 start=9 done=0 -> COORDINATOR_NOT_AVAILABLE
			log moves
			read t/0 leader=0 -> ok state=1 start=5
		`,
		"batches below the start are forgotten, and cut": `
			init t/0 state=1 start=0 -> ok
			write t/0 state=1 leader=0 start=0 done=0 0-9:2*1 12-20:0*1 -> ok
			write t/0 state=1 leader=0 start=15 done=0 30-31:4*5 -> ok
			read t/0 leader=0 -> ok state=1 start=15 15-20:0*1 30-31:4*5
		`,
		"a write that says no start leaves it": `
			init t/0 state=1 start=4 -> ok
			write t/0 state=1 leader=0 start=-1 done=1 5-5:2*1 -> ok
			read t/0 leader=0 -> ok state=1 start=4 5-5:2*1
		`,
		"a write that comes late takes nothing back": `
			init t/0 state=1 start=0 -> ok
			write t/0 state=1 leader=0 start=10 done=0 12-12:2*2 -> ok
			write t/0 state=1 leader=0 start=4 done=0 4-9:0*1 12-12:0*1 -> ok
			read t/0 leader=0 -> ok state=1 start=10 12-12:2*2
			log reload
			read t/0 leader=0 -> ok state=1 start=10 12-12:2*2
		`,
		"who reads fences leaders before it, for ever": `
			init t/0 state=1 start=0 -> ok
			read t/0 leader=4 -> ok state=1 start=0
			read t/0 leader=3 -> FENCED_LEADER_EPOCH
			write t/0 state=1 leader=3 start=2 done=0 -> FENCED_LEADER_EPOCH
			log reload
			write t/0 state=1 leader=3 start=2 done=0 -> FENCED_LEADER_EPOCH
			write t/0 state=1 leader=4 start=2 done=0 -> ok
			init t/0 state=2 start=0 -> ok
			write t/0 state=2 leader=3 start=2 done=0 -> FENCED_LEADER_EPOCH
			read t/0 leader=5 -> ok state=2 start=0
			records -> snapshot#0 update#0 update#0 snapshot#1 update#1
		`,
		"who writes fences leaders before it too": `
			init t/0 state=1 start=0 -> ok
			write t/0 state=1 leader=4 start=2 done=0 -> ok
			write t/0 state=1 leader=3 start=3 done=0 -> FENCED_LEADER_EPOCH
		`,
		"a new state fences what belongs to the old one": `
			init t/0 state=1 start=0 -> ok
			write t/0 state=1 leader=0 start=2 done=0 3-4:2*1 -> ok
			init t/0 state=2 start=100 -> ok
			write t/0 state=1 leader=0 start=5 done=0 -> FENCED_STATE_EPOCH
			init t/0 state=1 start=5 -> FENCED_STATE_EPOCH
			log reload
			write t/0 state=1 leader=0 start=5 done=0 -> FENCED_STATE_EPOCH
			read t/0 leader=0 -> ok state=2 start=100
		`,
		"a state that has begun does not begin again": `
			init t/0 state=2 start=50 -> ok
			write t/0 state=2 leader=0 start=60 done=1 62-62:2*1 -> ok
			init t/0 state=2 start=50 -> ok    # by somebody who had no answer
			read t/0 leader=0 -> ok state=2 start=60 62-62:2*1
		`,
		"what has not begun can be neither read nor written": `
			read t/0 leader=0 -> INVALID_REQUEST
			write t/0 state=0 leader=0 start=0 done=0 -> INVALID_REQUEST
			delete t/0 -> ok
			records ->
		`,
		"what was deleted is gone": `
			init t/0 state=3 start=0 -> ok
			write t/0 state=3 leader=2 start=7 done=0 8-9:2*1 -> ok
			delete t/0 -> ok
			read t/0 leader=2 -> INVALID_REQUEST
			log reload
			read t/0 leader=2 -> INVALID_REQUEST
			summary t/0 -> ok state=0 leader=0 start=-1 done=-1
			init t/0 state=0 start=-1 -> ok
			records -> snapshot#0 update#0 tombstone snapshot#0
		`,
		"partitions that do not exist are unknown": `
			init t/4 state=0 start=0 -> UNKNOWN_TOPIC_OR_PARTITION
			delete t/4 -> UNKNOWN_TOPIC_OR_PARTITION
			summary t/4 -> UNKNOWN_TOPIC_OR_PARTITION
			init t/-1 state=0 start=0 -> INVALID_REQUEST
			init t/0 state=0 start=-2 -> INVALID_REQUEST
		`,
		"batches that cannot be are refused": `
			init t/0 state=1 start=0 -> ok
			write t/0 state=1 leader=0 start=0 done=0 5-4:2*1 -> INVALID_REQUEST
			write t/0 state=1 leader=0 start=0 done=0 -1-4:2*1 -> INVALID_REQUEST
			write t/0 state=1 leader=0 start=0 done=0 5-5:1*1 -> INVALID_REQUEST
			write t/0 state=1 leader=0 start=0 done=0 5-5:2*-1 -> INVALID_REQUEST
			write t/0 state=1 leader=0 start=0 done=0 5-9223372036854775807:2*1 -> ok
			read t/0 leader=0 -> ok state=1 start=0 5-9223372036854775807:2*1
		`,
		"a log that takes nothing costs nothing": `
			init t/0 state=1 start=0 -> ok
			log full
			write t/0 state=1 leader=0 start=5 done=0 -> COORDINATOR_NOT_AVAILABLE
			after 1s
			read t/0 leader=0 -> ok state=1 start=0
		`,
		"states of a topic go with it": `
			init t/0 state=1 start=0 -> ok
			init t/1 state=1 start=0 -> ok
			init u/0 state=1 start=0 -> ok
			topic t gone
			records -> snapshot#0 snapshot#0 snapshot#0 tombstone tombstone
			read t/0 leader=0 -> INVALID_REQUEST
			read u/0 leader=0 -> ok state=1 start=0
		`,
		"or when somebody loads them who was not told": `
			init t/0 state=1 start=0 -> ok
			init u/0 state=1 start=0 -> ok
			topic t missed
			log reload
			records -> snapshot#0 snapshot#0 tombstone
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{UpdatesPerSnapshot: -1}, script) })
	}
}

// After so many updates comes a snapshot, with everything that the updates said.
func TestSnapshots(t *testing.T) {
	play(t, Settings{UpdatesPerSnapshot: 2}, `
		init t/0 state=1 start=0 -> ok
		write t/0 state=1 leader=0 start=-1 done=1 1-1:2*1 -> ok
		write t/0 state=1 leader=0 start=-1 done=2 2-2:2*1 -> ok
		write t/0 state=1 leader=0 start=-1 done=3 3-3:2*1 9-9:0*1 -> ok
		records -> snapshot#0 update#0 update#0 snapshot#1
		read t/0 leader=0 -> ok state=1 start=0 1-3:2*1 9-9:0*1
		write t/0 state=1 leader=0 start=4 done=0 -> ok
		write t/0 state=1 leader=0 start=5 done=0 -> ok
		write t/0 state=1 leader=0 start=6 done=0 -> ok
		records -> update#1 update#1 snapshot#2
		log reload
		read t/0 leader=0 -> ok state=1 start=6 9-9:0*1
		summary t/0 -> ok state=1 leader=0 start=6 done=0
	`)
	play(t, Settings{UpdatesPerSnapshot: 0}, `
		init t/0 state=1 start=0 -> ok
		write t/0 state=1 leader=1 start=1 done=0 -> ok
		read t/0 leader=2 -> ok state=1 start=1
		records -> snapshot#0 snapshot#1 snapshot#2
		read t/0 leader=1 -> FENCED_LEADER_EPOCH
	`)
}

// Snapshots that are old are repeated while others are written, so that the log before
// the oldest that is needed can be deleted. When all have been repeated nothing is
// written any more.
func TestColdSnapshots(t *testing.T) {
	play(t, Settings{UpdatesPerSnapshot: 2}, `
		init t/0 state=1 start=3 -> ok
		init t/1 state=1 start=0 -> ok
		write t/1 state=1 leader=0 start=1 done=0 -> ok
		write t/1 state=1 leader=0 start=2 done=0 -> ok
		records -> snapshot#0 snapshot#0 update#0 update#0
		after 4m
		write t/1 state=1 leader=0 start=3 done=0 -> ok
		after 61s
		records -> snapshot#1 snapshot#1    # of t/1 by count, of t/0 by age
		after 10m
		records -> snapshot#2 snapshot#2    # of both by age
		log prune -> 6
		after 1h
		records ->
		read t/0 leader=0 -> ok state=1 start=3
	`)
}

// A state that does not fit a record goes on in updates, and what fits in none is refused.
func TestLargeStates(t *testing.T) {
	inHouse(t, Settings{UpdatesPerSnapshot: 1, MaxRecordBytes: 512}, func(h *house) {
		k := Key{"g", topicID("t"), 0}
		gaps := func(from, n int64) (batches []StateBatch) {
			for i := range n {
				batches = append(batches, StateBatch{from + 2*i, from + 2*i, Acknowledged, 1})
			}
			return batches
		}
		h.play("init t/0 state=1 start=0 -> ok")
		for i := range int64(6) {
			if got := h.ask("write", k, arguments{state: 1, leader: 0, start: -1, batches: gaps(20*i, 10)}); got != "ok" {
				t.Fatal(got)
			}
		}
		h.play("records -> snapshot#0 update#0 snapshot#1 update#1 update#1 update#1 update#1")
		if got := h.ask("write", k, arguments{state: 1, leader: 0, start: -1, batches: gaps(0, 30)}); got != "INVALID_REQUEST" {
			t.Error(got)
		}
		h.play("log reload")
		if got, want := h.ask("read", k, arguments{leader: 0}), "ok state=1 start=0"+words(gaps(0, 60)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}
