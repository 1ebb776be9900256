package api

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

// A follower reads what is not committed, commits it by asking for what follows, and goes
// on in a session that tells only what is new.
func TestFollowerFetches(t *testing.T) {
	d, h := serving(t, map[string][][]int32{"a": {{1, 2}, {1, 2}}})
	f, consumer := d.follower(2), d.follower(-1)
	h.append("a", 0, "x", "y")
	want(t, "first", f.fetch(at{"a", 0, 0}, at{"a", 1, 0}), "a-0 hw=0 records=2, a-1 hw=0")
	want(t, "before it is committed", consumer.fetch(at{"a", 0, 0}), "a-0 hw=0")
	want(t, "what it has now", f.fetch(at{"a", 0, 2}), "a-0 hw=2")
	want(t, "nothing new", f.fetch(), "")
	want(t, "once it is committed", consumer.fetch(at{"a", 0, 0}), "a-0 hw=2 records=2")
	h.append("a", 1, "z")
	want(t, "another partition", f.fetch(), "a-1 hw=0 records=1")
	want(t, "which it has not taken", f.fetch(), "a-1 hw=0 records=1")
	want(t, "and now has", f.fetch(at{"a", 1, 1}), "a-1 hw=1")
}

// A fetch that waits is answered by an append, and by nothing else before its time.
func TestFollowerWaits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1, 2, 3}, {1, 2, 3}}})
		f := d.follower(2)
		f.fetch(at{"a", 0, 0}, at{"a", 1, 0})
		f.maxWait = 500
		ch := make(chan string, 1)
		begin := func() time.Time {
			go func() { ch <- f.fetch() }()
			synctest.Wait()
			return time.Now()
		}
		began := begin()
		want(t, "nothing happened", <-ch, "")
		if took := time.Since(began); took != 500*time.Millisecond {
			t.Errorf("waited %v", took)
		}
		began = begin()
		time.Sleep(100 * time.Millisecond)
		h.append("a", 1, "x")
		want(t, "append", <-ch, "a-1 hw=0 records=1")
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("waited %v", took)
		}
		// The watermark alone is no reason to answer, and is told in the end.
		f.fetch(at{"a", 1, 1})
		began = begin()
		other := &fetcher{desk: &desk{t: t, feed: d.feed, conn: d.dial()}, node: 3, version: 12}
		other.fetch(at{"a", 1, 1})
		want(t, "watermark", <-ch, "a-1 hw=1")
		if took := time.Since(began); took != 500*time.Millisecond {
			t.Errorf("waited %v", took)
		}
	})
}

// Partitions that rest are not looked at, but now and then, so that the leader knows of
// its followers that they have everything.
func TestRestingPartitions(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1, 2}, {1, 2}}})
		d.settings["replica.lag.time.max.ms"] = "8000"
		f := d.follower(2)
		f.fetch(at{"a", 0, 0}, at{"a", 1, 0})
		p := h.list[model.TopicPartition{Topic: "a"}]
		seen := func() time.Time { return p.Followers()[0].Fetched }
		first := seen()
		for range 10 {
			time.Sleep(100 * time.Millisecond)
			f.fetch()
		}
		if !seen().Equal(first) {
			t.Error("a partition that rests was looked at")
		}
		time.Sleep(time.Second)
		f.fetch()
		if !seen().Equal(time.Now()) {
			t.Errorf("a follower that has everything was seen %v ago", time.Since(seen()))
		}
	})
}

// Records go to the partition that they are of, though one before it has nothing to tell.
func TestRecordsOfWhatIsTold(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1}, {1}}})
		f := d.follower(-1)
		f.fetch(at{"a", 0, 0})
		h.append("a", 1, "x", "y")
		want(t, "of two, one rests", f.fetch(at{"a", 0, 0}, at{"a", 1, 0}), "a-1 hw=2 records=2")
	})
}

// A session watches for as long as its connection, and goes on over another.
func TestSessionOutlivesConnection(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1, 2}}})
		f := d.follower(2)
		f.fetch(at{"a", 0, 0})
		d.conn.Close()
		synctest.Wait()
		h.append("a", 0, "x")
		d.conn = d.dial()
		want(t, "over another connection", f.fetch(), "a-0 hw=0 records=1")
		f.maxWait = 500
		f.fetch(at{"a", 0, 1})
		ch := make(chan string, 1)
		go func() { ch <- f.fetch() }()
		synctest.Wait()
		h.append("a", 0, "y")
		want(t, "what happens then", <-ch, "a-0 hw=1 records=1")
	})
}

// When the leader moves the waiting fetch is told where to (KIP-951).
func TestLeaderMovesWhileFetching(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1, 2, 3}}})
		f := d.follower(-1)
		f.version, f.maxWait = 16, 10_000
		h.append("a", 0, "x")
		resp := make(chan *kmsg.FetchResponse, 1)
		req := f.request(at{"a", 0, 0})
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
		go func() { resp <- ask[*kmsg.FetchResponse](d, 16, req) }()
		synctest.Wait()
		h.change(d, 0, func(p *metadata.Partition) { p.Leader, p.LeaderEpoch, p.ISR = 2, 1, []int32{2, 3} })
		got := <-resp
		if len(got.Brokers) != 1 || got.Brokers[0].NodeID != 2 || got.Brokers[0].Host != "host2" {
			t.Errorf("the answer tells of %+v", got.Brokers)
		}
		if p := got.Topics[0].Partitions[0]; p.ErrorCode != kerr.FencedLeaderEpoch.Code || p.CurrentLeader.LeaderID != 2 || p.CurrentLeader.LeaderEpoch != 1 {
			t.Errorf("the answer says %+v", p)
		}
	})
}

// A consumer is sent to an in-sync follower of its rack that has the offset (KIP-392).
func TestNearestReplica(t *testing.T) {
	d, h := serving(t, map[string][][]int32{"a": {{1, 2, 3}}})
	for id := int32(1); id <= 3; id++ {
		b := broker(id, "PLAINTEXT")
		rack := "r" + string(rune('0'+id))
		b.Broker.Rack = &rack
		d.apply(b)
	}
	h.append("a", 0, "x")
	c := d.follower(-1)
	c.rack = "r2"
	ask := func(offset int64) string {
		c.session, c.epoch = 0, 0
		return c.fetch(at{"a", 0, offset})
	}
	for _, id := range []int32{2, 3} {
		f := d.follower(id)
		f.fetch(at{"a", 0, 1})
	}
	want(t, "no selector", ask(0), "a-0 hw=1 records=1")
	d.settings["replica.selector.class"] = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
	want(t, "the follower of the rack", ask(0), "a-0 hw=1 ask=2")
	want(t, "an offset that it has", ask(1), "a-0 hw=1 ask=2")
	h.append("a", 0, "y")
	want(t, "an offset that it has not", ask(2), "a-0 hw=1")
	c.rack = "r1"
	want(t, "the leader's rack", ask(0), "a-0 hw=1 records=1")
	c.rack = "elsewhere"
	want(t, "a rack without a replica", ask(0), "a-0 hw=1 records=1")
	c.rack, c.version = "", 10
	want(t, "no rack", ask(0), "a-0 hw=1 records=1")
}
