package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Members get what is in the log, as slices of its batches, and what they acknowledge is
// stored before they are told.
func TestDeliverAndAcknowledge(t *testing.T) {
	inBubble(t, func(b *broker) {
		b.append(t0, "a", "b", "c")
		b.append(t0, "d", "e")
		b.append(t0, "f")
		b.want(b.take("g", "m", 4), "0-3×1 of 0-2,3-4")
		b.want(b.take("g", "n", 4), "4×1 5×1 of 3-4,5")
		b.want(b.take("other", "m", 1), "0×1 of 0-2")
		b.store.set(func(c *coordinator) { c.delay = time.Second })
		began := time.Now()
		b.want(b.ack("g", "m", 0, 3, Accept), "ok")
		if took := time.Since(began); took != time.Second {
			t.Errorf("answered after %v", took)
		}
		b.want(b.ack("g", "m", 4, 4, Accept), "INVALID_RECORD_STATE")
		b.want(b.ack("g", "n", 4, 5, Release), "ok")
		b.want(b.take("g", "m", 9), "4×2 5×2 of 3-4,5")
		b.want(b.ack("nobody", "m", 0, 1, Accept), "UNKNOWN_TOPIC_OR_PARTITION")
	})
}

// A share partition is told of what comes into the log and of what others give back.
func TestWaiting(t *testing.T) {
	inBubble(t, func(b *broker) {
		sh := b.open("g")
		w := partition.NewWaiter()
		sh.Watch(w)
		defer sh.Unwatch(w)
		told := func(what string, want bool) {
			t.Helper()
			synctest.Wait()
			got := false
			select {
			case <-w.C:
				got = true
			default:
			}
			if got != want {
				t.Errorf("%s: told %v", what, got)
			}
		}
		told("nothing", false)
		b.append(t0, "a", "b")
		told("append", true)
		b.want(b.take("g", "m", 1), "0×1 of 0-1")
		b.want(b.take("g", "n", 1), "1×1 of 0-1")
		told("deliveries", false)
		b.want(b.ack("g", "n", 1, 1, Accept), "ok")
		told("accept", false)
		b.want(b.ack("g", "m", 0, 0, Release), "ok")
		told("release", true)
		b.want(b.take("g", "m", 1), "0×2 of 0-1")
		time.Sleep(29 * time.Second)
		told("the lock holds", false)
		time.Sleep(time.Second)
		told("the lock ends", true)
		b.want(b.take("g", "m", 1), "0×3 of 0-1")
		b.want(b.verdict(b.service.Release("g", "m", model.IDPartition{Topic: topicID})), "ok")
		told("the session ends", true)
		b.want(b.take("g", "n", 1), "0×4 of 0-1")
	})
}

// Acknowledgements that come while a write is under way share the next one.
func TestOneWriteForMany(t *testing.T) {
	inBubble(t, func(b *broker) {
		for range 100 {
			b.append(t0, "a")
		}
		b.take("g", "m", 100)
		before := 0
		b.store.set(func(c *coordinator) { before, c.delay = c.writes, 10*time.Millisecond })
		var verdicts []*Verdict
		for o := range int64(100) {
			verdicts = append(verdicts, b.service.Acknowledge("g", "m", t0, topicID, []Ack{{o, o, []int8{Accept}}}))
		}
		for _, v := range verdicts {
			b.want(b.verdict(v), "ok")
		}
		b.store.set(func(c *coordinator) {
			if n := c.writes - before; n > 2 { // the first begins when its writer is scheduled
				t.Errorf("%d writes for 100 acknowledgements at once", n)
			}
		})
	})
}

// Where a group begins that has never read: at the end, at the start, or so long ago; and
// it stays there, even if nothing is acknowledged before the leader goes.
func TestReset(t *testing.T) {
	for _, c := range []struct {
		reset Reset
		want  string
	}{
		{Reset{}, ""},
		{Reset{Earliest: true}, "0×1 of 0"},
		{Reset{Back: 90 * time.Minute}, "1×1 of 1"},
		{Reset{Back: time.Minute}, ""},
	} {
		inBubble(t, func(b *broker) {
			b.set.Reset = c.reset
			b.append(t0, "a")
			time.Sleep(time.Hour)
			b.append(t0, "b")
			time.Sleep(time.Hour)
			b.want(b.take("g", "m", 1), c.want)
		})
	}
	inBubble(t, func(b *broker) {
		b.set.Reset = Reset{}
		b.append(t0, "a")
		b.want(b.take("g", "m", 1), "")
		b.append(t0, "b")
		b.want(b.take("g", "m", 1), "1×1 of 1")
		b.end()
		b.append(t0, "c")
		b.lead(b.parts[t0], 2)
		b.lead(b.parts[t0], 3)
		b.start()
		b.want(b.take("g", "m", 1), "1×1 of 1")
	})
}

