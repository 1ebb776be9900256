package runtime

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

func tell(value string) func(*journal, *Turn) {
	return func(_ *journal, t *Turn) { t.Write(Record{Key: []byte("k"), Value: []byte(value)}) }
}

// What machines are told is done at once, and by one that is being loaded when it is
// loaded.
func TestTold(t *testing.T) {
	inBubble(t, func(b *bench) {
		late := &memlog.Log{}
		late.Lead(7, true)
		b.Lead(1, 8, late) // the log does not know of it yet
		synctest.Wait()
		b.Tell(tell("news"))
		synctest.Wait()
		b.want(b.ask(Alone, read), "news", nil)
		if late.Appends() != 0 {
			t.Fatal("a machine that was not loaded did what it was told")
		}
		late.Lead(8, true)
		time.Sleep(time.Second)
		synctest.Wait()
		if got, err := Do(context.Background(), b.Runtime, 1, Alone, read); got != "news" || err != nil {
			t.Errorf("once loaded: %q, %v", got, err)
		}
		if n := late.Appends() + b.log.Appends(); n != 2 {
			t.Errorf("%d appends", n)
		}
	})
}

// A log that takes nothing for now is tried again, and the machine lives on meanwhile.
func TestToldWhileRefused(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.log.FailAppend(fmt.Errorf("%w: %w", kerr.KafkaStorageError, vfs.ErrNoSpace))
		b.Tell(tell("news"))
		synctest.Wait()
		b.want(b.ask(Alone, read), "", nil)
		b.log.FailAppend(kerr.NotEnoughReplicas)
		time.Sleep(minBackoff)
		synctest.Wait()
		b.want(b.ask(Alone, read), "", nil)
		time.Sleep(2 * minBackoff)
		synctest.Wait()
		b.want(b.ask(Alone, read), "news", nil)
	})
}

// Who resigns forgets what it was told; who leads next hears of it by itself.
func TestToldAndResigned(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.log.FailAppend(kerr.NotEnoughReplicas)
		b.Tell(tell("news"))
		synctest.Wait()
		b.Resign(0)
		b.Lead(0, 0, b.log)
		time.Sleep(time.Minute)
		b.want(b.ask(Alone, read), "", nil)
	})
}

// Nothing is read of a log before this replica leads it: what it holds until then may
// grow, or go.
func TestLoadWaitsForTheRole(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.want(b.ask(Alone, write("a")), "", nil)
		b.Lead(0, 5, b.log)
		synctest.Wait()
		b.want(b.ask(Alone, read), "", kerr.CoordinatorLoadInProgress)
		b.log.Put(batchOf(t, "x")) // fetched from the leader before
		time.Sleep(time.Minute)
		b.want(b.ask(Alone, read), "", kerr.CoordinatorLoadInProgress)
		b.log.Lead(5, true)
		time.Sleep(time.Minute)
		b.want(b.ask(Alone, read), "a,x", nil)
	})
}

// Who has lost its lease answers nothing, not even what it has written and committed.
func TestLease(t *testing.T) {
	inBubble(t, func(b *bench) {
		var lost bool
		b.cfg.Lease = func() bool { return !lost }
		b.want(b.ask(Alone, write("a")), "", nil)
		lost = true
		b.want(b.ask(Alone, read), "", kerr.NotCoordinator)
		b.want(b.ask(Alone, write("b")), "", kerr.NotCoordinator)
		lost = false
		b.want(b.ask(Alone, read), "a,b", nil)
	})
}
