package journal_test

import (
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/store/journal"
)

// slowDisk can be asked to write what it has, which takes until gate is closed.
type slowDisk struct {
	vfs.FS
	gate  chan struct{}
	asked int
}

func (d *slowDisk) WriteBack(string) { d.asked++; <-d.gate }

// fill has n partitions in the journal, whose first file is due to be used again.
func fill(t *testing.T, j *journal.Journal, n int32) (all []*recorder) {
	for i := range n {
		r := newRecorder(i)
		all = append(all, r)
		must(t, r.submit(j, 1)) // by a sync of its own: nothing is known of it yet
	}
	synctest.Wait()
	more(t, j, all)
	j.Recycle()
	synctest.Wait()
	return all
}

func more(t *testing.T, j *journal.Journal, all []*recorder) {
	for _, r := range all {
		must(t, r.submit(j, 1))
		synctest.Wait() // a group of its own
	}
}

func synced(all []*recorder) (n int) {
	for _, r := range all {
		r.mu.Lock()
		n += r.syncs - 1 // the first was asked for
		r.mu.Unlock()
	}
	return n
}

// Before many segments are synced the disk is asked once to write all it has. Those whom
// nobody waits for are synced afterwards, one who is waited for meanwhile.
func TestDiskIsAskedBeforeManySyncs(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := &slowDisk{FS: newDisk(t), gate: make(chan struct{})}
		cfg := config(disk)
		cfg.FileBytes = 4 << 20
		j, _, stop := start(t, cfg)
		all := fill(t, j, 300)
		if n := synced(all); disk.asked != 1 || n != 0 {
			t.Fatalf("the disk was asked %d times, and %d segments are synced before it has answered", disk.asked, n)
		}
		late := newRecorder(1000)
		must(t, late.submit(j, 1))
		synctest.Wait()
		if len(late.durable) != 1 {
			t.Error("one that is waited for waits for the whole disk")
		}
		close(disk.gate)
		synctest.Wait()
		if n := synced(all); disk.asked != 1 || n != 300 {
			t.Errorf("the disk was asked %d times, %d of 300 segments are synced", disk.asked, n)
		}
		must(t, stop())
		must(t, j.Close())
	})
}

// A few segments are not worth it.
func TestDiskIsNotAskedForFewSyncs(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := &slowDisk{FS: newDisk(t), gate: make(chan struct{})}
		j, _, stop := start(t, config(disk))
		all := fill(t, j, 20)
		if n := synced(all); disk.asked != 0 || n != 20 {
			t.Errorf("the disk was asked %d times, %d of 20 segments are synced", disk.asked, n)
		}
		must(t, stop())
		must(t, j.Close())
	})
}

// A disk that takes for ever, perhaps for what is not ours, does not let the journal grow
// without end.
func TestJournalDoesNotWaitForDiskForEver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := &slowDisk{FS: newDisk(t), gate: make(chan struct{})}
		cfg := config(disk)
		cfg.FileBytes, cfg.LiveBytes = 2<<20, 2<<20
		j, _, stop := start(t, cfg)
		all := fill(t, j, 300)
		for range 18 { // 1.2 MB each
			more(t, j, all)
		}
		if n := synced(all); disk.asked != 1 || n < 300 {
			t.Errorf("the disk was asked %d times, %d segments are synced", disk.asked, n)
		}
		close(disk.gate)
		must(t, stop())
		must(t, j.Close())
	})
}

// When the journal is closed the disk is asked as well.
func TestDiskIsAskedAtClose(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := &slowDisk{FS: newDisk(t), gate: make(chan struct{})}
		close(disk.gate)
		cfg := config(disk)
		cfg.FileBytes = 4 << 20
		j, _, stop := start(t, cfg)
		all := fill(t, j, 300)
		more(t, j, all)
		must(t, stop())
		must(t, j.Close())
		if n := synced(all); disk.asked != 2 || n != 600 {
			t.Errorf("the disk was asked %d times, there were %d syncs", disk.asked, n)
		}
	})
}

// The more partitions have something in the journal, the more it keeps before their segments are
// synced, up to four times as much.
func TestManyPartitionsKeepMore(t *testing.T) {
	for _, test := range []struct {
		partitions int32
		kib        int
		synced     bool
	}{
		{2, 100, false}, {2, 300, true},
		{10, 120, false}, {10, 420, true}, // 240 KiB, in whole files
		{40, 300, false}, {40, 800, true}, // 512 KiB, not 960
	} {
		bubble.Test(t, func(t *testing.T) {
			cfg := config(newDisk(t))
			cfg.FileBytes, cfg.LiveBytes = 64<<10, 128<<10
			j, _, stop := start(t, cfg)
			var all []*recorder
			for n := range test.partitions {
				all = append(all, newRecorder(n))
			}
			begin(t, j, all...)
			for written := 0; written < test.kib; {
				more(t, j, all)
				written += 4 * len(all) // a block each
			}
			if n := synced(all); (n > 0) != test.synced {
				t.Errorf("%d partitions, %d KiB: %d syncs", test.partitions, test.kib, n)
			}
			must(t, stop())
			must(t, j.Close())
		})
	}
}
