package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
)

// A reader finds in the files what the node has, how its voters changed, and damage; a
// torn end is none.
func TestInspect(t *testing.T) {
	inWorld(t, 1, 1, func(w *world) {
		t := w.t
		w.agree("first", time.Second)
		w.start(2)
		if err := w.alter(time.Second, add(2)); err != nil {
			t.Fatal(err)
		}
		if err := w.alter(time.Second, remove(2)); err != nil {
			t.Fatal(err)
		}
		for i := range 9 {
			w.agree(fmt.Sprint("more ", i), time.Second)
		}
		fs := w.host(1).disk
		got := map[int64]string{}
		var changes []string
		var places []int64
		var file []byte
		logs, err := listNumbered(fs, "/data/quorum", ".log")
		if err != nil {
			t.Fatal(err)
		}
		for _, seq := range logs {
			if file, err = vfs.ReadFile(fs, filepath.Join("/data/quorum", logName(seq))); err != nil {
				t.Fatal(err)
			}
			places = nil
			end, err := InspectLog(file, func(s Step) error {
				places = append(places, s.Position)
				for _, e := range s.Entries {
					got[e.Offset] = string(e.Data)
					if e.Change != "" {
						changes = append(changes, e.Change)
					}
				}
				return nil
			})
			if err != nil || end != int64(len(file)) {
				t.Fatalf("%d of %d, %v", end, len(file), err)
			}
		}
		for offset, e := range w.log {
			if offset > 1 && got[offset] != e {
				t.Errorf("%d is %q, want %q", offset, got[offset], e)
			}
		}
		if want := []string{"add learner 2", "add voter 2", "remove 2"}; !slices.Equal(changes, want) {
			t.Errorf("changes %q", changes)
		}
		last := places[len(places)-1]
		if end, err := InspectLog(file[:last+9], func(Step) error { return nil }); err != nil || end != last {
			t.Errorf("torn: ends at %d, want %d, %v", end, last, err)
		}
		bad := bytes.Clone(file)
		bad[places[2]+14] ^= 1
		if end, err := InspectLog(bad, func(Step) error { return nil }); !errors.Is(err, ErrCorrupt) || end != places[2] {
			t.Errorf("damaged: ends at %d, want %d, %v", end, places[2], err)
		}
		stop := fmt.Errorf("enough")
		if _, err := InspectLog(file, func(Step) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("stopped: %v", err)
		}
		for n := range len(file) {
			if _, err := InspectLog(file[:n], func(Step) error { return nil }); err == nil && n < logHeader {
				t.Errorf("%d bytes are a log", n)
			}
		}
		file, err = vfs.ReadFile(fs, filepath.Join("/data/quorum", snapName(1)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := InspectSnapshot(file)
		if err != nil || s.Offset != 1 || !slices.Equal(s.Voters, []int32{1}) || len(s.Data) > 0 {
			t.Errorf("%+v, %v", s, err)
		}
		file[len(file)-1] ^= 1
		if _, err := InspectSnapshot(file); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a damaged snapshot: %v", err)
		}
	})
}
