package behaviour

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchRequest asks for partition 0 of topic, outside of any session, and for an answer
// at once.
func fetchRequest(topic string, from int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes, req.SessionEpoch = 1, 50<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = from, 1<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func (c *conn) fetch(topic string, from int64) kmsg.FetchResponseTopicPartition {
	c.t.Helper()
	return ask[*kmsg.FetchResponse](c, 12, fetchRequest(topic, from)).Topics[0].Partitions[0]
}

// batches are the batches of an answer.
func batches(c *conn, b []byte) []kmsg.RecordBatch {
	c.t.Helper()
	var out []kmsg.RecordBatch
	for len(b) > 0 {
		rb := kmsg.NewRecordBatch()
		if err := rb.ReadFrom(b); err != nil {
			c.t.Fatalf("batch: %v", err)
		}
		out = append(out, rb)
		b = b[12+rb.Length:]
	}
	return out
}

// fetchMore makes an incremental request of a session.
func fetchMore(id, epoch int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes = 1, 50<<20
	req.SessionID, req.SessionEpoch = id, epoch
	return req
}

// partitions adds those of a topic to a request, each from an offset on.
func partitions(req *kmsg.FetchRequest, topic string, id [16]byte, from ...int64) *kmsg.FetchRequest {
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic, id
	for i, offset := range from {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = int32(i), offset, 1<<20
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func (c *conn) ask12(req *kmsg.FetchRequest) *kmsg.FetchResponse {
	c.t.Helper()
	return ask[*kmsg.FetchResponse](c, 12, req)
}

// numbers are the partitions of an answer about one topic.
func numbers(resp *kmsg.FetchResponse) (list []int32) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			list = append(list, p.Partition)
		}
	}
	return list
}

func TestBehaviour027WrongReplicaLearnsTheLeader(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		id := c.create("t", 1)
		// A follower that the partition does not have is told who leads.
		req := partitions(fetchMore(0, -1), "", id, 0)
		req.ReplicaState.ID, req.ReplicaState.Epoch = 7, 1
		resp := ask[*kmsg.FetchResponse](c, 17, req)
		p := resp.Topics[0].Partitions[0]
		expect(t, "fetch", p.ErrorCode, kerr.NotLeaderForPartition)
		same(t, "leader", p.CurrentLeader.LeaderID, 1)
		same(t, "its epoch", p.CurrentLeader.LeaderEpoch, 0)
		if len(resp.Brokers) != 1 || resp.Brokers[0].NodeID != 1 || resp.Brokers[0].Host != "node" || resp.Brokers[0].Port != 9092 {
			t.Errorf("endpoints are %+v", resp.Brokers)
		}
	})
}

func TestBehaviour046FetchSessions(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 2)
		same(t, "session of none", c.ask12(fetchRequest("t", 0)).SessionID, 0)
		full := c.ask12(partitions(fetchMore(0, 0), "t", [16]byte{}, 0, 0))
		id := full.SessionID
		if id == 0 {
			t.Fatal("no session was made")
		}
		same(t, "partitions of a full answer", len(numbers(full)), 2)
		expect(t, "next epoch", c.ask12(fetchMore(id, 1)).ErrorCode, nil)
		expect(t, "same epoch again", c.ask12(fetchMore(id, 1)).ErrorCode, kerr.InvalidFetchSessionEpoch)
		expect(t, "epoch ahead", c.ask12(fetchMore(id, 3)).ErrorCode, kerr.InvalidFetchSessionEpoch)
		good := c.ask12(fetchMore(id, 2))
		expect(t, "errors change nothing", good.ErrorCode, nil)
		same(t, "id in the answer", good.SessionID, id)
		unknown := c.ask12(fetchMore(id+1, 1))
		expect(t, "unknown session", unknown.ErrorCode, kerr.FetchSessionIDNotFound)
		same(t, "session of an error", unknown.SessionID, 0)
		// Epoch -1 with the id ends it.
		same(t, "partitions of a last fetch", len(numbers(c.ask12(partitions(fetchMore(id, -1), "t", [16]byte{}, 0)))), 1)
		expect(t, "ended session", c.ask12(fetchMore(id, 3)).ErrorCode, kerr.FetchSessionIDNotFound)
		// A new session in place of an old one ends that too.
		old := c.ask12(partitions(fetchMore(0, 0), "t", [16]byte{}, 0)).SessionID
		c.ask12(partitions(fetchMore(old, 0), "t", [16]byte{}, 0))
		expect(t, "replaced session", c.ask12(fetchMore(old, 1)).ErrorCode, kerr.FetchSessionIDNotFound)
	})
}

