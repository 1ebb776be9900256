package api

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var sharedTopic = map[string][][]int32{"a": {{1}}}

// Two members of a group read a topic, acknowledge by request and beside fetches, and each
// record goes to one of them.
func TestShareFetch(t *testing.T) {
	withSharing(t, sharedTopic, func(s *sharing) {
		m, n := s.member("m"), s.member("n")
		want(t, "opens", m.fetch([]string{"a"}), "")
		synctest.Wait()
		s.hosts.append("a", 0, "x", "y", "z")
		s.hosts.append("a", 0, "1", "2")
		m.req = func(r *kmsg.ShareFetchRequest) { r.MaxRecords = 4 }
		want(t, "fetches", m.fetch(nil), "a-0 0-3×1 of 5")
		want(t, "the other opens", n.fetch([]string{"a"}), "a-0 4-4×1 of 2")
		want(t, "acknowledges what it has not", n.acks("a 3 accept"), "a INVALID_RECORD_STATE")
		want(t, "acknowledges", m.acks("a 0-1 accept"), "a ok")
		m.req = func(r *kmsg.ShareFetchRequest) { r.MaxWaitMillis = 500 }
		want(t, "acknowledges beside", m.fetch(nil, "a 2 release", "a 3 accept"), "a-0 2-2×2 of 3")
		want(t, "gives back", m.fetch(nil, "a 2 release"), "a-0 2-2×3 of 3")
		want(t, "a wrong epoch", (&sharer{sharing: s, desk: m.desk, id: "m", version: 2, epoch: 9}).fetch(nil), "INVALID_SHARE_SESSION_EPOCH")
		m.epoch = -1
		want(t, "closes", m.fetch(nil, "a 2 release"), "a-0")
		synctest.Wait()
		want(t, "what was given back", n.fetch(nil), "a-0 2-2×4 of 3")
		m.epoch = 5
		want(t, "is closed", m.fetch(nil), "SHARE_SESSION_NOT_FOUND")
	})
}

// A fetch waits until something comes, or is given back, or its time is up.
func TestShareFetchWaits(t *testing.T) {
	withSharing(t, map[string][][]int32{"a": {{1}}, "b": {{1}}}, func(s *sharing) {
		m, n := s.member("m"), s.member("n")
		m.fetch([]string{"a", "b"})
		n.fetch([]string{"b"})
		m.req = func(r *kmsg.ShareFetchRequest) { r.MaxWaitMillis = 500 }
		got := make(chan string, 1)
		begin := func(acks ...string) time.Time {
			go func() { got <- m.fetch(nil, acks...) }()
			synctest.Wait()
			return time.Now()
		}
		took := func(what string, began time.Time, answer string, d time.Duration) {
			t.Helper()
			want(t, what, <-got, answer)
			if time.Since(began) != d {
				t.Errorf("%s: took %v", what, time.Since(began))
			}
		}
		took("nothing comes", begin(), "", 500*time.Millisecond)
		began := begin()
		time.Sleep(100 * time.Millisecond)
		s.hosts.append("b", 0, "x")
		took("something comes", began, "b-0 0-0×1 of 1", 100*time.Millisecond)
		began = begin()
		time.Sleep(100 * time.Millisecond)
		go n.fetch(nil)
		synctest.Wait()
		s.hosts.append("b", 0, "y")
		took("another may get it", began, "b-0 1-1×1 of 1", 100*time.Millisecond)
		began = begin("b 0-1 release")
		took("what is given back is there when that is stored", began, "b-0 0-0×2 1-1×2 of 2", 0)
	})
}

// MinBytes are waited for, in all partitions together.
func TestShareFetchMinBytes(t *testing.T) {
	withSharing(t, map[string][][]int32{"a": {{1}}, "b": {{1}}}, func(s *sharing) {
		m := s.member("m")
		m.fetch([]string{"a", "b"})
		m.req = func(r *kmsg.ShareFetchRequest) { r.MaxWaitMillis, r.MinBytes = 500, 2000 }
		got := make(chan string, 1)
		go func() { got <- m.fetch(nil) }()
		synctest.Wait()
		s.hosts.append("a", 0, strings.Repeat("x", 1000))
		synctest.Wait()
		select {
		case answer := <-got:
			t.Errorf("answered too early: %s", answer)
		default:
		}
		s.hosts.append("b", 0, strings.Repeat("x", 1000))
		answer := <-got
		if !strings.Contains(answer, "a-0 0-0×1 of 1") || !strings.Contains(answer, "b-0 0-0×1 of 1") {
			t.Errorf("answered %s", answer)
		}
		s.hosts.append("a", 0, "little")
		began := time.Now()
		want(t, "time is up", m.fetch(nil), "a-0 1-1×1 of 1")
		if time.Since(began) != 500*time.Millisecond {
			t.Errorf("took %v", time.Since(began))
		}
	})
}

