package api

import (
	"fmt"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// decided fetches what is decided of partition 0 of topic a, or everything.
func (f *fetcher) decided(offset int64, isolation int8) string {
	f.t.Helper()
	req := f.request(at{"a", 0, offset})
	req.IsolationLevel = isolation
	resp := ask[*kmsg.FetchResponse](f.desk, f.version, req)
	if f.session = resp.SessionID; f.session != 0 {
		f.epoch++
	}
	if len(resp.Topics) == 0 {
		return "nothing new"
	}
	p := resp.Topics[0].Partitions[0]
	s := fmt.Sprintf("hw=%d stable=%d records=%d", p.HighWatermark, p.LastStableOffset, countRecords(f.t, p.RecordBatches))
	if p.AbortedTransactions == nil {
		return s + " aborted=null"
	}
	s += " aborted="
	for _, a := range p.AbortedTransactions {
		s += fmt.Sprintf("(%d,%d)", a.ProducerID, a.FirstOffset)
	}
	return s
}

// Readers side by side, of everything and of what is decided, in every version.
func TestFetchIsolation(t *testing.T) {
	for version := int16(4); version <= 18; version++ {
		d, h := serving(t, map[string][][]int32{"a": {{1}}})
		f := d.follower(-1)
		f.version = version
		if version >= 15 {
			f.node = -1
		}
		f.epoch = -1 // no session
		h.append("a", 0, "x")
		h.writeTxn(0, 7, 0, 0, "y", "z")
		want(t, "everything", f.decided(0, 0), "hw=3 stable=1 records=3 aborted=null")
		want(t, "decided", f.decided(0, 1), "hw=3 stable=1 records=1 aborted=")
		want(t, "what is not decided", f.decided(1, 1), "hw=3 stable=1 records=0 aborted=")
		d.write(2, marker(7, 1, false, "a", 0))
		h.append("a", 0, "v")
		want(t, "aborted", f.decided(0, 1), "hw=5 stable=5 records=5 aborted=(7,1)")
		want(t, "aborted, by whom it does not matter", f.decided(0, 0), "hw=5 stable=5 records=5 aborted=null")
		want(t, "from its middle on", f.decided(2, 1), "hw=5 stable=5 records=4 aborted=(7,1)")
		want(t, "behind it", f.decided(4, 1), "hw=5 stable=5 records=1 aborted=")
	}
}

// A session of a reader of what is decided is told when that moves, and only then.
func TestSessionOfDecided(t *testing.T) {
	d, h := serving(t, map[string][][]int32{"a": {{1}}})
	f := d.follower(-1)
	h.writeTxn(0, 7, 0, 0, "x")
	want(t, "first", f.decided(0, 1), "hw=1 stable=0 records=0 aborted=")
	want(t, "nothing happened", f.decided(0, 1), "nothing new")
	h.append("a", 0, "y")
	want(t, "a record behind the open transaction", f.decided(0, 1), "hw=2 stable=0 records=0 aborted=")
	d.write(2, marker(7, 1, true, "a", 0))
	want(t, "it has ended", f.decided(0, 1), "hw=3 stable=3 records=3 aborted=")
	want(t, "read", f.decided(3, 1), "nothing new")
}

// Latest is the last stable offset for those who read what is decided; followers are told
// of all.
func TestListOffsetsIsolation(t *testing.T) {
	d, h := serving(t, map[string][][]int32{"a": {{1, 2}}})
	h.append("a", 0, "x")
	h.writeTxn(0, 7, 0, 0, "y")
	p := h.list[model.TopicPartition{Topic: "a"}]
	list := func(version int16, replica int32, isolation int8, spec int64) string {
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID, req.IsolationLevel = replica, isolation
		rt := kmsg.NewListOffsetsRequestTopic()
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Timestamp = spec
		rt.Topic, rt.Partitions = "a", append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		got := ask[*kmsg.ListOffsetsResponse](d, version, req).Topics[0].Partitions[0]
		return fmt.Sprint(got.Offset, " ", got.ErrorCode)
	}
	want(t, "nothing is committed", list(7, -1, 1, -1), "0 0")
	commit := func(to int64) {
		t.Helper()
		if _, err := p.ReadAsFollower(partition.FollowerFetch{Node: 2, BrokerEpoch: 20, ReadArgs: partition.ReadArgs{From: to, CurrentEpoch: -1, LastFetchedEpoch: -1}}); err != nil {
			t.Fatal(err)
		}
	}
	commit(2)
	want(t, "decided", list(7, -1, 1, -1), "1 0")
	want(t, "everything", list(7, -1, 0, -1), "2 0")
	want(t, "before there was isolation", list(1, -1, 1, -1), "2 0")
	want(t, "a follower", list(7, 2, 0, -1), "2 0")
	want(t, "by time, decided", list(7, -1, 1, 500), "0 0")
	h.append("a", 0, "z")
	commit(3)
	want(t, "greatest timestamp", list(7, -1, 1, -3), "0 0")
}
