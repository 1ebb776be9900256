package txn

import (
	"testing"
	"testing/synctest"
	"time"
)

// Markers go to whoever leads by then, and wait while nobody does.
func TestMarkersFollowLeaders(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 t/1 t/2 t/3 -> ok
		t/0 leads none
		broker 2 down
		commit p as=1000/0 -> 1000/1
		markers -> 1: commit 1000/1 t/2
		describe p -> PrepareCommit 1000/1 open=t/0,t/1,t/3
		t/0,t/1 leads 1
		image moves
		markers -> 1: commit 1000/1 t/0; 1: commit 1000/1 t/1
		describe p -> PrepareCommit 1000/1 open=t/3
		after 1m
		markers -> none
		broker 2 up
		after 1s
		markers -> 2: commit 1000/1 t/3
		describe p -> CompleteCommit 1000/1
	`)
}

// The image may be behind: a broker that no longer leads says so, and is asked again until
// it is known who does.
func TestMarkersToOldLeader(t *testing.T) {
	for _, e := range []string{"NOT_LEADER_FOR_PARTITION", "UNKNOWN_TOPIC_OR_PARTITION", "NOT_ENOUGH_REPLICAS", "REQUEST_TIMED_OUT", "KAFKA_STORAGE_ERROR", "TRANSACTION_COORDINATOR_FENCED", "UNKNOWN_SERVER_ERROR"} {
		t.Run(e, func(t *testing.T) {
			play(t, Settings{}, `
				init p -> 1000/0
				add p as=1000/0 t/0 t/1 -> ok
				broker 1 says `+e+`
				commit p as=1000/0 -> 1000/1
				after 10s
				describe p -> PrepareCommit 1000/1 open=t/0
				markers -> 2: commit 1000/1 t/1
				broker 1 up
				after 1s
				markers -> 1: commit 1000/1 t/0
				describe p -> CompleteCommit 1000/1
			`)
		})
	}
}

// A partition that knows a newer epoch of the producer has nothing of this transaction
// that is open.
func TestMarkersThatNobodyNeeds(t *testing.T) {
	for _, e := range []string{"INVALID_PRODUCER_EPOCH", "UNSUPPORTED_FOR_MESSAGE_FORMAT"} {
		t.Run(e, func(t *testing.T) {
			play(t, Settings{}, `
				init p -> 1000/0
				add p as=1000/0 t/0 t/1 -> ok
				broker 1 says `+e+`
				commit p as=1000/0 -> 1000/1
				describe p -> CompleteCommit 1000/1
			`)
		})
	}
}

// Partitions that are deleted need no marker, whenever that happens.
func TestMarkersOfDeletedTopics(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 u/1 -> ok
		t/0 leads gone
		u/1 leads none
		commit p as=1000/0 -> 1000/1
		describe p -> PrepareCommit 1000/1 open=u/1
		u/1 leads gone
		image moves
		describe p -> CompleteCommit 1000/1
		markers -> none
	`)
}

// An answer that is lost does not matter: markers may be written twice.
func TestMarkersTwice(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 -> ok
		broker 1 silent
		commit p as=1000/0 -> 1000/1
		markers -> 1: commit 1000/1 t/0
		broker 1 up
		after 1s
		markers -> 1: commit 1000/1 t/0
		describe p -> CompleteCommit 1000/1
		after 1m
		markers -> none
	`)
}

// The complete record may be refused: it is written later, without other markers.
func TestCompleteRefused(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 -> ok
		broker 1 slow 1s
		commit p as=1000/0 -> 1000/1
		log full
		after 1s
		markers -> 1: commit 1000/1 t/0
		describe p -> PrepareCommit 1000/1
		log full
		after 1s
		describe p -> PrepareCommit 1000/1
		after 1s
		describe p -> CompleteCommit 1000/1
		markers -> none
	`)
}

