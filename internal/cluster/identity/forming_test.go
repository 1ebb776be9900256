package identity

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
)

// A node whose cluster is named by others keeps the ids of its folders through power
// cuts, and knows its cluster for good once it has been told.
func TestForming(t *testing.T) {
	disk := vfs.NewMem()
	cfg := config(disk, "/a", "/b")
	cfg.Forming = true
	first, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !first.Forming || first.ClusterID != "" || first.Dirs[0].IsZero() || first.Dirs[0] == first.Dirs[1] {
		t.Fatalf("%+v", first)
	}
	disk = disk.Crash(rand.New(rand.NewPCG(1, 1)))
	cfg = config(disk, "/a", "/b", "/c")
	again, err := Open(cfg) // also by who is not told any more that others form the cluster
	if err != nil {
		t.Fatal(err)
	}
	if !again.Forming || again.ClusterID != "" || !slices.Equal(again.Dirs[:2], first.Dirs) {
		t.Fatalf("%+v, want %+v", again, first)
	}
	if err := again.Format("the-cluster"); err != nil {
		t.Fatal(err)
	}
	if again.Forming || again.ClusterID != "the-cluster" {
		t.Errorf("%+v", again)
	}
	if err := again.Format("the-cluster"); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if err := again.Format("other"); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "controller.quorum.voters") {
		t.Errorf("another cluster: %v", err)
	}
	disk = disk.Crash(rand.New(rand.NewPCG(1, 2)))
	cfg = config(disk, "/a", "/b", "/c")
	cfg.Forming = true
	last, err := Open(cfg)
	if err != nil || last.Forming || last.ClusterID != "the-cluster" || !slices.Equal(last.Dirs, again.Dirs) || len(last.Formatted) > 0 {
		t.Errorf("%+v, %v", last, err)
	}
}

// A crash while the folders were told leaves some that know: they tell the rest.
func TestFormedByHalf(t *testing.T) {
	disk := vfs.NewMem()
	cfg := config(disk, "/a", "/b")
	cfg.Forming = true
	first, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(disk, "/b", Properties{"x", 1, first.Dirs[1]}); err != nil {
		t.Fatal(err)
	}
	id, err := Open(cfg)
	if err != nil || id.Forming || id.ClusterID != "x" || !slices.Equal(id.Dirs, first.Dirs) {
		t.Fatalf("%+v, %v", id, err)
	}
	if p, _, err := Read(disk, "/a"); err != nil || p.ClusterID != "x" {
		t.Errorf("%+v, %v", p, err)
	}
}

// A node that is told its cluster's id has nothing to wait for.
func TestToldClusterID(t *testing.T) {
	disk := vfs.NewMem()
	cfg := config(disk, "/a")
	cfg.Forming = true
	if _, err := Open(cfg); err != nil {
		t.Fatal(err)
	}
	cfg.ClusterID = "told"
	id, err := Open(cfg)
	if err != nil || id.Forming || id.ClusterID != "told" {
		t.Errorf("%+v, %v", id, err)
	}
}

// A folder that fails while its cluster is told is left out; the metadata folder is not.
func TestFormFails(t *testing.T) {
	disk := vfs.NewMem()
	faulty := vfs.NewFaulty(disk, nil)
	cfg := config(faulty, "/a", "/b")
	cfg.Forming, cfg.Metadata = true, "/a"
	id, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	broken := "/b"
	faulty.SetRule(func(_ vfs.Op, name string) error {
		if strings.HasPrefix(name, broken) {
			return vfs.ErrIO
		}
		return nil
	})
	if err := id.Format("x"); err != nil || id.Errs[1] == nil || id.Errs[0] != nil {
		t.Errorf("%v, %+v", err, id)
	}
	id.Forming, id.Errs, broken = true, make([]error, 2), "/a"
	if err := id.Format("x"); err == nil || !strings.Contains(err.Error(), "metadata folder") {
		t.Errorf("with the metadata folder broken: %v", err)
	}
}
