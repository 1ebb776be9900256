package delivery

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/coord/share"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
)

// Acquiring and acknowledging whole batches costs the same whatever they hold.
func BenchmarkWholeBatches(b *testing.B) {
	for _, size := range []int64{1, 10, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, _ := newState(share.PartitionState{})
			now := time.Unix(1000, 0)
			r := rules{maxDeliveries: 5, maxInFlight: 10_000, lock: 30 * time.Second}
			read := make([]bounds, 1)
			acks := []Ack{{Types: []int8{Accept}}}
			b.ReportAllocs()
			for b.Loop() {
				from := s.wanted()
				read[0] = bounds{base: from, last: from + size - 1}
				s.acquire(Ask{Member: "m", MaxRecords: int(size), BatchSize: 500}, from, read, r, now)
				acks[0].First, acks[0].Last = from, from+size-1
				if _, err := s.acknowledge("m", acks, r, now); err != nil {
					b.Fatal(err)
				}
				w, _ := s.prepare()
				s.written(w)
			}
		})
	}
}

// A batch of 500 records of which each is acknowledged by itself, by one request or by 500.
func BenchmarkSingleRecords(b *testing.B) {
	const size = 500
	types := make([]int8, size)
	for i := range types {
		types[i] = Accept + int8(i%3)
	}
	for _, requests := range []int{1, size} {
		b.Run(fmt.Sprintf("%d requests", requests), func(b *testing.B) {
			s, _ := newState(share.PartitionState{})
			now := time.Unix(1000, 0)
			r := rules{maxDeliveries: 1, maxInFlight: 10_000, lock: 30 * time.Second}
			b.ReportAllocs()
			for b.Loop() {
				from := s.wanted()
				s.acquire(Ask{Member: "m", MaxRecords: size, BatchSize: size}, from, []bounds{{base: from, last: from + size - 1}}, r, now)
				for i := range requests {
					n := size / requests
					a := Ack{First: from + int64(i*n), Last: from + int64(i*n+n-1), Types: types[i*n : i*n+n]}
					if _, err := s.acknowledge("m", []Ack{a}, r, now); err != nil {
						b.Fatal(err)
					}
				}
				w, _ := s.prepare()
				s.written(w)
			}
		})
	}
}

// nowhereStored stores nothing, at once.
type nowhereStored struct{}

func (nowhereStored) ReadState(context.Context, share.Key, int32) (share.PartitionState, error) {
	return share.PartitionState{}, nil
}

func (nowhereStored) WriteState(context.Context, share.Key, int32, int32, int64, int32, []share.StateBatch) error {
	return nil
}

// A delivery from the log and its acknowledgement, the goroutine that stores it included.
func BenchmarkDeliver(b *testing.B) {
	for _, batches := range []int{1, 50} {
		b.Run(fmt.Sprintf("%d batches", batches), func(b *testing.B) {
			room := &broker{T: &testing.T{}, disk: vfs.NewMem(), parts: map[model.TopicPartition]*partition.Partition{}}
			if err := vfs.MkdirAllDurable(room.disk, "/d", 0o755); err != nil {
				b.Fatal(err)
			}
			room.partition(t0)
			for range batches {
				room.append(t0, make([]string, 500/batches)...)
			}
			s := New(Config{Partition: room.replica, Persister: nowhereStored{}})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			sh, err := s.Open("g", t0, topicID)
			if err != nil {
				b.Fatal(err)
			}
			w := partition.NewWaiter()
			sh.Watch(w)
			<-w.C
			sh.Unwatch(w)
			acks := []Ack{{First: 0, Last: 499, Types: []int8{Release}}}
			b.ReportAllocs()
			for b.Loop() {
				d, err := sh.Deliver(Ask{Member: "m", MaxRecords: 500, BatchSize: 500}, 1<<20, true)
				if err != nil || len(d.Acquired) == 0 {
					b.Fatal(err, sh.state)
				}
				d.Release()
				if err := s.Acknowledge("g", "m", t0, topicID, acks).Wait(ctx); err != nil {
					b.Fatal(err)
				}
				sh.mu.Lock() // its count of deliveries, so that the same records come again
				sh.state.batches[0].runs[0].deliveries = 0
				sh.mu.Unlock()
			}
			cancel()
			<-done
		})
	}
}

// slowStore stores nothing, in the time that a coordinator takes, and counts.
type slowStore struct {
	nowhereStored
	writes atomic.Int64
}

func (s *slowStore) WriteState(context.Context, share.Key, int32, int32, int64, int32, []share.StateBatch) error {
	s.writes.Add(1)
	time.Sleep(2 * time.Millisecond)
	return nil
}

// Members of one partition acknowledge at the same time, record by record: how many
// acknowledgements one write takes along.
func BenchmarkAcknowledgementsOfAWrite(b *testing.B) {
	for _, members := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("%d members", members), func(b *testing.B) {
			store := &slowStore{}
			s := New(Config{Persister: store, Settings: func(string) Settings { return Settings{MaxInFlight: 1 << 30} }})
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			st, _ := newState(share.PartitionState{})
			sh := &Share{service: s, state: st, open: newVerdict()}
			var acks atomic.Int64
			b.SetParallelism(members / 2) // times GOMAXPROCS, 2
			b.RunParallel(func(p *testing.PB) {
				for member := fmt.Sprint("m", acks.Load()); p.Next(); acks.Add(1) {
					sh.mu.Lock()
					at := st.next
					st.acquire(Ask{Member: member, MaxRecords: 1}, at, []bounds{{base: at, last: at}}, sh.settings().rules(), time.Now())
					sh.mu.Unlock()
					if err := sh.acknowledge(member, []Ack{{at, at, []int8{Accept}}}).Wait(ctx); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(acks.Load())/float64(store.writes.Load()), "acks/write")
			cancel()
			<-done
		})
	}
}
