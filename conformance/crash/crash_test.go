package crash

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	kills = flag.Int("kills", 5, "how often the node is killed")
	seed  = flag.Uint64("seed", 0, "of the load and the moments; 0 takes one of its own and prints it")
)

// patience is for a step that ought to take a second or two; it only keeps a node that
// hangs from hanging the test.
const patience = 2 * time.Minute

// A node is killed under load, at a moment that chance picks, and started again. Each
// time a fresh client finds every record that was acknowledged at its offset, in order and
// once; what was committed, created and trimmed stays so. Some kills fall into the start.
func TestKillNine(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.populate()
	for range *kills {
		r.runUntil(r.rng.IntN(1500)+1, r.node.Kill)
		if r.rng.IntN(5) == 0 {
			r.killStart()
		}
		r.start()
		r.check()
	}
	r.finish()
}

// The check of a whole node must be able to fail too: here somebody halves the segments
// and empties the journal between two lives.
func TestDamageIsSeen(t *testing.T) {
	r := newRig(t, t.TempDir())
	r.populate()
	r.runUntil(2000, r.node.Kill)
	halved := 0
	r.try(filepath.WalkDir(r.node.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(r.node.Dir, path)
		switch {
		case strings.HasPrefix(rel, "small-") && strings.HasSuffix(rel, ".log"):
			halved++
			return os.Truncate(path, info.Size()/2)
		case strings.Contains(rel, "journal"):
			return os.Remove(path)
		}
		return nil
	}))
	if halved == 0 {
		t.Fatal("no segment was found")
	}
	r.start()
	ctx, cancel := r.context()
	defer cancel()
	r.try(Check(ctx, []string{r.node.Addr}, r.history))
	// Producers that live on fill the holes with other records.
	wrong := strings.Join(r.history.Wrong(), "\n")
	if !strings.Contains(wrong, "stood {") && !strings.Contains(wrong, "lost {") {
		t.Errorf("half of six segments is gone, and the check found this: %q", wrong)
	}
}
