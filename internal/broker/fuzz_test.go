package broker_test

import (
	"fmt"
	"maps"
	"net"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzNode sends a whole node one frame of any bytes behind a good header, by the way of
// clients or of the quorum. Its seeds are all requests that are taken, in every version.
func FuzzNode(f *testing.F) {
	h := hermit{topic: [16]byte{1}}
	for _, door := range []string{clientsDoor, quorumDoor} {
		for _, a := range advertised(door) {
			for v := max(a.Min, a.Floor); v <= a.Max; v++ {
				f.Add(door == quorumDoor, a.Key, v, h.plausible(a.Key, v, 1))
			}
		}
	}
	f.Fuzz(func(t *testing.T, quorum bool, key, version int16, body []byte) {
		if len(body) > 1<<14 {
			return
		}
		bubble.Test(t, func(t *testing.T) {
			h := newHermit(t)
			defer h.end()
			h.furnish()
			door := clientsDoor
			if quorum {
				door = quorumDoor
			}
			h.hostile(h.dial(door), door, key, version, body, lieCosts+uint64(thingCosts*len(body)), "bytes of any kind").Close()
			time.Sleep(time.Second) // what was begun goes on for a while
			h.sane("a second")
			h.alive()
		})
	})
}

// alive wants an honest client served.
func (h *hermit) alive() {
	h.t.Helper()
	c := h.dial(clientsDoor)
	defer c.Close()
	if resp := h.ask(c, 2, kmsg.NewPtrApiVersionsRequest()).(*kmsg.ApiVersionsResponse); resp.ErrorCode != 0 {
		h.t.Errorf("ApiVersions: %d", resp.ErrorCode)
	}
}

// FuzzDisk changes one file of a node's folder while the node is down: some of its bytes, its
// length, or that it is there. Whatever it is, the node starts or says why not; what it
// serves then are records that were written, or errors. Every file that a node has is a
// seed: identity, checkpoints, segments and their indexes, journal, the quorum's log and
// snapshot.
func FuzzDisk(f *testing.F) {
	for file := range uint(60) {
		f.Add(file, uint(1<<20), []byte{0xff}, uint8(changeBytes))
		f.Add(file, uint(1<<20), []byte{}, uint8(cutFile))
		f.Add(file, uint(0), make([]byte, 8), uint8(changeBytes))
		f.Add(file, uint(4), []byte("9 -7\n"), uint8(insertBytes))
		f.Add(file, uint(0), []byte{}, uint8(removeFile))
	}
	var once sync.Once
	var image map[string][]byte
	var names []string
	f.Fuzz(func(t *testing.T, file, at uint, bytes []byte, how uint8) {
		if len(bytes) > 1<<12 {
			return
		}
		once.Do(func() {
			bubble.Test(t, func(t *testing.T) { image = lived(t) })
			names = slices.Sorted(maps.Keys(image))
		})
		name := names[file%uint(len(names))]
		changed := damage(slices.Clone(image[name]), int(at%uint(len(image[name])+1)), bytes, how%4)
		bubble.Test(t, func(t *testing.T) {
			h := formHermit(t)
			h.lay(image)
			if h.disk.Remove(name); changed != nil {
				h.lay(map[string][]byte{name: changed})
			}
			if err := h.try(); err != nil {
				h.unharmed("its refusal to start with another " + name)
				return
			}
			time.Sleep(time.Second)
			h.sane("a start with another " + name)
			h.alive()
			h.reads(name)
			h.end()
		})
	})
}

// How FuzzDisk changes a file.
const (
	changeBytes = iota
	cutFile
	insertBytes
	removeFile
)

// damage returns the file as it is then, nil if it is not there any more.
func damage(b []byte, at int, bytes []byte, how uint8) []byte {
	switch how {
	case changeBytes:
		copy(b[at:], bytes)
	case cutFile:
		b = b[:at]
	case insertBytes:
		b = slices.Insert(b, at, bytes...)
	case removeFile:
		return nil
	}
	return b
}

// lived is the folder of a node that was used for a while, file by file.
func lived(t *testing.T) map[string][]byte {
	h := newHermit(t)
	h.furnish()
	c := h.dial(clientsDoor)
	for i := range 8 {
		if code := h.produce(c, "a", h.batch(fmt.Sprint("value ", i))); code != 0 {
			t.Fatalf("produce: %d", code)
		}
	}
	h.commits(c)
	c.Close()
	h.end()
	image := map[string][]byte{}
	h.gather("/data", image)
	return image
}

// gather reads all files below a folder.
func (h *hermit) gather(dir string, image map[string][]byte) {
	entries, err := h.disk.ReadDir(dir)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			h.gather(name, image)
		} else if image[name], err = vfs.ReadFile(h.disk, name); err != nil {
			h.t.Fatal(err)
		}
	}
}