// An answer leaves when what was acknowledged is stored; if that fails it says so.
func TestShareAcknowledgeIsStored(t *testing.T) {
	withSharing(t, sharedTopic, func(s *sharing) {
		m := s.member("m")
		m.fetch([]string{"a"})
		synctest.Wait()
		s.hosts.append("a", 0, "x", "y", "z")
		want(t, "fetches", m.fetch(nil), "a-0 0-2×1 of 3")
		s.keeper.set(time.Second, nil)
		began := time.Now()
		want(t, "acknowledges", m.acks("a 0 accept"), "a ok")
		want(t, "acknowledges beside", m.fetch(nil, "a 1 accept"), "a-0")
		if time.Since(began) != 2*time.Second {
			t.Errorf("answered after %v", time.Since(began))
		}
		s.keeper.set(time.Second, kerr.CoordinatorLoadInProgress)
		want(t, "it is not stored", m.acks("a 2 accept"), "a COORDINATOR_NOT_AVAILABLE")
		want(t, "nor beside", m.fetch(nil, "a 2 accept"), "a-0 acks: COORDINATOR_NOT_AVAILABLE")
		s.keeper.set(time.Second, nil)
		want(t, "it is", m.fetch(nil, "a 2 accept"), "a-0")
	})
}

// Requests that make no sense are refused, and those of groups that are not served.
func TestShareRequestsRefused(t *testing.T) {
	withSharing(t, sharedTopic, func(s *sharing) {
		m := s.member("m")
		want(t, "acknowledges without a session", m.acks("a 0 accept"), "INVALID_SHARE_SESSION_EPOCH")
		m.epoch = 1
		want(t, "has none", m.acks("a 0 accept"), "SHARE_SESSION_NOT_FOUND")
		m.epoch = -1
		want(t, "nor one to close", m.acks("a 0 accept"), "SHARE_SESSION_NOT_FOUND")
		m.epoch = 0
		want(t, "opens with acknowledgements", m.fetch([]string{"a"}, "a 0 accept"), "INVALID_REQUEST")
		m.fetch([]string{"a"})
		synctest.Wait()
		s.hosts.append("a", 0, "x", "y", "z")
		want(t, "fetches", m.fetch(nil), "a-0 0-2×1 of 3")
		want(t, "an unknown type", m.acks("a 0 odd"), "a INVALID_REQUEST")
		want(t, "too few types", m.acks("a 0-2 accept,accept"), "a INVALID_REQUEST")
		want(t, "backwards", m.acks("a 2-0 accept"), "a INVALID_REQUEST")
		want(t, "an unknown topic", m.acks("b 0 accept"), "? UNKNOWN_TOPIC_ID")
		want(t, "one of them", m.fetch([]string{"b"}, "b 0 accept"), "?-0 UNKNOWN_TOPIC_ID acks: UNKNOWN_TOPIC_ID")
		m.version = 1
		want(t, "renews in an old version", m.acks("a 0 renew"), "a INVALID_REQUEST")
		m.version = 2
		want(t, "renews", m.acks("a 0-2 renew"), "a ok")
		m.req = func(r *kmsg.ShareFetchRequest) { r.IsRenewAck = true }
		want(t, "renews and wants records", m.fetch(nil, "a 0 renew"), "INVALID_REQUEST")
		m.req = func(r *kmsg.ShareFetchRequest) { r.IsRenewAck, r.MaxBytes, r.MinBytes, r.MaxRecords = true, 0, 0, 0 }
		want(t, "renews beside", m.fetch(nil, "a 0-1 renew", "a 2 release"), "a-0")
		m.req = nil
		long := s.member(strings.Repeat("x", 37))
		want(t, "a long member id", long.fetch([]string{"a"}), "INVALID_REQUEST")
		s.apply(metadata.SetFeature{Name: "share.version", Level: 0})
		want(t, "no share groups", m.fetch(nil), "UNSUPPORTED_VERSION")
		want(t, "nor acknowledgements", m.acks("a 0 accept"), "UNSUPPORTED_VERSION")
	})
}

