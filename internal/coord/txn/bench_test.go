package txn

import (
	"context"
	"fmt"
	goruntime "runtime"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What 100,000 transactional ids cost that have had a transaction each and are idle.
func BenchmarkMemory(b *testing.B) {
	const ids = 100_000
	tps := partitionsNamed([]string{"input/3", "output/7", "__consumer_offsets/12"})
	for b.Loop() {
		var before, after goruntime.MemStats
		goruntime.GC()
		goruntime.ReadMemStats(&before)
		m := newMachine(func() Settings { return Settings{}.withDefaults() }, func() int16 { return 2 }, 1, func() {}, nil)
		m.live = true
		for i := range ids {
			id := fmt.Sprintf("application-name-%08d-%04d", i, i%16)
			v := value{producerID: int64(i), prevID: noProducer, nextID: noProducer, lastEpoch: noEpoch, timeoutMillis: 60_000, started: noTime}
			for _, step := range []phase{empty, ongoing, prepareCommit, completeCommit} {
				v.phase, v.version, v.partitions = step, 2, nil
				if step == ongoing || step == prepareCommit {
					v.partitions = tps
				}
				e := runtime.Entry{Offset: int64(i), Key: appendKey(nil, id), Value: v.append(nil, 1)}
				if err := m.Replay(e); err != nil {
					b.Fatal(err)
				}
			}
		}
		m.outbox = nil
		goruntime.GC()
		goruntime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/ids, "B/id")
		if len(m.txns) != ids {
			b.Fatal(len(m.txns))
		}
	}
}

// Whole transactions, of producers side by side, on a log and brokers that answer at once.
func BenchmarkTransactions(b *testing.B) {
	for _, producers := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(producers), func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			var next int64
			s := New(Config{
				Partitions:     func() int32 { return 1 },
				TxnVersion:     func() int16 { return 2 },
				ProducerID:     func(context.Context) (int64, error) { next++; return next, nil },
				GroupPartition: func(string) int32 { return 0 },
				Leader:         func(model.TopicPartition) (int32, int32, bool) { return 1, 0, true },
				Ask:            allWell,
			})
			var running sync.WaitGroup
			running.Go(func() { _ = s.Run(ctx) })
			s.Lead(0, 0, &memlog.Log{})
			who := make([]identity, producers)
			for i := range who {
				who[i] = mustInit(b, s, i)
			}
			work := make(chan struct{})
			b.ReportAllocs()
			b.ResetTimer()
			var busy sync.WaitGroup
			for i := range who {
				busy.Go(func() {
					for range work {
						transact(b, s, i, &who[i])
					}
				})
			}
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			busy.Wait()
			b.StopTimer()
			cancel()
			running.Wait()
		})
	}
}

func mustInit(b *testing.B, s *Service, i int) identity {
	for {
		resp := s.InitProducerID(b.Context(), initRequest(fmt.Sprint(i), nil))
		if resp.ErrorCode == 0 {
			return identity{resp.ProducerID, resp.ProducerEpoch}
		}
		time.Sleep(time.Millisecond) // is being loaded
	}
}

func transact(b *testing.B, s *Service, i int, who *identity) {
	args := map[string]string{"as": fmt.Sprintf("%d/%d", who.id, who.epoch)}
	id := fmt.Sprint(i)
	for {
		resp := s.AddPartitionsToTxn(b.Context(), addRequest(false, id, []string{"t/0", "t/1"}, args))
		if resp.Transactions[0].Topics[0].Partitions[0].ErrorCode == 0 {
			break
		}
		goruntime.Gosched() // the one before is not complete
	}
	resp := s.EndTxn(b.Context(), endRequest(true, id, args))
	if resp.ErrorCode != 0 {
		b.Fatal(errorName(resp.ErrorCode))
	}
	*who = identity{resp.ProducerID, resp.ProducerEpoch}
}

func allWell(_ context.Context, _ int32, r kmsg.Request) (kmsg.Response, error) {
	req := r.(*kmsg.WriteTxnMarkersRequest)
	resp := req.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	for _, m := range req.Markers {
		rm := kmsg.WriteTxnMarkersResponseMarker{ProducerID: m.ProducerID}
		for _, t := range m.Topics {
			rt := kmsg.WriteTxnMarkersResponseMarkerTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				rt.Partitions = append(rt.Partitions, kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: p})
			}
			rm.Topics = append(rm.Topics, rt)
		}
		resp.Markers = append(resp.Markers, rm)
	}
	return resp, nil
}
