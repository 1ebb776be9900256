package commitlog

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Readers of what is committed follow transactions while the log is compacted, trimmed and
// synced: whatever files they meet, they see nothing that was aborted.
func TestReadCommittedBesideCompaction(t *testing.T) {
	c := testConfig()
	c.Compact, c.MinCleanableRatio, c.RetentionBytes, c.ProducerExpiry = true, 0, 100_000, math.MaxInt64
	l := mustOpen(t, testOptions(newMem(t), c))
	done := make(chan struct{})
	var wg sync.WaitGroup
	beside := func(do func() error) {
		wg.Go(func() {
			for {
				if err := do(); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	stable := func() int64 {
		m, err := l.Marks(l.End())
		if err != nil || m.Stable < m.Start || m.Stable > m.End {
			t.Errorf("%+v, %v", m, err)
		}
		return m.Stable
	}
	beside(func() error { _, err := l.Sync(); return err })
	beside(func() error { _, err := l.Retain(stable(), time.Now()); return err })
	beside(func() error { _, err := l.Compact(stable(), time.Now()); return err })
	beside(func() error { l.Committed(l.End()); return l.CloseIdle(time.Now()) })
	for _, maxBytes := range []int{1, 700, 5000} {
		next := int64(0)
		beside(func() error { return followCommitted(t, l, &next, stable(), maxBytes) })
	}
	now := time.Now().UnixMilli()
	for i := range 1500 {
		id, epoch := int64(i%3), int16(i/3)
		value := []string{"aborted", "committed"}[i/2%2]
		b := record.NewBuilder(record.BuilderConfig{ProducerID: id, ProducerEpoch: epoch, Transactional: true})
		for j := range 1 + i%4 {
			b.Append(record.Record{Offset: int64(j), Timestamp: now, Key: fmt.Append(nil, (i+j)%9), Value: []byte(value)})
		}
		batch, err := b.Build()
		if err == nil {
			_, err = l.AppendTxn(batch, 0, Client, producers.Unverified)
		}
		if before := i - 2; err == nil && before >= 0 { // two others are open
			m := record.EndTxnMarker{Commit: before/2%2 == 1}
			_, err = l.AppendMarker(record.EndTxn(int64(before%3), int16(before/3)+1, m, now), 0, 2)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	wg.Wait()
}

// followCommitted reads on from *next, and looks again where a segment was replaced.
func followCommitted(t *testing.T, l *Log, next *int64, limit int64, maxBytes int) error {
	s, err := l.Read(*next, limit, maxBytes, true)
	if errors.Is(err, kerr.OffsetOutOfRange) {
		*next = l.Start()
		return nil
	}
	if err != nil || s.Len == 0 {
		return err
	}
	defer s.Release()
	aborted, err := l.AbortedIn(*next, s.Next)
	if err != nil || s.Gone() {
		return err
	}
	bytes, err := s.ReadAll(nil)
	if err != nil {
		return err
	}
	seen := consume(t, bytes, aborted)
	for b, err := range Batches(bytes) {
		if err != nil {
			return err
		}
		if len(seen) == 0 || seen[0] != fmt.Sprint(b.BaseOffset()) {
			continue
		}
		seen = seen[1:]
		for r, err := range b.Records(record.Limits{}) {
			if err != nil || string(r.Value) != "committed" {
				return fmt.Errorf("record %q at %d of [%d, %d) is seen, aborted are %v: %v", r.Value, r.Offset, *next, s.Next, aborted, err)
			}
		}
	}
	*next = s.Next
	return nil
}