// lay writes files to the disk.
func (h *hermit) lay(image map[string][]byte) {
	for name, b := range image {
		if b == nil {
			continue
		}
		if err := h.disk.MkdirAll(path.Dir(name), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := vfs.WriteFileDurable(h.disk, name, b, 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
}

// batch is a batch of one record.
func (h *hermit) batch(value string) record.Batch {
	b := record.NewBuilder(record.BuilderConfig{ProducerID: -1})
	b.Append(record.Record{Timestamp: time.Now().UnixMilli(), Key: []byte("k"), Value: []byte(value)})
	batch, err := b.Build()
	if err != nil {
		h.t.Fatal(err)
	}
	return batch
}

// commits commits an offset of a group, and begins a transaction that it leaves open.
func (h *hermit) commits(c net.Conn) {
	h.t.Helper()
	commit := kmsg.NewPtrOffsetCommitRequest()
	rt, rp := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Offset = 3
	rt.Topic, rt.Partitions = "a", append(rt.Partitions, rp)
	commit.Group, commit.Generation, commit.Topics = "g", -1, append(commit.Topics, rt)
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = kmsg.StringPtr("t"), 60_000
	init.ProducerID, init.ProducerEpoch = -1, -1
	for try := 0; ; try++ { // the topics of both are made meanwhile
		of := h.ask(c, 8, commit).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
		id := h.ask(c, 4, init).(*kmsg.InitProducerIDResponse)
		if of == 0 && id.ErrorCode == 0 {
			break
		}
		if try > 100 {
			h.t.Fatalf("offset: %d, producer id: %d", of, id.ErrorCode)
		}
		h.ask(c, 4, &kmsg.FindCoordinatorRequest{CoordinatorType: 0, CoordinatorKeys: []string{"g"}})
		h.ask(c, 4, &kmsg.FindCoordinatorRequest{CoordinatorType: 1, CoordinatorKeys: []string{"t"}})
		time.Sleep(100 * time.Millisecond)
	}
}

// reads reads topic a: there are records that were written, in order, or errors.
func (h *hermit) reads(after string) {
	h.t.Helper()
	c := h.dial(clientsDoor)
	defer c.Close()
	for offset := int64(0); offset < 8; {
		req, rt, rp := kmsg.NewPtrFetchRequest(), kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
		rp.FetchOffset, rp.PartitionMaxBytes = offset, 1<<20
		rt.Topic, rt.Partitions = "a", append(rt.Partitions, rp)
		req.MaxBytes, req.SessionEpoch, req.Topics = 1<<20, -1, append(req.Topics, rt)
		p := h.ask(c, 12, req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
			return
		}
		for bytes := p.RecordBatches; len(bytes) > 0; {
			b, rest, err := record.Split(bytes)
			if err != nil {
				h.t.Errorf("after %s was changed, what is read at %d is no batch: %v", after, offset, err)
				return
			}
			if b.Verify() != nil || b.BaseOffset() >= 8 {
				return // as clients see too: a checksum is there for them, but covers no offset
			}
			for rec, err := range b.Records(record.Limits{}) {
				if err != nil || string(rec.Value) != fmt.Sprint("value ", rec.Offset) || rec.Offset < offset {
					h.t.Errorf("after %s was changed, at %d there is %q: %v", after, rec.Offset, rec.Value, err)
					return
				}
				offset = rec.Offset + 1
			}
			bytes = rest
		}
	}
}
