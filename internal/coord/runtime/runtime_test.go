package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/coord/runtime/memlog"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// journal is a machine that remembers the values it replayed and who waits for one.
type journal struct {
	values  []string
	waiting map[string]*Deferred[string]
	fired   []string
}

func (j *journal) Replay(e Entry) error {
	if string(e.Value) == "poison" {
		return errors.New("cannot read poison")
	}
	j.values = append(j.values, string(e.Value))
	return nil
}

func (j *journal) Loaded(t *Turn) { t.Arm("loaded", t.Now.Add(time.Minute)) }

func (j *journal) Fire(t *Turn, key any) {
	j.fired = append(j.fired, key.(string))
	if strings.HasPrefix(key.(string), "write ") {
		t.Write(Record{Key: []byte("k"), Value: fmt.Appendf(nil, "%d seen", len(j.values))})
	}
	if d := j.waiting[key.(string)]; d != nil {
		d.Give(t, strings.Join(j.values, ","), nil)
	}
}

func write(value string) func(*journal, *Turn) (string, error) {
	return func(j *journal, t *Turn) (string, error) {
		t.Write(Record{Key: []byte("k"), Value: []byte(value)})
		return strings.Join(j.values, ","), nil
	}
}

func read(j *journal, _ *Turn) (string, error) { return strings.Join(j.values, ","), nil }

// bench is a runtime with one partition on a log in memory, in a bubble.
type bench struct {
	*testing.T
	*Runtime[*journal]
	log  *memlog.Log
	stop func()
}

func inBubble(t *testing.T, test func(*bench)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := New(Config[*journal]{New: func(int32) *journal {
			return &journal{waiting: map[string]*Deferred[string]{}}
		}})
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := r.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
		}()
		b := &bench{T: t, Runtime: r, log: &memlog.Log{}, stop: cancel}
		r.Lead(0, 0, b.log)
		synctest.Wait()
		test(b)
		cancel()
		<-done
	})
}

type answer struct {
	value string
	err   error
}

// ask runs a command; the channel has its answer once it leaves.
func (b *bench) ask(o Order, command func(*journal, *Turn) (string, error)) chan answer {
	ch := make(chan answer, 1)
	go func() {
		v, err := Do(context.Background(), b.Runtime, 0, o, command)
		ch <- answer{v, err}
	}()
	synctest.Wait()
	return ch
}

func (b *bench) want(ch chan answer, value string, err error) {
	b.Helper()
	select {
	case got := <-ch:
		if got.value != value || !errors.Is(got.err, err) {
			b.Fatalf("answer is %q, %v; want %q, %v", got.value, got.err, value, err)
		}
	default:
		b.Fatalf("no answer; want %q, %v", value, err)
	}
}

func (b *bench) wantNone(ch chan answer) {
	b.Helper()
	select {
	case got := <-ch:
		b.Fatalf("answer %q, %v came too early", got.value, got.err)
	default:
	}
}

// An answer, of a read too, leaves when what it saw is committed, not before.
func TestAnswerWaitsForCommit(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.log.Hold()
		w := b.ask(Alone, write("a"))
		r := b.ask(Alone, read)
		b.wantNone(w)
		b.wantNone(r)
		b.log.Commit()
		synctest.Wait()
		b.want(w, "", nil)
		b.want(r, "a", nil)
	})
}

func TestCommitTimeout(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.log.Hold()
		w := b.ask(Alone, write("a"))
		time.Sleep(defaultCommitTimeout)
		synctest.Wait()
		b.want(w, "", kerr.RequestTimedOut)
		b.log.Commit()
		b.want(b.ask(Alone, read), "a", nil)
	})
}

// If an append fails nothing of it is seen, and the machine is loaded again.
func TestFailedAppend(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.want(b.ask(Alone, write("a")), "", nil)
		b.log.FailAppend(errors.New("disk is gone"))
		b.want(b.ask(Alone, write("b")), "", kerr.CoordinatorNotAvailable)
		b.want(b.ask(Alone, read), "a", nil)
		b.want(b.ask(Alone, write("c")), "a", nil)
	})
}

