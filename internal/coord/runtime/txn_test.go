package runtime

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
	"github.com/twmb/franz-go/pkg/kerr"
)

func writeTxn(p Producer, values ...string) func(*journal, *Turn) (string, error) {
	return func(_ *journal, t *Turn) (string, error) {
		for _, v := range values {
			t.WriteTxn(p, producers.Unverified, Record{Key: []byte("k"), Value: []byte(v)})
		}
		return "ok", nil
	}
}

func endTxn(p Producer, commit bool, txnVersion int16) func(*journal, *Turn) (string, error) {
	return func(_ *journal, t *Turn) (string, error) {
		t.WriteMarker(p, record.EndTxnMarker{Commit: commit, CoordinatorEpoch: 3}, txnVersion)
		return "ended", nil
	}
}

// batches draws a log: plain batches as they are, others by their producer.
func batches(t *testing.T, l *memlog.Log) string {
	t.Helper()
	var drawn []string
	for _, b := range l.Batches() {
		var values []string
		for e, err := range entries(b) {
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, string(e.Value))
		}
		line := strings.Join(values, ",")
		if m, ok, err := b.EndTxnMarker(); err == nil && ok {
			line = map[bool]string{true: "commit", false: "abort"}[m.Commit]
		}
		if b.Transactional() {
			line = string(rune('A'+b.ProducerID())) + ":" + line
		}
		drawn = append(drawn, line)
	}
	return strings.Join(drawn, " ")
}

// Commands that come together share a batch, but those for a producer have their own, in
// the order of arrival.
func TestTransactionalBatches(t *testing.T) {
	inBubble(t, func(b *bench) {
		a, c := Producer{ID: 0, Epoch: 1}, Producer{ID: 2, Epoch: 1}
		var waiting []chan answer
		b.together(func(ask func(command func(*journal, *Turn) (string, error))) {
			ask(write("1"))
			ask(write("2"))
			ask(writeTxn(a, "3", "4"))
			ask(writeTxn(c, "5"))
			ask(endTxn(a, true, 1))
			ask(write("6"))
		}, &waiting)
		for i, ch := range waiting {
			if got := <-ch; got.err != nil {
				t.Errorf("command %d: %v", i, got.err)
			}
		}
		if got, want := batches(t, b.log), "1,2 A:3,4 C:5 A:commit 6"; got != want {
			t.Errorf("the log has %s, want %s", got, want)
		}
		live, loaded := b.ask(Alone, read), ""
		b.log.Lead(1, true)
		b.Lead(0, 1, b.log)
		synctest.Wait()
		got := <-live
		again := <-b.ask(Alone, read)
		if loaded = again.value; got.value != loaded || again.err != nil {
			t.Errorf("the machine saw %q, and once loaded %q, %v", got.value, loaded, again.err)
		}
	})
}

// together queues Independent commands behind one that runs, so that they are taken at once.
func (b *bench) together(script func(ask func(func(*journal, *Turn) (string, error))), out *[]chan answer) {
	running, go_ := make(chan struct{}), make(chan struct{})
	first := make(chan answer, 1)
	go func() {
		v, err := Do(b.Context(), b.Runtime, 0, Independent, func(*journal, *Turn) (string, error) {
			close(running)
			<-go_
			return "", nil
		})
		first <- answer{v, err}
	}()
	<-running
	script(func(command func(*journal, *Turn) (string, error)) { *out = append(*out, b.ask(Independent, command)) })
	close(go_)
	<-first
	synctest.Wait()
}

// What the log refuses a producer is the loss of that command alone: not of those that came
// with it, nor of the machine.
func TestRejectedProducer(t *testing.T) {
	inBubble(t, func(b *bench) {
		young, old := Producer{ID: 1, Epoch: 5}, Producer{ID: 1, Epoch: 4}
		b.want(b.ask(Independent, writeTxn(young, "y")), "ok", nil)
		var waiting []chan answer
		b.together(func(ask func(func(*journal, *Turn) (string, error))) {
			ask(write("1"))
			ask(writeTxn(old, "zombie"))
			ask(write("2"))
			ask(endTxn(old, false, 1))
			ask(endTxn(young, true, 2)) // by version 2 the epoch must have grown
			ask(endTxn(Producer{ID: 1, Epoch: 6}, true, 2))
		}, &waiting)
		for i, want := range []error{nil, kerr.InvalidProducerEpoch, nil, kerr.InvalidProducerEpoch, kerr.InvalidProducerEpoch, nil} {
			if got := <-waiting[i]; !errors.Is(got.err, want) || want == nil && got.err != nil {
				t.Errorf("command %d: %v, want %v", i, got.err, want)
			}
		}
		if got, want := batches(t, b.log), "B:y 1 2 B:commit"; got != want {
			t.Errorf("the log has %s, want %s", got, want)
		}
		if got := <-b.ask(Alone, read); got.err != nil {
			t.Errorf("the machine is lost: %v", got.err)
		}
		b.log.FailAppend(kerr.InvalidTxnState)
		b.want(b.ask(Independent, writeTxn(young, "late")), "", kerr.InvalidTxnState)
		b.log.FailAppend(vfs.ErrNoSpace)
		b.want(b.ask(Independent, endTxn(Producer{ID: 1, Epoch: 7}, true, 2)), "", vfs.ErrNoSpace)
		b.want(b.ask(Independent, writeTxn(Producer{ID: 1, Epoch: 7}, "new")), "ok", nil)
	})
}

// A transactional command that is answered once its records are committed waits for them.
func TestTransactionalWaitsForCommit(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.log.Hold()
		w := b.ask(Independent, writeTxn(Producer{ID: 1}, "a"))
		b.wantNone(w)
		b.log.Commit()
		synctest.Wait()
		b.want(w, "ok", nil)
	})
}

// A transaction larger than a batch may be has several.
func TestTransactionalBatchesBySize(t *testing.T) {
	inBubble(t, func(b *bench) {
		big := strings.Repeat("x", 400<<10)
		b.want(b.ask(Independent, writeTxn(Producer{ID: 1}, big, big, big)), "ok", nil)
		if n := b.log.Appends(); n != 2 {
			t.Errorf("%d batches", n)
		}
	})
}