func TestBehaviour047SessionKeepsToNamesOrIDs(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		id := c.create("t", 1)
		named := c.ask12(partitions(fetchMore(0, 0), "t", [16]byte{}, 0)).SessionID
		expect(t, "ids in a session of names", ask[*kmsg.FetchResponse](c, 13, fetchMore(named, 1)).ErrorCode, kerr.FetchSessionTopicIDError)
		expect(t, "the session goes on", c.ask12(fetchMore(named, 1)).ErrorCode, nil)
		byID := ask[*kmsg.FetchResponse](c, 13, partitions(fetchMore(0, 0), "", id, 0)).SessionID
		expect(t, "names in a session of ids", c.ask12(fetchMore(byID, 1)).ErrorCode, kerr.FetchSessionTopicIDError)
	})
}

func TestBehaviour048IncrementalAnswersTellNews(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 3)
		id := c.ask12(partitions(fetchMore(0, 0), "t", [16]byte{}, 0, 0, 0)).SessionID
		epoch := int32(0)
		tell := func(req *kmsg.FetchRequest) []int32 { epoch++; req.SessionEpoch = epoch; return numbers(c.ask12(req)) }
		same(t, "nothing new", len(tell(fetchMore(id, 0))), 0)
		c.must("t", newBatch("x"))
		if got := tell(fetchMore(id, 0)); len(got) != 1 || got[0] != 0 {
			t.Errorf("after records in 0: %v", got)
		}
		same(t, "records are told again until the offset moves", len(tell(fetchMore(id, 0))), 1)
		same(t, "caught up", len(tell(partitions(fetchMore(id, 0), "t", [16]byte{}, 1))), 0)
		c.deleteRecords("t", 1)
		same(t, "log start moved", len(tell(fetchMore(id, 0))), 1)
		same(t, "and is told once", len(tell(fetchMore(id, 0))), 0)
		// An error is told each time, and its end is told too.
		same(t, "out of range", len(tell(partitions(fetchMore(id, 0), "t", [16]byte{}, 99))), 1)
		same(t, "still out of range", len(tell(fetchMore(id, 0))), 1)
		same(t, "in range again", len(tell(partitions(fetchMore(id, 0), "t", [16]byte{}, 1))), 1)
		// What is forgotten is not read.
		forget := fetchMore(id, 0)
		f := kmsg.NewFetchRequestForgottenTopic()
		f.Topic, f.Partitions = "t", []int32{0}
		forget.ForgottenTopics = append(forget.ForgottenTopics, f)
		same(t, "forgotten", len(tell(forget)), 0)
		c.must("t", newBatch("y"))
		same(t, "records of the forgotten", len(tell(fetchMore(id, 0))), 0)
	})
}

func TestBehaviour048SessionsHaveSlots(t *testing.T) {
	onNode(t, props{"max.incremental.fetch.session.cache.slots": "2"}, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		open := func() int32 { return c.ask12(partitions(fetchMore(0, 0), "t", [16]byte{}, 0)).SessionID }
		first, second := open(), open()
		if first == 0 || second == 0 || first == second {
			t.Fatalf("sessions %d and %d", first, second)
		}
		same(t, "session without a slot", open(), 0)
		time.Sleep(2*time.Minute + time.Second)
		expect(t, "second is used", c.ask12(fetchMore(second, 1)).ErrorCode, nil)
		if open() == 0 {
			t.Error("no slot beside a stale session")
		}
		expect(t, "stale session", c.ask12(fetchMore(first, 1)).ErrorCode, kerr.FetchSessionIDNotFound)
		expect(t, "fresh session", c.ask12(fetchMore(second, 2)).ErrorCode, nil)
	})
}

