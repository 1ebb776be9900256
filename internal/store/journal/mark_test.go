package journal_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/store/journal"
)

// A log may be cut only when the journal has said so for good, also in the first moments
// of a process: what is to be replayed would not fit a log that is shorter.
func TestTruncatedBeforeRun(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := newDisk(t)
		j, _, stop := start(t, config(disk))
		r := newRecorder(1)
		for range 3 { // the first goes another way
			must(t, r.submit(j, 10))
			synctest.Wait()
		}
		disk = disk.Crash(rand.New(rand.NewPCG(1, 1)))
		_ = stop()

		j, entries, err := journal.Open(config(disk))
		must(t, err)
		if len(entries) == 0 {
			t.Fatal("there is nothing to replay")
		}
		done := make(chan error, 1)
		go func() { done <- j.Truncated(r.id, 0) }()
		synctest.Wait()
		if len(done) > 0 {
			t.Errorf("Truncated did not wait: %v", <-done)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- j.Run(ctx) }()
		must(t, <-done)
		disk = disk.Crash(rand.New(rand.NewPCG(2, 2)))
		cancel()
		<-ran
		_, entries, err = journal.Open(config(disk))
		if must(t, err); len(entries) > 0 {
			t.Errorf("%d entries came back", len(entries))
		}
	})
}