// A log that takes nothing for now, because the disk is full, costs the commands that
// write, not the machine: those that only touch what it remembers go on.
func TestRefusedAppend(t *testing.T) {
	inBubble(t, func(b *bench) {
		full := fmt.Errorf("%w: %w", kerr.KafkaStorageError, vfs.ErrNoSpace)
		touch := func(j *journal, _ *Turn) (string, error) {
			j.fired = append(j.fired, "touched")
			return "touched", nil
		}
		gate := make(chan struct{})
		go Do(context.Background(), b.Runtime, 0, Alone, func(*journal, *Turn) (string, error) {
			<-gate
			return "", nil
		})
		synctest.Wait()
		w := b.ask(Independent, write("a"))
		r := b.ask(Independent, touch)
		b.log.FailAppend(full)
		close(gate)
		synctest.Wait()
		b.want(w, "", vfs.ErrNoSpace)
		b.want(r, "touched", nil)
		fired := func(j *journal, _ *Turn) (string, error) { return strings.Join(j.fired, ","), nil }
		b.want(b.ask(Alone, fired), "touched", nil)
		b.log.FailAppend(full) // what is not independent may have left something behind
		b.want(b.ask(Alone, write("b")), "", kerr.CoordinatorNotAvailable)
		b.want(b.ask(Alone, fired), "", nil)
		b.want(b.ask(Alone, write("c")), "", nil)
	})
}

// When the leadership is lost everybody who waits hears of it: for a commit, for an
// answer of a later command, and in the queue.
func TestResign(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.log.Hold()
		w := b.ask(Alone, write("a"))
		parked := make(chan answer, 1)
		go func() {
			v, err := Await(context.Background(), b.Runtime, 0, Alone, func(j *journal, t *Turn, d *Deferred[string]) {
				j.waiting["never"] = d
			})
			parked <- answer{v, err}
		}()
		synctest.Wait()
		b.Resign(0)
		b.log.Lead(1, false)
		synctest.Wait()
		b.want(w, "", kerr.NotCoordinator)
		b.want(parked, "", kerr.NotCoordinator)
		b.want(b.ask(Alone, read), "", kerr.NotCoordinator)
		b.Lead(0, 1, b.log)
		synctest.Wait()
		b.want(b.ask(Alone, read), "", nil) // "a" was not committed
	})
}

// An append under an old epoch is refused by the log, and the machine waits for what
// comes next.
func TestFencedAppend(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.want(b.ask(Alone, write("a")), "", nil)
		b.log.Lead(1, true)
		b.want(b.ask(Alone, write("b")), "", kerr.NotCoordinator)
		b.want(b.ask(Alone, read), "", kerr.NotCoordinator)
		b.Lead(0, 1, b.log)
		synctest.Wait()
		b.want(b.ask(Alone, read), "a", nil)
	})
}

// A leadership that lost its log can be taken up again; one that works is left alone.
func TestLeadAgain(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.log.FailAppend(kerr.KafkaStorageError)
		b.want(b.ask(Alone, write("a")), "", kerr.NotCoordinator)
		b.Lead(0, 0, b.log)
		synctest.Wait()
		b.want(b.ask(Alone, write("b")), "", nil)
		b.Lead(0, 0, &memlog.Log{})
		synctest.Wait()
		b.want(b.ask(Alone, read), "b", nil)
	})
}

// A log that refuses a leader for a moment, its lease being late, has the same epoch
// afterwards, and nobody calls Lead again: the machine comes back by itself.
func TestLogComesBack(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.want(b.ask(Alone, write("a")), "", nil)
		b.log.FailAppend(kerr.NotLeaderForPartition)
		b.want(b.ask(Alone, write("b")), "", kerr.NotCoordinator)
		b.want(b.ask(Alone, read), "", kerr.NotCoordinator)
		time.Sleep(2 * lostBackoff)
		synctest.Wait()
		b.want(b.ask(Alone, read), "a", nil)
		b.want(b.ask(Alone, write("c")), "a", nil)
	})
}