func TestBehaviour049FirstBatchComesWhole(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 2)
		big := newBatch(string(make([]byte, 10_000))).bytes()
		for range 2 {
			ask[*kmsg.ProduceResponse](c, 9, produceRequest(-1, "t", [16]byte{}, big, big))
		}
		req := partitions(fetchMore(0, -1), "t", [16]byte{}, 0, 0)
		req.MaxBytes = 100
		for i := range req.Topics[0].Partitions {
			req.Topics[0].Partitions[i].PartitionMaxBytes = 100
		}
		got := c.ask12(req).Topics[0].Partitions
		same(t, "bytes of the first", len(got[0].RecordBatches), len(big))
		same(t, "bytes of the second", len(got[1].RecordBatches), 0)
		// In a session the partition that gave records goes to the end, so that the
		// other is first next time.
		req.SessionEpoch = 0
		first := c.ask12(req)
		next := fetchMore(first.SessionID, 1)
		next.MaxBytes = 100
		second := c.ask12(next)
		if got := numbers(second); len(got) != 1 || got[0] != 1 {
			t.Errorf("second answer has %v, want partition 1", got)
		}
	})
}

func TestBehaviour050BrokerCapsTheAnswer(t *testing.T) {
	onNode(t, props{"fetch.max.bytes": "20000"}, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		for range 5 {
			c.must("t", newBatch(string(make([]byte, 9_000))))
		}
		same(t, "batches", len(batches(c, c.fetch("t", 0).RecordBatches)), 2)
	})
}

// took is how long an answer took, in the bubble's time.
func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func TestBehaviour051WhenToAnswerAtOnce(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		c.must("t", newBatch("x"))
		wait := func(change func(*kmsg.FetchRequest)) time.Duration {
			req := fetchRequest("t", 1)
			req.MaxWaitMillis = 5000
			change(req)
			return took(func() { c.ask12(req) })
		}
		for name, change := range map[string]func(*kmsg.FetchRequest){
			"no wait":       func(r *kmsg.FetchRequest) { r.MaxWaitMillis = 0 },
			"no partitions": func(r *kmsg.FetchRequest) { r.Topics = nil },
			"no bytes":      func(r *kmsg.FetchRequest) { r.MinBytes = 0 },
			"enough bytes":  func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].FetchOffset = 0 },
			"out of range":  func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].FetchOffset = 99 },
			"unknown topic": func(r *kmsg.FetchRequest) { r.Topics[0].Topic = "nowhere" },
			"other epoch":   func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].CurrentLeaderEpoch = 9 },
			"diverging": func(r *kmsg.FetchRequest) {
				r.Topics[0].Partitions[0].FetchOffset, r.Topics[0].Partitions[0].LastFetchedEpoch = 9, 0
			},
		} {
			same(t, name, wait(change), 0)
		}
		same(t, "nothing to tell", wait(func(*kmsg.FetchRequest) {}), 5*time.Second)
		same(t, "too few bytes", wait(func(r *kmsg.FetchRequest) {
			r.Topics[0].Partitions[0].FetchOffset, r.MinBytes = 0, 1<<20
		}), 5*time.Second)
	})
}

func TestBehaviour052WaitingFetchIsWoken(t *testing.T) {
	onNode(t, nil, func(n *node) {
		waiting, other := n.dial(), n.dial()
		other.create("t", 1)
		wait := func(wake func()) (p kmsg.FetchResponseTopicPartition) {
			req := fetchRequest("t", 0)
			req.MaxWaitMillis = 60_000
			id := waiting.send(12, req)
			passed := took(func() {
				time.Sleep(time.Second)
				wake()
				p = waiting.receive(id, req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
			})
			if passed > 2*time.Second {
				t.Errorf("answered after %v", passed)
			}
			return p
		}
		p := wait(func() { other.must("t", newBatch("x")) })
		same(t, "batches", len(batches(waiting, p.RecordBatches)), 1)
		other.deleteRecords("t", 1)
		other.create("gone", 1)
		req := fetchRequest("gone", 0)
		req.MaxWaitMillis = 60_000
		id := waiting.send(12, req)
		passed := took(func() {
			time.Sleep(time.Second)
			del := kmsg.NewPtrDeleteTopicsRequest()
			del.TopicNames, del.TimeoutMillis = []string{"gone"}, 5000
			ask[*kmsg.DeleteTopicsResponse](other, 5, del)
			p = waiting.receive(id, req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		})
		expect(t, "deleted topic", p.ErrorCode, kerr.UnknownTopicOrPartition)
		if passed > 2*time.Second {
			t.Errorf("deleted topic: answered after %v", passed)
		}
	})
}

func TestBehaviour053WholeBatchesComeBack(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		c.must("t", newBatch("0", "1", "2"), newBatch("3", "4", "5"))
		got := batches(c, c.fetch("t", 4).RecordBatches)
		if len(got) != 1 || got[0].FirstOffset != 3 || got[0].NumRecords != 3 {
			t.Errorf("fetch from 4: %+v", got)
		}
	})
}

