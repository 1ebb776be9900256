package raw

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Versions of the requests: the last whose answers have no field of variable length in
// front of what is looked at.
const (
	produceVersion = 8
	fetchVersion   = 11
	pingVersion    = 2
)

// A request on the wire:
//
//	offset size
//	     0    4  length of what follows
//	     4    2  API key
//	     6    2  version
//	     8    4  correlation id, which the answer repeats
//	    12    …  client id, and the request
const posCorrelation = 8

func frame(req kmsg.Request, version int16) []byte {
	req.SetVersion(version)
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("load")).AppendRequest(nil, req, 0)
}

// Produce is a request with the same batch for each of the partitions.
func Produce(topic string, partitions []int32, acks int16, batch []byte) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 30_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	for _, p := range partitions {
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Partition, rp.Records = p, batch
		t.Partitions = append(t.Partitions, rp)
	}
	req.Topics = append(req.Topics, t)
	return frame(req, produceVersion)
}

// Fetch is a request for maxBytes of a partition, and where in it the offset stands, 8
// bytes. It waits for nothing and has no session.
func Fetch(topic string, partition, maxBytes int32) (request []byte, offsetAt int) {
	build := func(offset int64) []byte {
		req := kmsg.NewPtrFetchRequest()
		req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, 500, 1, maxBytes
		req.SessionEpoch = -1
		t := kmsg.NewFetchRequestTopic()
		t.Topic = topic
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, maxBytes
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
		return frame(req, fetchVersion)
	}
	request = build(0)
	const mark = 0x4b4b_4b4b_4b4b_4b4b
	return request, bytes.Index(build(mark), binary.BigEndian.AppendUint64(nil, mark))
}

// Ping is an ApiVersions request.
func Ping() []byte { return frame(kmsg.NewPtrApiVersionsRequest(), pingVersion) }

// CheckPing says what is wrong with the answer to a Ping: without its length, from the
// correlation id on.
func CheckPing(answer []byte) error {
	if len(answer) < 10 {
		return fmt.Errorf("an answer of %d bytes", len(answer))
	}
	return kerr.ErrorForCode(int16(binary.BigEndian.Uint16(answer[4:])))
}

// CheckProduce says what is wrong with the answer to a Produce of so many partitions.
// From the correlation id on it has one topic, its name, and for each partition index,
// error, base offset, append time, log start and two fields about records that were
// refused, which are empty if none was.
func CheckProduce(answer []byte, partitions int) error {
	r := reader{b: answer}
	r.skip(4)
	if topics := r.i32(); topics != 1 {
		return fmt.Errorf("an answer with %d topics, want 1", topics)
	}
	r.skip(int(r.i16()))
	if n := r.i32(); int(n) != partitions {
		return fmt.Errorf("an answer with %d partitions, want %d", n, partitions)
	}
	for range partitions {
		p, code := r.i32(), r.i16()
		r.skip(8 + 8 + 8)
		if r.err == nil && code != 0 {
			return fmt.Errorf("partition %d: %w", p, kerr.ErrorForCode(code))
		}
		if n := r.i32(); n != 0 && r.err == nil {
			return fmt.Errorf("partition %d: %d records were refused", p, n)
		}
		if r.i16() >= 0 && r.err == nil {
			return fmt.Errorf("partition %d: an answer with a message and no error", p)
		}
	}
	return r.err
}

// Fetched is what the answer to a Fetch of one partition brought; it aliases the answer.
func Fetched(answer []byte) (batches []byte, err error) {
	r := reader{b: answer}
	r.skip(4 + 4) // throttle time
	if code := r.i16(); code != 0 {
		return nil, kerr.ErrorForCode(code)
	}
	r.skip(4) // session
	if topics := r.i32(); topics != 1 {
		return nil, fmt.Errorf("an answer with %d topics, want 1", topics)
	}
	r.skip(int(r.i16()))
	if n := r.i32(); n != 1 {
		return nil, fmt.Errorf("an answer with %d partitions, want 1", n)
	}
	r.skip(4)
	if code := r.i16(); code != 0 {
		return nil, kerr.ErrorForCode(code)
	}
	r.skip(8 + 8 + 8) // high watermark, last stable offset, log start
	if aborted := r.i32(); aborted > 0 {
		return nil, fmt.Errorf("an answer with %d aborted transactions", aborted)
	}
	r.skip(4) // preferred replica
	n := int(r.i32())
	if r.err == nil && n != len(r.b) {
		return nil, fmt.Errorf("an answer with %d bytes of records and %d bytes left", n, len(r.b))
	}
	return r.b, r.err
}

// CheckFetch says what is wrong with the answer to a Fetch that should bring one batch of
// size bytes from offset on.
func CheckFetch(answer []byte, offset int64, size int) error {
	bytes, err := Fetched(answer)
	if err != nil {
		return err
	}
	b, rest, err := record.Split(bytes)
	if err != nil {
		return fmt.Errorf("%d bytes at offset %d: %w", len(bytes), offset, err)
	}
	if len(rest) > 0 || len(b) != size || b.BaseOffset() != offset {
		return fmt.Errorf("a batch of %d bytes at offset %d and %d bytes after it, want %d at %d", len(b), b.BaseOffset(), len(rest), size, offset)
	}
	return nil
}

// reader takes fields from the front of b. After the first that is not there it has an
// error, and what it takes is 0.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.b)) {
		r.err, r.b = fmt.Errorf("an answer ends %d bytes early", n-len(r.b)), nil
	}
	if r.err != nil {
		return nil
	}
	field := r.b[:n]
	r.b = r.b[n:]
	return field
}

func (r *reader) skip(n int) { r.take(n) }

func (r *reader) i16() int16 {
	if f := r.take(2); f != nil {
		return int16(binary.BigEndian.Uint16(f))
	}
	return 0
}

func (r *reader) i32() int32 {
	if f := r.take(4); f != nil {
		return int32(binary.BigEndian.Uint32(f))
	}
	return 0
}
