package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/pool"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// FetchRequest is a Fetch by a follower, version 13 (topic ids) to 18.
type FetchRequest struct {
	Replica       int32
	ReplicaEpoch  int64 // of the follower's registration (KIP-903)
	MaxWaitMillis int32
	MinBytes      int32
	MaxBytes      int32
	SessionID     int32
	SessionEpoch  int32
	// Partitions are those that are new in the session or whose numbers have changed,
	// Forgotten those that leave it (KIP-227). Ones of a topic that stand side by side
	// are sent as one topic.
	Partitions []FetchPartition
	Forgotten  []model.IDPartition
}

// FetchPartition is what is asked of one partition.
type FetchPartition struct {
	ID               model.IDPartition
	CurrentEpoch     int32
	Offset           int64
	LastFetchedEpoch int32
	LogStart         int64
	MaxBytes         int32
}

// Versions of Fetch that a follower speaks. From fetchState on the replica's id is a
// tagged field.
const (
	oldestFetch int16 = 13
	fetchState  int16 = 15
	newestFetch int16 = 18
)

// FetchResponse is the answer. It may be used again and again. Records alias a buffer
// that is valid until Release.
type FetchResponse struct {
	ThrottleMillis int32
	ErrorCode      int16
	SessionID      int32
	Partitions     []FetchedPartition

	buf *pool.Buf
}

// FetchedPartition is the answer of one partition. What the leader has not told is -1.
type FetchedPartition struct {
	ID             model.IDPartition
	ErrorCode      int16
	HW             int64
	LogStart       int64
	DivergingEpoch int32 // largest epoch below which both histories may be the same …
	DivergingEnd   int64 // … and its end on the leader
	Leader         int32 // who leads now (KIP-951)
	LeaderEpoch    int32
	Records        []byte
}

// Release gives the buffer back, if there is one.
func (r *FetchResponse) Release() {
	if r.buf != nil {
		r.buf.Release()
		r.buf = nil
	}
	clear(r.Partitions)
	r.Partitions = r.Partitions[:0]
}

// Size is the bytes that the answer holds until Release.
func (r *FetchResponse) Size() int {
	if r.buf == nil {
		return 0
	}
	return len(r.buf.B)
}

// FetchRaw sends a Fetch and decodes the answer in place, into resp, whose Release must
// follow if there is no error. Errors are those of Do.
func (c *Client) FetchRaw(ctx context.Context, req *FetchRequest, resp *FetchResponse) error {
	version, ok := c.Version(keyFetch, oldestFetch, newestFetch)
	if !ok {
		return fmt.Errorf("Fetch by topic id of %s: %w", c.cfg.Address, kerr.UnsupportedVersion)
	}
	wait := time.Duration(req.MaxWaitMillis) * time.Millisecond
	a, err := c.exchange(ctx, keyFetch, version, true, wait, func(b []byte) []byte { return req.appendTo(b, version) })
	if err != nil {
		return err
	}
	resp.Release()
	if err := resp.decode(version, a.body); err != nil {
		a.buf.Release()
		resp.Release()
		err = fmt.Errorf("answer to Fetch v%d: %w", version, err)
		c.fail(err)
		return err
	}
	resp.buf = a.buf
	return nil
}

// appendTo writes the body.
//
//	replica int32 (to 14) | max wait int32 | min bytes int32 | max bytes int32 | isolation int8
//	  | session id int32 | session epoch int32 | topics | forgotten | rack | tags: 1 replica state (15)
//	topic: id | partitions | tags
//	partition: index int32 | current epoch int32 | offset int64 | last epoch int32
//	  | log start int64 | max bytes int32 | tags
//	forgotten: id | indexes int32 | tags
func (r *FetchRequest) appendTo(b []byte, version int16) []byte {
	e := encoder{b: b, flexible: true}
	if version < fetchState {
		e.int32(r.Replica)
	}
	e.int32(r.MaxWaitMillis)
	e.int32(r.MinBytes)
	e.int32(r.MaxBytes)
	e.b = append(e.b, 0) // read uncommitted
	e.int32(r.SessionID)
	e.int32(r.SessionEpoch)
	e.partitions(r.Partitions)
	e.forgotten(r.Forgotten)
	e.string("")
	if version < fetchState {
		e.noTags()
		return e.b
	}
	e.uvarint(1)
	e.tag(1, 4+8+1)
	e.int32(r.Replica)
	e.int64(r.ReplicaEpoch)
	e.noTags()
	return e.b
}

