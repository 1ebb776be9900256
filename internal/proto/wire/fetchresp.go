package wire

import (
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch answers a Fetch request, version 4 to 18, without copying records. The bytes
// of partition p of topic t are records(t, p) instead of its RecordBatches, which is called
// once for each, in their order; a Part of length 0 is an empty set of records, which is what
// Kafka sends where there are none, never null. released is called once, after the answer
// was written or has failed; it may be nil.
func Fetch(r *Request, resp *kmsg.FetchResponse, records func(t, p int) Part, released func()) Reply {
	e := fetchEncoder{encoder: encoder{flexible: r.flexibleReply()}, version: r.Version, records: records}
	e.slices = e.room[:0]
	e.response(resp)
	a := &fetchReply{Parts: Parts{Released: released}}
	a.List = e.parts(a.room[:0])
	return &a.Parts
}

// fetchReply is an answer with room for the pieces of one partition, as most have.
type fetchReply struct {
	Parts
	room [3]Part
}

// fetchEncoder writes everything but the records into one buffer, and remembers where
// they go.
//
//	throttle int32 | error int16 (7) | session int32 (7) | topics | tags (12)
//	topic: name (to 12) or id (13) | partitions | tags (12)
//	partition: index int32 | error int16 | hw int64 | last stable int64 | log start int64 (5)
//	  | aborted transactions | preferred replica int32 (11) | records | tags (12)
type fetchEncoder struct {
	encoder
	version int16
	records func(t, p int) Part
	slices  []slice
	room    [1]slice // of slices
}

// slice is records that follow b[:after].
type slice struct {
	after int
	part  Part
}

func (e *fetchEncoder) response(resp *kmsg.FetchResponse) {
	e.grow(resp)
	e.int32(resp.ThrottleMillis)
	if e.version >= 7 {
		e.int16(resp.ErrorCode)
		e.int32(resp.SessionID)
	}
	e.count(len(resp.Topics))
	for i := range resp.Topics {
		e.topic(&resp.Topics[i], i)
	}
	if e.flexible {
		e.endpoints(resp.Brokers)
	}
}

// grow takes a buffer that will most likely do.
func (e *fetchEncoder) grow(resp *kmsg.FetchResponse) {
	n, partitions := 64, 0
	for i := range resp.Topics {
		partitions += len(resp.Topics[i].Partitions)
		n += 32 + len(resp.Topics[i].Topic)
	}
	e.b = make([]byte, 0, n+64*partitions)
	e.slices = slices.Grow(e.slices, partitions)
}

func (e *fetchEncoder) topic(t *kmsg.FetchResponseTopic, at int) {
	if e.version < 13 {
		e.string(t.Topic)
	} else {
		e.b = append(e.b, t.TopicID[:]...)
	}
	e.count(len(t.Partitions))
	for i := range t.Partitions {
		e.partition(&t.Partitions[i], e.records(at, i))
	}
	e.noTags()
}

func (e *fetchEncoder) partition(p *kmsg.FetchResponseTopicPartition, records Part) {
	e.int32(p.Partition)
	e.int16(p.ErrorCode)
	e.int64(p.HighWatermark)
	e.int64(p.LastStableOffset)
	if e.version >= 5 {
		e.int64(p.LogStartOffset)
	}
	e.aborted(p.AbortedTransactions)
	if e.version >= 11 {
		e.int32(p.PreferredReadReplica)
	}
	n := records.size()
	e.length(n)
	if n > 0 {
		e.slices = append(e.slices, slice{len(e.b), records})
	}
	if e.flexible {
		e.partitionTags(p)
	}
}

func (e *fetchEncoder) aborted(all []kmsg.FetchResponseTopicPartitionAbortedTransaction) {
	if all == nil {
		e.null()
		return
	}
	e.count(len(all))
	for i := range all {
		e.int64(all[i].ProducerID)
		e.int64(all[i].FirstOffset)
		e.noTags()
	}
}

// partitionTags writes those of the tagged fields that say something.
func (e *fetchEncoder) partitionTags(p *kmsg.FetchResponseTopicPartition) {
	diverging, leader, snapshot := p.DivergingEpoch, p.CurrentLeader, p.SnapshotID
	hasDiverging := diverging.Epoch != -1 || diverging.EndOffset != -1
	hasLeader := leader.LeaderID != -1 || leader.LeaderEpoch != -1
	hasSnapshot := snapshot.Epoch != -1 || snapshot.EndOffset != -1
	e.uvarint(one(hasDiverging) + one(hasLeader) + one(hasSnapshot))
	if hasDiverging {
		e.tag(0, 13)
		e.int32(diverging.Epoch)
		e.int64(diverging.EndOffset)
		e.noTags()
	}
	if hasLeader {
		e.tag(1, 9)
		e.int32(leader.LeaderID)
		e.int32(leader.LeaderEpoch)
		e.noTags()
	}
	if hasSnapshot {
		e.tag(2, 13)
		e.int64(snapshot.EndOffset)
		e.int32(snapshot.Epoch)
		e.noTags()
	}
}

// endpoints writes the tagged fields of the whole: the leaders' addresses (16).
func (e *fetchEncoder) endpoints(nodes []kmsg.FetchResponseBroker) {
	if e.version < 16 || len(nodes) == 0 {
		e.uvarint(0)
		return
	}
	e.uvarint(1)
	e.uvarint(0)
	inner := encoder{flexible: true}
	inner.count(len(nodes))
	for i := range nodes {
		inner.node(nodes[i].NodeID, nodes[i].Host, nodes[i].Port, nodes[i].Rack)
	}
	e.uvarint(len(inner.b))
	e.b = append(e.b, inner.b...)
}

// parts cuts the buffer where records go, and appends the pieces to list.
func (e *fetchEncoder) parts(list []Part) []Part {
	list = slices.Grow(list, 2*len(e.slices)+1)
	at := 0
	for _, s := range e.slices {
		list = append(list, Part{Bytes: e.b[at:s.after]}, s.part)
		at = s.after
	}
	return append(list, Part{Bytes: e.b[at:]})
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// encoder appends Kafka's primitive types.
type encoder struct {
	b        []byte
	flexible bool
}

func (e *encoder) int16(n int16) { e.b = binary.BigEndian.AppendUint16(e.b, uint16(n)) }
func (e *encoder) int32(n int32) { e.b = binary.BigEndian.AppendUint32(e.b, uint32(n)) }
func (e *encoder) int64(n int64) { e.b = binary.BigEndian.AppendUint64(e.b, uint64(n)) }
func (e *encoder) uvarint(n int) { e.b = binary.AppendUvarint(e.b, uint64(n)) }

// count writes the number of elements of an array, length that of bytes.
func (e *encoder) count(n int) {
	if e.flexible {
		e.uvarint(n + 1)
		return
	}
	e.int32(int32(n))
}

func (e *encoder) length(n int) { e.count(n) }

// null writes the count of an array that is not there.
func (e *encoder) null() { e.count(-1) }

func (e *encoder) string(s string) {
	if e.flexible {
		e.uvarint(len(s) + 1)
	} else {
		e.int16(int16(len(s)))
	}
	e.b = append(e.b, s...)
}

func (e *encoder) nullableString(s *string) {
	switch {
	case s != nil:
		e.string(*s)
	case e.flexible:
		e.uvarint(0)
	default:
		e.int16(-1)
	}
}

// node writes where a broker is.
func (e *encoder) node(id int32, host string, port int32, rack *string) {
	e.int32(id)
	e.string(host)
	e.int32(port)
	e.nullableString(rack)
	e.noTags()
}

func (e *encoder) noTags() {
	if e.flexible {
		e.b = append(e.b, 0)
	}
}

// tag opens a tagged field of size bytes.
func (e *encoder) tag(tag, size int) {
	e.uvarint(tag)
	e.uvarint(size)
}