// When the leader epoch ends the share partition does: who waits is told, and who comes
// back begins with what was stored.
func TestLeaderMoves(t *testing.T) {
	inBubble(t, func(b *broker) {
		b.append(t0, "a", "b", "c")
		sh := b.open("g")
		b.want(b.takeOf(sh, "m", 3), "0-2×1 of 0-2")
		b.want(b.ack("g", "m", 0, 0, Accept), "ok")
		b.store.set(func(c *coordinator) { c.delay = time.Second })
		late := b.service.Acknowledge("g", "m", t0, topicID, []Ack{{1, 1, []int8{Accept}}})
		synctest.Wait()
		w := partition.NewWaiter()
		sh.Watch(w)
		b.lead(b.parts[t0], 2)
		<-w.C
		b.want(b.takeOf(sh, "m", 1), "NOT_LEADER_FOR_PARTITION")
		b.want(b.ack("g", "m", 1, 1, Accept), "NOT_LEADER_FOR_PARTITION")
		if _, err := b.service.Open("g", t0, topicID); err != kerr.NotLeaderForPartition {
			t.Errorf("open: %v", err)
		}
		b.want(b.verdict(late), "ok") // it was stored, whoever leads
		b.lead(b.parts[t0], 3)
		b.want(b.ack("g", "m", 1, 1, Accept), "UNKNOWN_TOPIC_OR_PARTITION")
		b.open("g")
		time.Sleep(2 * time.Second)
		b.want(b.take("g", "m", 3), "2×1 of 0-2")
	})
}