// A failed commit costs the machine; what the log still holds counts.
func TestFailedCommit(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.log.Hold()
		w := b.ask(Alone, write("a"))
		b.log.FailCommits(errors.New("no"))
		synctest.Wait()
		b.want(w, "", kerr.CoordinatorNotAvailable)
		b.log.FailCommits(nil)
		b.log.Commit()
		b.want(b.ask(Alone, read), "a", nil)
	})
}

// A log with another writer is noticed before anything is answered from it.
func TestAnotherWriter(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.want(b.ask(Alone, write("a")), "", nil)
		b.log.Put(batchOf(t, "x"))
		b.want(b.ask(Alone, write("b")), "", kerr.CoordinatorNotAvailable)
		b.want(b.ask(Alone, read), "a,x,b", nil)
	})
}

// A log that cannot be read is tried again, later and later, and meanwhile clients are
// told to wait.
func TestLoadFails(t *testing.T) {
	inBubble(t, func(b *bench) {
		bad := &memlog.Log{}
		bad.Put(batchOf(t, "poison"))
		b.Lead(1, 0, bad)
		synctest.Wait()
		_, err := Do(t.Context(), b.Runtime, 1, Alone, read)
		if !errors.Is(err, kerr.CoordinatorLoadInProgress) {
			t.Fatalf("answer while the load is tried again: %v", err)
		}
		time.Sleep(5 * time.Minute) // the loop backs off and goes on
		b.want(b.ask(Alone, read), "", nil)
	})
}

// Commands that come together and are independent share an append.
func TestIndependentCommandsShareAnAppend(t *testing.T) {
	inBubble(t, func(b *bench) {
		const n = 100
		gate := make(chan struct{})
		first := make(chan answer, 1)
		go func() {
			v, err := Do(context.Background(), b.Runtime, 0, Independent, func(j *journal, t *Turn) (string, error) {
				<-gate
				return write("first")(j, t)
			})
			first <- answer{v, err}
		}()
		synctest.Wait()
		var answers []chan answer
		for i := range n {
			answers = append(answers, b.ask(Independent, write(fmt.Sprint(i))))
		}
		close(gate)
		synctest.Wait()
		b.want(first, "", nil)
		for _, ch := range answers {
			if got := <-ch; got.err != nil {
				t.Fatal(got.err)
			}
		}
		if got := b.log.Appends(); got != 2 {
			t.Fatalf("%d commands took %d appends, want 2", n+1, got)
		}
		all := <-b.ask(Alone, read)
		if got := strings.Count(all.value, ",") + 1; got != n+1 {
			t.Fatalf("%d values were replayed, want %d", got, n+1)
		}
	})
}

// An alone command sees what independent ones before it wrote.
func TestAloneSeesIndependent(t *testing.T) {
	inBubble(t, func(b *bench) {
		gate := make(chan struct{})
		go Do(context.Background(), b.Runtime, 0, Alone, func(j *journal, t *Turn) (string, error) {
			<-gate
			return "", nil
		})
		synctest.Wait()
		b.ask(Independent, write("a"))
		r := b.ask(Alone, read)
		b.ask(Independent, write("b"))
		close(gate)
		synctest.Wait()
		b.want(r, "a", nil)
	})
}

// Timers fire in order, at their time, and a timer that is armed again moves.
func TestTimers(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.ask(Alone, func(_ *journal, t *Turn) (string, error) {
			t.Arm("a", t.Now.Add(10*time.Second))
			t.Arm("b", t.Now.Add(5*time.Second))
			t.Arm("c", t.Now.Add(time.Second))
			t.Arm("gone", t.Now.Add(time.Second))
			t.Disarm("gone")
			t.Arm("c", t.Now.Add(20*time.Second))
			return "", nil
		})
		fired := func(j *journal, _ *Turn) (string, error) { return strings.Join(j.fired, ","), nil }
		time.Sleep(4 * time.Second)
		b.want(b.ask(Alone, fired), "", nil)
		time.Sleep(8 * time.Second)
		b.want(b.ask(Alone, fired), "b,a", nil)
		time.Sleep(time.Minute)
		b.want(b.ask(Alone, fired), "b,a,c,loaded", nil)
	})
}