// There are so many sessions; who gets none is kept waiting, so that it does not ask again
// and again.
func TestShareSessionLimit(t *testing.T) {
	withSharing(t, sharedTopic, func(s *sharing) {
		s.settings["group.share.max.share.sessions"], s.settings["group.share.max.size"] = "1", "1"
		m, n := s.member("m"), s.member("n")
		want(t, "opens", m.fetch([]string{"a"}), "")
		began := time.Now()
		n.req = func(r *kmsg.ShareFetchRequest) { r.MaxWaitMillis = 500 }
		want(t, "no more", n.fetch([]string{"a"}), "SHARE_SESSION_LIMIT_REACHED")
		if time.Since(began) != 500*time.Millisecond {
			t.Errorf("after %v", time.Since(began))
		}
		m.conn.Close()
		synctest.Wait()
		want(t, "one has gone", n.fetch([]string{"a"}), "")
	})
}

// With its connection a session ends: others get what the member had, and once all have
// gone nothing of the group is kept.
func TestShareSessionEndsWithConnection(t *testing.T) {
	withSharing(t, sharedTopic, func(s *sharing) {
		m, n := s.member("m"), s.member("n")
		m.fetch([]string{"a"})
		synctest.Wait()
		s.hosts.append("a", 0, "x", "y")
		want(t, "fetches", m.fetch(nil), "a-0 0-1×1 of 2")
		want(t, "nothing is left", n.fetch([]string{"a"}), "")
		m.conn.Close()
		synctest.Wait()
		want(t, "the other", n.fetch(nil), "a-0 0-1×2 of 2")
		n.epoch = -1
		want(t, "closes", n.acks("a 0-1 accept"), "a ok")
		synctest.Wait()
		if s.shares.Len() != 0 {
			t.Errorf("%d share partitions are kept", s.shares.Len())
		}
	})
}

// When the leader moves whoever waits is told where to, and so is who acknowledges.
func TestShareLeaderMoves(t *testing.T) {
	withSharing(t, map[string][][]int32{"a": {{1, 2}}}, func(s *sharing) {
		s.hosts.append("a", 0, "x")
		m := s.member("m")
		m.fetch([]string{"a"})
		m.req = func(r *kmsg.ShareFetchRequest) { r.MaxWaitMillis = 10_000 }
		got := make(chan string, 1)
		go func() { got <- m.fetch(nil) }()
		synctest.Wait()
		s.hosts.change(s.desk, 0, func(p *metadata.Partition) { p.Leader, p.LeaderEpoch = 2, 1 })
		want(t, "is told", <-got, "a-0 NOT_LEADER_FOR_PARTITION leader=2/1, 2=host2:9092")
		want(t, "acknowledges", m.acks("a 0 accept"), "a NOT_LEADER_FOR_PARTITION leader=2/1, 2=host2:9092")
		want(t, "asks again", m.fetch(nil), "a-0 NOT_LEADER_FOR_PARTITION leader=2/1, 2=host2:9092")
	})
}

// While the coordinator is away a member waits, and is told of nothing: consumers know
// nothing of it.
func TestShareCoordinatorAway(t *testing.T) {
	withSharing(t, sharedTopic, func(s *sharing) {
		s.hosts.append("a", 0, "x")
		s.keeper.set(0, kerr.CoordinatorLoadInProgress)
		m := s.member("m")
		m.req = func(r *kmsg.ShareFetchRequest) { r.MaxWaitMillis = 500 }
		want(t, "waits in vain", m.fetch([]string{"a"}), "")
		go func() {
			time.Sleep(200 * time.Millisecond)
			s.keeper.set(0, nil)
		}()
		m.req = func(r *kmsg.ShareFetchRequest) { r.MaxWaitMillis = 5000 }
		want(t, "waits", m.fetch(nil), "a-0 0-0×1 of 1")
	})
}

// A partition that is named twice has one answer: what was refused is not hidden by what
// was not.
func TestShareFetchAcknowledgesTwice(t *testing.T) {
	withSharing(t, sharedTopic, func(s *sharing) {
		s.hosts.append("a", 0, "x", "y")
		m := s.member("m")
		m.fetch([]string{"a"})
		synctest.Wait()
		want(t, "fetches", m.fetch(nil), "a-0 0-1×1 of 2")
		m.req = func(r *kmsg.ShareFetchRequest) {
			_, good := parseAck("a 0 accept")
			again := r.Topics[0].Partitions[0]
			again.AcknowledgementBatches = []kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch{kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch(good)}
			r.Topics[0].Partitions = append(r.Topics[0].Partitions, again)
		}
		want(t, "the second is good", m.fetch(nil, "a 7 accept"), "a-0 acks: INVALID_REQUEST")
	})
}