// A leader whom the coordinator has fenced gives up; so does one whose group was reset.
func TestFenced(t *testing.T) {
	inBubble(t, func(b *broker) {
		b.append(t0, "a", "b", "c")
		b.want(b.take("g", "m", 3), "0-2×1 of 0-2")
		b.store.set(func(c *coordinator) { c.state(share.Key{Group: "g", TopicID: topicID}).epoch++ })
		b.want(b.ack("g", "m", 0, 0, Accept), "NOT_LEADER_FOR_PARTITION")
		if n := b.service.Len(); n != 0 {
			t.Errorf("%d share partitions are left", n)
		}
		b.want(b.take("g", "m", 1), "0×1 of 0-2")
		b.store.set(func(c *coordinator) { c.state(share.Key{Group: "g", TopicID: topicID}).leader = 9 })
		b.want(b.ack("g", "m", 0, 0, Accept), "NOT_LEADER_FOR_PARTITION")
		if _, err := b.service.Open("g", t0, topicID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := b.service.Len(); n != 0 {
			t.Errorf("%d share partitions are left of one that can not be read", n)
		}
	})
}

// A write that fails leaves the records with their member; what nobody waits for is tried
// again by itself.
func TestWritesThatFail(t *testing.T) {
	inBubble(t, func(b *broker) {
		b.append(t0, "a", "b")
		b.want(b.take("g", "m", 2), "0-1×1 of 0-1")
		b.store.failing(kerr.NotCoordinator)
		b.want(b.ack("g", "m", 0, 0, Accept), "COORDINATOR_NOT_AVAILABLE")
		b.store.failing(errLine)
		b.want(b.ack("g", "m", 0, 0, Accept), "UNKNOWN_SERVER_ERROR")
		b.store.failing(nil)
		b.want(b.ack("g", "m", 0, 0, Accept), "ok")
		b.store.failing(errLine)
		time.Sleep(31 * time.Second)
		b.want(b.take("g", "n", 1), "1×2 of 0-1") // though that is not stored
		time.Sleep(31 * time.Second)
		b.store.failing(nil)
		time.Sleep(2 * time.Second)
		b.store.set(func(c *coordinator) {
			if got := c.states[share.Key{Group: "g", TopicID: topicID}].of[1]; got.Deliveries != 2 {
				t.Errorf("stored: %+v", got)
			}
		})
	})
}

// A state that the coordinator has no longer, or does not take, is not written for ever: of
// a deleted group nothing stays, and who reads the partition begins with what is stored.
func TestWritesThatNeverSucceed(t *testing.T) {
	inBubble(t, func(b *broker) {
		b.append(t0, "a", "b")
		b.want(b.take("g", "m", 2), "0-1×1 of 0-1")
		b.want(b.take("deleted", "m", 2), "0-1×1 of 0-1")
		b.store.failing(kerr.InvalidRequest)
		b.want(b.verdict(b.service.Release("deleted", "m", model.IDPartition{Topic: topicID})), "UNKNOWN_SERVER_ERROR")
		b.service.Forget("deleted", func() bool { return true })
		b.want(b.ack("g", "m", 0, 0, Accept), "UNKNOWN_SERVER_ERROR")
		time.Sleep(time.Minute)
		if n := b.service.Len(); n != 0 {
			t.Errorf("%d share partitions are left", n)
		}
		b.store.failing(nil)
		b.want(b.take("g", "n", 2), "0-1×1 of 0-1")
	})
}

// A share partition that can not be loaded says so if nobody waits for it, and is loaded
// when someone asks again; while somebody waits it is tried again.
func TestLoadingFails(t *testing.T) {
	inBubble(t, func(b *broker) {
		b.append(t0, "a")
		b.store.failing(kerr.CoordinatorLoadInProgress)
		sh := b.open("g")
		b.want(b.takeOf(sh, "m", 1), "COORDINATOR_NOT_AVAILABLE")
		sh, err := b.service.Open("g", t0, topicID)
		if err != nil {
			t.Fatal(err)
		}
		w := partition.NewWaiter()
		sh.Watch(w)
		time.Sleep(time.Minute)
		b.want(b.takeOf(sh, "m", 1), "")
		b.store.failing(nil)
		<-w.C
		b.want(b.takeOf(sh, "m", 1), "0×1 of 0")
		b.store.set(func(c *coordinator) { c.states[sh.key].of[0] = share.StateBatch{First: 0, Last: 0, State: 7} })
		b.service.drop(sh, kerr.NotLeaderForPartition)
		b.want(b.takeOf(b.open("g"), "m", 1), "UNKNOWN_SERVER_ERROR")
	})
}

// While it is loaded nothing is delivered; who waits is told when it is.
func TestLoadingTakesTime(t *testing.T) {
	inBubble(t, func(b *broker) {
		b.append(t0, "a")
		b.store.set(func(c *coordinator) { c.delay = time.Second })
		sh := b.open("g")
		w := partition.NewWaiter()
		sh.Watch(w)
		defer sh.Unwatch(w)
		b.want(b.takeOf(sh, "m", 1), "")
		b.want(b.ack("g", "m", 0, 0, Accept), "INVALID_RECORD_STATE")
		<-w.C
		b.want(b.takeOf(sh, "m", 1), "0×1 of 0")
	})
}

// DeleteRecords and retention move the start, whoever has what they took.
func TestLogStartMoves(t *testing.T) {
	inBubble(t, func(b *broker) {
		b.append(t0, "a", "b", "c")
		b.append(t0, "d", "e", "f")
		b.want(b.take("g", "m", 2), "0-1×1 of 0-2")
		if _, err := b.parts[t0].DeleteRecords(4); err != nil {
			t.Fatal(err)
		}
		b.want(b.take("g", "n", 9), "4-5×1 of 3-5")
		b.want(b.ack("g", "m", 0, 1, Accept), "ok")
		b.want(b.ack("g", "n", 4, 5, Accept), "ok")
		b.want(b.take("g", "n", 9), "")
	})
}

// A group of read_committed sees no record of a transaction that is open, or was aborted;
// one of read_uncommitted sees all. Markers are for nobody.
func TestTransactions(t *testing.T) {
	inBubble(t, func(b *broker) {
		p := b.parts[t0]
		write := func(pid int64, sequence int32, values ...string) {
			t.Helper()
			g, _, err := p.BeginTxn(pid, 0, sequence, true)
			if err != nil {
				t.Fatal(err)
			}
			builder := record.NewBuilder(record.BuilderConfig{ProducerID: pid, BaseSequence: sequence, Transactional: true})
			for i, v := range values {
				builder.Append(record.Record{Offset: int64(i), Timestamp: time.Now().UnixMilli(), Value: []byte(v)})
			}
			batch, _ := builder.Build()
			if _, err := p.Append(batch, partition.AppendArgs{ProduceVersion: 12, Acks: -1, Guard: g}); err != nil {
				t.Fatal(err)
			}
		}
		end := func(pid int64, commit bool) {
			t.Helper()
			if _, _, err := p.AppendMarker(record.EndTxn(pid, 0, record.EndTxnMarker{Commit: commit}, time.Now().UnixMilli()), model.NoEpoch, 1); err != nil {
				t.Fatal(err)
			}
		}
		write(1, 0, "a", "b") // 0-1
		write(2, 0, "c")      // 2
		b.append(t0, "d")     // 3
		end(1, false)         // 4
		write(1, 2, "e")      // 5
		end(2, true)          // 6
		b.append(t0, "f")     // 7
		b.want(b.take("all", "m", 100), "0-3×1 5×1 7×1 of 0-1,2,3,4,5,6,7")
		b.change(func(s *Settings) { s.Committed = true })
		b.want(b.take("committed", "m", 100), "2-3×1 of 2,3")
		end(1, true) // 8
		b.want(b.take("committed", "n", 100), "5×1 7×1 of 5,6,7")
		b.want(b.ack("committed", "m", 2, 3, Accept), "ok")
		b.want(b.ack("committed", "n", 5, 7, Accept), "INVALID_RECORD_STATE")
		b.want(b.ack("committed", "n", 5, 5, Accept), "ok")
		b.want(b.ack("committed", "n", 7, 7, Accept), "ok")
		b.want(b.take("committed", "n", 100), "")
		if got := b.stateOf("committed"); got != "9|9:" {
			t.Errorf("in the end: %s", got)
		}
	})
}

// A group that nobody reads any more is forgotten once what it waits for is stored.
func TestForget(t *testing.T) {
	inBubble(t, func(b *broker) {
		b.append(t0, "a", "b")
		b.want(b.take("g", "m", 1), "0×1 of 0-1")
		b.want(b.take("other", "m", 1), "0×1 of 0-1")
		b.store.set(func(c *coordinator) { c.delay = time.Second })
		v := b.service.Release("g", "m", model.IDPartition{Topic: topicID})
		alone := true
		still := func() bool { return alone }
		b.service.Forget("g", still)
		if b.service.Len() != 2 {
			t.Error("forgotten before what waits is stored")
		}
		b.want(b.verdict(v), "ok")
		synctest.Wait()
		if b.service.Len() != 1 {
			t.Errorf("%d share partitions are left", b.service.Len())
		}
		b.open("g")
		time.Sleep(time.Second)
		b.want(b.take("g", "m", 2), "0×2 1×1 of 0-1")
		alone = false
		if b.service.Forget("g", still); b.service.Len() != 2 {
			t.Error("forgotten though someone came back")
		}
		b.lead(b.parts[t0], 2)
		b.service.Sweep()
		if b.service.Len() != 0 {
			t.Error("share partitions are left of a leader that was")
		}
	})
}

// A share partition outlives its service's end: nobody waits for ever.
func TestTheEnd(t *testing.T) {
	inBubble(t, func(b *broker) {
		b.append(t0, "a", "b")
		b.want(b.take("g", "m", 1), "0×1 of 0-1")
		b.store.set(func(c *coordinator) { c.delay = time.Minute })
		v := b.service.Acknowledge("g", "m", t0, topicID, []Ack{{0, 0, []int8{Accept}}})
		synctest.Wait()
		b.end()
		b.want(b.verdict(v), "COORDINATOR_NOT_AVAILABLE")
		b.want(b.ack("g", "m", 0, 0, Accept), "UNKNOWN_TOPIC_OR_PARTITION")
	})
}

// The start is stored a second after it has moved, if no write has taken it along: by
// acknowledgements, over what is for nobody, or with the log.
func TestStartIsStored(t *testing.T) {
	inBubble(t, func(b *broker) {
		key := share.Key{Group: "g", TopicID: topicID}
		stored := func(what string, start int64, writes int) {
			t.Helper()
			b.store.set(func(c *coordinator) {
				if s := c.states[key]; s.start != start || c.writes != writes {
					t.Errorf("%s: %d is stored by %d writes", what, s.start, c.writes)
				}
			})
		}
		b.append(t0, "a", "b", "c")
		b.want(b.take("g", "m", 3), "0-2×1 of 0-2")
		stored("it begins", 0, 1)
		b.want(b.ack("g", "m", 0, 0, Accept), "ok")
		time.Sleep(900 * time.Millisecond)
		b.want(b.ack("g", "m", 1, 1, Accept), "ok")
		time.Sleep(900 * time.Millisecond)
		stored("by a write", 1, 3)
		time.Sleep(200 * time.Millisecond)
		stored("by itself", 2, 4)
		time.Sleep(time.Minute)
		b.want(b.take("g", "m", 3), "2×2 of 0-2")
		b.want(b.ack("g", "m", 2, 2, Accept), "ok")
		if _, _, err := b.parts[t0].AppendMarker(record.EndTxn(7, 0, record.EndTxnMarker{Commit: true}, time.Now().UnixMilli()), model.NoEpoch, 1); err != nil {
			t.Fatal(err)
		}
		b.want(b.take("g", "m", 3), "")
		time.Sleep(2 * time.Second)
		stored("what is for nobody", 4, 7)
		b.append(t0, "d", "e")
		if _, err := b.parts[t0].DeleteRecords(5); err != nil {
			t.Fatal(err)
		}
		b.want(b.take("g", "m", 3), "5×1 of 4-5")
		b.store.failing(errLine)
		time.Sleep(3 * time.Second)
		stored("not yet", 4, 7)
		b.store.failing(nil)
		time.Sleep(2 * time.Second)
		stored("the log start", 5, 8)
		b.want(b.ack("g", "m", 5, 5, Accept), "ok")
		b.service.Forget("g", func() bool { return true })
		synctest.Wait()
		stored("when it is forgotten", 6, 10)
	})
}