func TestBehaviour055LastStableOffset(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		c.must("t", newBatch("0", "1"))
		req := fetchRequest("t", 0)
		req.IsolationLevel = 1
		p := c.ask12(req).Topics[0].Partitions[0]
		same(t, "last stable offset without transactions", p.LastStableOffset, p.HighWatermark)
		same(t, "batches", len(batches(c, p.RecordBatches)), 1)
	})
}

func TestBehaviour056LeaderEpochs(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		fetch := func(epoch int32) kmsg.FetchResponseTopicPartition {
			req := fetchRequest("t", 0)
			req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
			return c.ask12(req).Topics[0].Partitions[0]
		}
		expect(t, "no epoch", fetch(-1).ErrorCode, nil)
		expect(t, "this epoch", fetch(0).ErrorCode, nil)
		expect(t, "epoch ahead", fetch(1).ErrorCode, kerr.UnknownLeaderEpoch)
		list := func(epoch int32) kmsg.ListOffsetsResponseTopicPartition { return c.listOffset(7, "t", -1, epoch) }
		expect(t, "ListOffsets, epoch ahead", list(1).ErrorCode, kerr.UnknownLeaderEpoch)
		expect(t, "ListOffsets, this epoch", list(0).ErrorCode, nil)
	})
}

func TestBehaviour057DivergingEpoch(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		c.must("t", newBatch("0", "1", "2"))
		fetch := func(lastFetched int32, from int64) kmsg.FetchResponseTopicPartition {
			req := fetchRequest("t", from)
			req.Topics[0].Partitions[0].LastFetchedEpoch = lastFetched
			return c.ask12(req).Topics[0].Partitions[0]
		}
		p := fetch(0, 1)
		same(t, "same history", p.DivergingEpoch.EndOffset, -1)
		same(t, "batches", len(batches(c, p.RecordBatches)), 1)
		expect(t, "epoch that nobody knows", fetch(5, 2).ErrorCode, kerr.OffsetOutOfRange)
		p = fetch(0, 9) // beyond what the leader has of the epoch
		expect(t, "other history", p.ErrorCode, nil)
		same(t, "epoch to truncate to", p.DivergingEpoch.Epoch, 0)
		same(t, "end of that epoch", p.DivergingEpoch.EndOffset, 3)
		same(t, "records", len(p.RecordBatches), 0)
		c.deleteRecords("t", 2)
		expect(t, "before the log start", fetch(0, 1).ErrorCode, kerr.OffsetOutOfRange)
	})
}

func TestBehaviour058OffsetOutOfRange(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		c.must("t", newBatch("0"), newBatch("1"), newBatch("2"))
		c.deleteRecords("t", 1)
		for offset, want := range map[int64]error{-1: kerr.OffsetOutOfRange, 0: kerr.OffsetOutOfRange, 1: nil, 3: nil, 4: kerr.OffsetOutOfRange} {
			p := c.fetch("t", offset)
			expect(t, "offset "+itoa(int(offset)), p.ErrorCode, want)
			if want != nil {
				same(t, "high watermark beside the error", p.HighWatermark, -1)
			} else {
				same(t, "log start", p.LogStartOffset, 1)
			}
		}
	})
}

// An offset that is written and not yet committed is nothing to read, and no error: the
// client would look for another offset and read everything again.
func TestBehaviour058WrittenIsInRange(t *testing.T) {
	onNode(t, nil, func(n *node) {
		c := n.dial()
		c.create("t", 1)
		for i := range int64(20) {
			c.send(9, produceRequest(0, "t", [16]byte{}, newBatch("x").bytes()))
			p := c.fetch("t", i+1) // at once, most times before the records are durable
			expect(t, "offset at the end", p.ErrorCode, nil)
			same(t, "records", len(p.RecordBatches), 0)
		}
	})
}
