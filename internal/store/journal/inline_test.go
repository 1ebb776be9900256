package journal_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/store/journal"
	"github.com/twmb/franz-go/pkg/kerr"
)

// begin has the journal know where partitions end, so that what follows goes through it.
func begin(t *testing.T, j *journal.Journal, all ...*recorder) {
	t.Helper()
	for _, r := range all {
		must(t, r.submit(j, 1))
	}
	synctest.Wait()
}

// stalled has the syncs of a disk wait until the channel is closed.
func stalled(disk *vfs.Faulty) chan struct{} {
	c := make(chan struct{})
	disk.SetRule(func(op vfs.Op, _ string) error {
		if op == vfs.OpSync {
			<-c
		}
		return nil
	})
	return c
}

// What was added stays until somebody commits, who has it made durable before Commit returns, all of
// it by one write.
func TestCommitByTheCaller(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := vfs.NewFaulty(newDisk(t), nil)
		j, _, stop := start(t, config(disk))
		a, b := newRecorder(1), newRecorder(2)
		begin(t, j, a, b)
		writes := 0
		disk.SetRule(func(op vfs.Op, _ string) error {
			if op == vfs.OpWrite {
				writes++
			}
			return nil
		})
		must(t, a.add(j, 1))
		must(t, b.add(j, 2))
		must(t, a.add(j, 1))
		synctest.Wait()
		if writes != 0 || len(a.durable)+len(b.durable) != 2 {
			t.Errorf("%d writes before anybody asked: durable %v and %v", writes, a.durable, b.durable)
		}
		j.Commit()
		if got := fmt.Sprint(writes, a.durable, b.durable); got != "1 [1 3] [1 3]" {
			t.Errorf("writes and what is durable after Commit: %s", got)
		}
		j.Commit() // nothing
		if writes != 1 {
			t.Errorf("%d writes for nothing", writes-1)
		}
		must(t, stop())
		must(t, j.Close())
	})
}

// Who comes while another commits does not wait, and what it has added is next.
func TestCommitWhileAnotherCommits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := vfs.NewFaulty(newDisk(t), nil)
		j, _, stop := start(t, config(disk))
		a, b := newRecorder(1), newRecorder(2)
		begin(t, j, a, b)
		stall := stalled(disk)
		must(t, a.add(j, 1))
		go j.Commit()
		synctest.Wait()
		must(t, b.add(j, 1))
		j.Commit()
		if len(a.durable) != 1 || len(b.durable) != 1 {
			t.Errorf("durable %v and %v before the disk was", a.durable, b.durable)
		}
		close(stall)
		synctest.Wait()
		if got := fmt.Sprint(a.durable, b.durable); got != "[1 2] [1 2]" {
			t.Errorf("durable %s", got)
		}
		must(t, stop())
		must(t, j.Close())
	})
}

// Close comes after a Commit that is under way, not into it.
func TestCloseAwaitsCommit(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := newDisk(t)
		disk := vfs.NewFaulty(mem, nil)
		j, _, stop := start(t, config(disk))
		a := newRecorder(1)
		begin(t, j, a)
		stall := stalled(disk)
		must(t, a.add(j, 1))
		go j.Commit()
		synctest.Wait()
		must(t, stop())
		closed := make(chan error, 1)
		go func() { closed <- j.Close() }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Fatalf("closed (%v) while a group was on its way to the disk", err)
		default:
		}
		close(stall)
		must(t, <-closed)
		if fmt.Sprint(a.durable) != "[1 2]" {
			t.Errorf("durable %v", a.durable)
		}
		j.Commit() // does nothing any more
		_, entries, err := journal.Open(config(mem))
		if err != nil || len(entries) != 0 {
			t.Errorf("%d entries to replay after an orderly end: %v", len(entries), err)
		}
	})
}

// A disk that fails under a Commit ends the journal, and Run says so.
func TestCommitMeetsFailure(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := vfs.NewFaulty(newDisk(t), nil)
		cfg := config(disk)
		j, _, err := journal.Open(cfg)
		must(t, err)
		ended := make(chan error, 1)
		go func() { ended <- j.Run(t.Context()) }()
		a := newRecorder(1)
		begin(t, j, a)
		disk.SetRule(func(op vfs.Op, _ string) error {
			if op == vfs.OpSync {
				return vfs.LostSync{}
			}
			return nil
		})
		must(t, a.add(j, 1))
		j.Commit()
		if len(a.failed) != 1 || !errors.Is(a.failed[0], kerr.KafkaStorageError) {
			t.Errorf("the partition was told %v", a.failed)
		}
		if err := <-ended; !errors.Is(err, vfs.ErrIO) {
			t.Errorf("run: %v", err)
		}
	})
}

// A disk that is full when somebody commits is looked at again by itself, as if the journal had
// met it.
func TestCommitOnFullDisk(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := newDisk(t)
		mem.SetSize(64 << 10)
		j, _, stop := start(t, config(mem))
		r := newRecorder(1)
		for r.syncs < 3 {
			must(t, r.add(j, 1))
			j.Commit()
			synctest.Wait()
			if last := r.durable[len(r.durable)-1]; last != r.end {
				t.Fatalf("durable to %d of %d", last, r.end)
			}
		}
		mem.SetSize(1 << 20)
		time.Sleep(time.Second)
		before := r.syncs
		for range 5 {
			must(t, r.add(j, 1))
			j.Commit()
			synctest.Wait()
		}
		if r.syncs > before+1 {
			t.Errorf("%d of 5 appends were synced with room in the journal", r.syncs-before)
		}
		must(t, stop())
		must(t, j.Close())
	})
}

// Small appends that come together are copied up to a sum, and beyond it synced where they are.
func TestManySmallAppends(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		j, _, stop := start(t, config(newDisk(t))) // small is up to 4 KiB
		r := newRecorder(1)
		begin(t, j, r)
		n := 1
		for len(batch(0, make([]cell, n+1))) <= 4<<10 {
			n++
		}
		for range 4 {
			must(t, r.add(j, n))
		}
		j.Commit()
		synctest.Wait()
		if r.syncs != 1 || r.durable[len(r.durable)-1] != r.end {
			t.Errorf("four small appends: %d syncs of the segment, want that of the beginning alone; durable %v of %d", r.syncs, r.durable, r.end)
		}
		for range 5 {
			must(t, r.add(j, n))
		}
		j.Commit()
		synctest.Wait()
		if r.syncs != 2 || r.durable[len(r.durable)-1] != r.end {
			t.Errorf("five: %d syncs of the segment, want one more; durable %v of %d", r.syncs, r.durable, r.end)
		}
		must(t, stop())
		must(t, j.Close())
	})
}