// A new coordinator sends all markers of what was decided, under its own epoch; the old
// one stops.
func TestMarkersOfTheNextCoordinator(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		init q -> 1001/0
		add p as=1000/0 t/0 t/1 -> ok
		add q v=3 as=1001/0 t/1 -> ok
		broker 1 down
		commit p as=1000/0 -> 1000/1
		markers -> 2: commit 1000/1 t/1
		broker 2 down
		abort q v=4 as=1001/0 -> ok
		log moves
		broker 1 up
		broker 2 up
		after 1s
		markers -> 1: commit 1000/1 t/0 coordinator=1; 2: abort 1001/0 t/1 v0 coordinator=1; 2: commit 1000/1 t/1 coordinator=1
		list -> p:CompleteCommit:1000 q:CompleteAbort:1001
	`)
}

// What gathers while a broker is busy goes in one request.
func TestMarkersGather(t *testing.T) {
	withService(t, Settings{}, func(h *house) {
		h.play(`
			init p -> 1000/0
			init q -> 1001/0
			init r -> 1002/0
			add p as=1000/0 t/0 -> ok
			add q as=1001/0 t/0 t/2 -> ok
			add r as=1002/0 t/4 -> ok
			broker 1 slow 1s
			commit p as=1000/0 -> 1000/1
			commit q as=1001/0 -> 1001/1
			abort r as=1002/0 -> 1002/1
			after 2s
			markers -> 1: abort 1002/1 t/4; 1: commit 1000/1 t/0; 1: commit 1001/1 t/0; 1: commit 1001/1 t/2
			list states=CompleteCommit,CompleteAbort -> p:CompleteCommit:1000 q:CompleteCommit:1001 r:CompleteAbort:1002
		`)
		if h.asked != 2 {
			t.Errorf("%d requests, want 2", h.asked)
		}
	})
}

// A broker that is slow holds up nobody but itself.
func TestMarkersOfSlowBroker(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		init q -> 1001/0
		add p as=1000/0 t/0 t/1 -> ok
		add q as=1001/0 t/1 -> ok
		broker 1 slow 10s
		commit p as=1000/0 -> 1000/1
		commit q as=1001/0 -> 1001/1
		list -> p:PrepareCommit:1000 q:CompleteCommit:1001
		add q as=1001/1 t/1 -> ok
		after 10s
		list -> p:CompleteCommit:1000 q:Ongoing:1001
	`)
}

// A broker that is followed by another owes its answer for as long as it likes: the other
// is asked at once. What the silent one leads still is not sent twice.
func TestMarkersOfSilentLeader(t *testing.T) {
	withService(t, Settings{}, func(h *house) {
		h.play(`
			init p -> 1000/0
			add p as=1000/0 t/0 t/2 t/4 -> ok
			broker 1 slow 10s
			commit p as=1000/0 -> 1000/1
			t/0 leads 2
			image moves
			after 100ms
			markers -> 2: commit 1000/1 t/0
			describe p -> PrepareCommit 1000/1 open=t/2,t/4
			t/2 leads none
			image moves
			after 5s
			markers -> none
		`)
		if h.asked != 2 {
			t.Errorf("%d requests, want 2", h.asked)
		}
		h.play(`
			t/4 leads 2
			image moves
			after 100ms
			markers -> 2: commit 1000/1 t/4
			t/2 leads 2
			image moves
			after 100ms
			markers -> 2: commit 1000/1 t/2
			describe p -> CompleteCommit 1000/1
			after 1m
			markers -> none
		`)
	})
}