// Timers that are due together see what those before them wrote.
func TestTimersSeeEachOther(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.ask(Alone, func(_ *journal, t *Turn) (string, error) {
			for _, key := range []string{"write 1", "write 2", "write 3"} {
				t.Arm(key, t.Now.Add(time.Second))
			}
			return "", nil
		})
		time.Sleep(time.Second)
		synctest.Wait()
		b.want(b.ask(Alone, read), "0 seen,1 seen,2 seen", nil)
	})
}

// A parked answer that a timer gives leaves when what the timer saw is committed.
func TestDeferredAnswer(t *testing.T) {
	inBubble(t, func(b *bench) {
		parked := make(chan answer, 1)
		go func() {
			v, err := Await(context.Background(), b.Runtime, 0, Alone, func(j *journal, t *Turn, d *Deferred[string]) {
				j.waiting["soon"] = d
				t.Arm("soon", t.Now.Add(time.Second))
			})
			parked <- answer{v, err}
		}()
		synctest.Wait()
		b.log.Hold()
		b.ask(Alone, write("a"))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.wantNone(parked)
		b.log.Commit()
		synctest.Wait()
		b.want(parked, "a", nil)
	})
}

// Records that do not fit one batch go out in several.
func TestLargeCommand(t *testing.T) {
	inBubble(t, func(b *bench) {
		b.ask(Alone, func(_ *journal, t *Turn) (string, error) {
			for range 5 {
				t.Write(Record{Key: []byte("k"), Value: make([]byte, defaultMaxBytes/2)})
			}
			return "", nil
		})
		if got := b.log.Appends(); got != 5 {
			t.Fatalf("%d appends, want 5", got)
		}
		b.Resign(0)
		b.Lead(0, 0, b.log)
		synctest.Wait()
		got := <-b.ask(Alone, read)
		if n := len(got.value); n != 5*defaultMaxBytes/2+4 {
			t.Fatalf("%d bytes were loaded", n)
		}
	})
}

// Many callers at once: every write is there once, in the order of the log, and nobody
// is forgotten.
func TestManyCallers(t *testing.T) {
	inBubble(t, func(b *bench) {
		const callers, each = 50, 40
		var group sync.WaitGroup
		for c := range callers {
			group.Go(func() {
				for i := range each {
					o := Order((c + i) % 2)
					if _, err := Do(context.Background(), b.Runtime, 0, o, write(fmt.Sprintf("%d/%d", c, i))); err != nil {
						t.Errorf("caller %d: %v", c, err)
					}
				}
			})
		}
		group.Wait()
		got := strings.Split((<-b.ask(Alone, read)).value, ",")
		next := make([]int, callers)
		for _, v := range got {
			var c, i int
			if _, err := fmt.Sscanf(v, "%d/%d", &c, &i); err != nil || next[c] != i {
				t.Fatalf("value %q, want %d of caller %d next", v, next[c], c)
			}
			next[c]++
		}
		if len(got) != callers*each {
			t.Fatalf("%d values, want %d", len(got), callers*each)
		}
	})
}

// When the runtime ends, whoever waits is answered, and so is whoever comes late.
func TestShutdown(t *testing.T) {
	inBubble(t, func(b *bench) {
		parked := make(chan answer, 1)
		go func() {
			v, err := Await(context.Background(), b.Runtime, 0, Alone, func(*journal, *Turn, *Deferred[string]) {})
			parked <- answer{v, err}
		}()
		synctest.Wait()
		b.stop()
		synctest.Wait()
		b.want(parked, "", kerr.CoordinatorNotAvailable)
		b.want(b.ask(Alone, read), "", kerr.CoordinatorNotAvailable)
	})
}

func batchOf(t *testing.T, value string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.BuilderConfig{})
	b.Append(record.Record{Key: []byte("k"), Value: []byte(value)})
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}