func (e *encoder) partitions(list []FetchPartition) {
	topic := func(p FetchPartition) model.ID { return p.ID.Topic }
	e.count(runs(list, topic))
	for len(list) > 0 {
		n := run(list, topic)
		e.b = append(e.b, list[0].ID.Topic[:]...)
		e.count(n)
		for i := range list[:n] {
			p := &list[i]
			e.int32(p.ID.Partition)
			e.int32(p.CurrentEpoch)
			e.int64(p.Offset)
			e.int32(p.LastFetchedEpoch)
			e.int64(p.LogStart)
			e.int32(p.MaxBytes)
			e.noTags()
		}
		e.noTags()
		list = list[n:]
	}
}

func (e *encoder) forgotten(list []model.IDPartition) {
	topic := func(p model.IDPartition) model.ID { return p.Topic }
	e.count(runs(list, topic))
	for len(list) > 0 {
		n := run(list, topic)
		e.b = append(e.b, list[0].Topic[:]...)
		e.count(n)
		for _, p := range list[:n] {
			e.int32(p.Partition)
		}
		e.noTags()
		list = list[n:]
	}
}

// run is how many at the front of a list have the same topic; runs counts the runs.
func run[T any](list []T, topic func(T) model.ID) int {
	n := 1
	for n < len(list) && topic(list[n]) == topic(list[0]) {
		n++
	}
	return n
}

func runs[T any](list []T, topic func(T) model.ID) (n int) {
	for ; len(list) > 0; n++ {
		list = list[run(list, topic):]
	}
	return n
}

// Least sizes of what a Fetch answer repeats: counts beyond what its bytes can hold are
// refused before anything is made room for.
const (
	leastFetchTopic     = 16 + 1 + 1
	leastFetchPartition = 4 + 2 + 8 + 8 + 8 + 1 + 4 + 1 + 1
	abortedSize         = 8 + 8 // and tagged fields
)

func (r *FetchResponse) decode(version int16, body []byte) error {
	w := walker{rest: body, budget: budgetFor(len(body)), version: version, flexible: true}
	r.ThrottleMillis = int32(w.readInt(4, "ThrottleTimeMs"))
	r.ErrorCode = int16(w.readInt(2, "ErrorCode"))
	r.SessionID = int32(w.readInt(4, "SessionId"))
	for n := w.readCount(leastFetchTopic, "Responses"); n > 0 && w.err == nil; n-- {
		r.decodeTopic(&w)
	}
	w.readTags()
	if w.err == nil && len(w.rest) > 0 {
		w.fail("bytes left over", "")
	}
	return w.err
}

func (r *FetchResponse) decodeTopic(w *walker) {
	var topic model.ID
	copy(topic[:], w.take(16, "TopicId"))
	n := w.readCount(leastFetchPartition, "Partitions")
	r.Partitions = slices.Grow(r.Partitions, n)
	for ; n > 0 && w.err == nil; n-- {
		p := FetchedPartition{DivergingEpoch: -1, DivergingEnd: -1, Leader: -1, LeaderEpoch: -1}
		p.ID = model.IDPartition{Topic: topic, Partition: int32(w.readInt(4, "PartitionIndex"))}
		p.ErrorCode = int16(w.readInt(2, "ErrorCode"))
		p.HW = w.readInt64("HighWatermark")
		w.take(8, "LastStableOffset")
		p.LogStart = w.readInt64("LogStartOffset")
		w.skipAborted()
		w.take(4, "PreferredReadReplica")
		p.Records = w.readNullableBytes("Records")
		p.decodeTags(w)
		r.Partitions = append(r.Partitions, p)
	}
	w.readTags()
}

func (w *walker) readInt64(where string) int64 {
	b := w.take(8, where)
	if b == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

func (w *walker) skipAborted() {
	n := w.length(kindArray, "AbortedTransactions")
	for ; n > 0 && w.err == nil; n-- {
		w.take(abortedSize, "AbortedTransactions")
		w.readTags()
	}
}

// decodeTags reads the tagged fields of a partition: 0 diverging epoch, 1 current leader.
func (p *FetchedPartition) decodeTags(w *walker) {
	for n := w.uvarint("tags"); n > 0 && w.err == nil; n-- {
		tag, size := w.uvarint("tag"), w.uvarint("tag size")
		if w.err != nil {
			return
		}
		field := walker{rest: w.take(size, "tag"), budget: 1 << 10, version: w.version, flexible: true}
		switch tag {
		case 0:
			p.DivergingEpoch = int32(field.readInt(4, "DivergingEpoch.Epoch"))
			p.DivergingEnd = field.readInt64("DivergingEpoch.EndOffset")
		case 1:
			p.Leader = int32(field.readInt(4, "CurrentLeader.LeaderId"))
			p.LeaderEpoch = int32(field.readInt(4, "CurrentLeader.LeaderEpoch"))
		}
		if w.err == nil {
			w.err = field.err
		}
	}
}