// What a slow broker leads still, it answers for in the end.
func TestMarkersOfSlowLeader(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 t/2 -> ok
		broker 1 slow 10s
		commit p as=1000/0 -> 1000/1
		t/0 leads 2
		image moves
		after 10s
		markers -> 1: commit 1000/1 t/2; 2: commit 1000/1 t/0
		describe p -> CompleteCommit 1000/1
	`)
}

// A request bears so many markers and no more, and none is left behind.
func TestMarkersInPieces(t *testing.T) {
	s := newSender(Config{Leader: newWorld().leader}, nil)
	serial := s.begin(0)
	q := &queue{busy: true}
	for range 2*maxMarkers + 7 {
		q.parcels = append(q.parcels, &parcel{job: job{serial: serial}})
	}
	q.parcels[3].serial = serial - 1 // of a machine that is gone
	for _, want := range []int{maxMarkers, maxMarkers, 6, 0} {
		load, req := s.take(q, nil)
		if len(load) != want || len(req.Markers) != want {
			t.Fatalf("a request bears %d markers of %d, want %d", len(req.Markers), len(load), want)
		}
	}
	if q.busy {
		t.Error("the queue is empty and its goroutine counts as busy")
	}
}

// A transaction that takes too long is aborted, by an epoch that fences its client. One
// that waits for an outside coordinator is not.
func TestTimeout(t *testing.T) {
	play(t, Settings{}, `
		record w Ongoing as=900/0 open=t/0 timeout=2147483647
		log reload
		init p timeout=5000 -> 1000/0
		init q timeout=5000 -> 1001/0
		add p as=1000/0 t/0 -> ok
		after 9s
		add q v=3 as=1001/0 t/1 -> ok
		describe p -> Ongoing 1000/0 open=t/0
		after 1s
		markers -> 1: abort 1000/1 t/0 coordinator=1
		commit p as=1000/0 -> INVALID_TXN_STATE
		abort p as=1000/0 -> 1000/1
		list states=Ongoing -> q:Ongoing:1001 w:Ongoing:900
		after 10s
		markers -> 2: abort 1001/1 t/1 coordinator=1
		commit q v=4 as=1001/0 -> PRODUCER_FENCED
		add q v=3 as=1001/0 t/1 -> PRODUCER_FENCED
		list states=Ongoing -> w:Ongoing:900
	`)
}

// Where ends do not bump, a time-out still fences.
func TestTimeoutBeforeVersion2(t *testing.T) {
	play(t, Settings{}, `
		level 0
		init p timeout=5000 -> 1000/0
		add p v=3 as=1000/0 t/0 -> ok
		after 10s
		markers -> 1: abort 1000/1 t/0 v0
		abort p v=4 as=1000/0 -> PRODUCER_FENCED
		init p as=1000/0 -> PRODUCER_FENCED
		init p -> 1000/2
	`)
}

// A time-out that the log refuses is tried again.
func TestTimeoutRefused(t *testing.T) {
	play(t, Settings{}, `
		init p timeout=5000 -> 1000/0
		add p as=1000/0 t/0 -> ok
		log full
		after 10s
		describe p -> Ongoing 1000/0 open=t/0
		after 10s
		markers -> 1: abort 1000/1 t/0
	`)
}

// Without the lease nothing is answered, and the markers of what is committed wait until
// it is held again.
func TestLease(t *testing.T) {
	play(t, Settings{}, `
		init p -> 1000/0
		add p as=1000/0 t/0 -> ok
		log holds
		commit p as=1000/0 -> waits
		lease lost
		log commits
		p <- NOT_COORDINATOR
		markers -> none
		lease held
		after 10s
		markers -> 1: commit 1000/1 t/0
	`)
}

// Who has nothing to do has no goroutine but the three that are always there.
func TestGoroutines(t *testing.T) {
	withService(t, Settings{}, func(h *house) {
		h.play(`
			init p -> 1000/0
			add p as=1000/0 t/0 t/1 -> ok
			broker 1 slow 1s
			commit p as=1000/0 -> 1000/1
			after 1s
		`)
		for _, g := range []int32{1, 2} {
			if h.service.Load().sender.queues[g].busy {
				t.Errorf("broker %d has a sender and no markers", g)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		c := &h.service.Load().clerks
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.states) != 0 {
			t.Errorf("clerks at work: %v", c.states)
		}
	})
}
