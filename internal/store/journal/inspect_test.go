package journal_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/store/journal"
)

// A person sees every whole group of a file, and what damages one hides that one only.
func TestInspect(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		disk := newDisk(t)
		j, _, stop := start(t, config(disk))
		r := newRecorder(7)
		for range 4 { // the first is synced where it is
			must(t, r.submit(j, 2))
			synctest.Wait()
		}
		must(t, stop())
		look := func() (seen []string) {
			f, err := disk.Open("/j/journal-00000001.odj")
			must(t, err)
			defer f.Close()
			for g, err := range journal.Inspect(f) {
				must(t, err)
				for _, e := range g.Entries {
					seen = append(seen, fmt.Sprintf("%d stale=%v %s %d [%d,%d) %t", g.Pos, g.Stale, e.Kind, e.ID.Partition, e.Base, e.End, len(e.Batches) > 0))
				}
			}
			return seen
		}
		want := "[4096 stale=false append 7 [2,4) true 8192 stale=false append 7 [4,6) true 12288 stale=false append 7 [6,8) true]"
		if seen := fmt.Sprint(look()); seen != want {
			t.Errorf("%s\nwant %s", seen, want)
		}
		f, err := disk.OpenFile("/j/journal-00000001.odj", 2, 0)
		must(t, err)
		_, err = f.WriteAt([]byte{0xff}, 8192+60)
		must(t, err)
		must(t, f.Close())
		want = "[4096 stale=false append 7 [2,4) true 12288 stale=true append 7 [6,8) true]"
		if seen := fmt.Sprint(look()); seen != want {
			t.Errorf("damaged: %s\nwant %s", seen, want)
		}
		must(t, j.Close())
	})
}
