package identity

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

func config(fs vfs.FS, dirs ...string) Config {
	rng := rand.New(rand.NewPCG(1, uint64(len(dirs))))
	return Config{FS: fs, Dirs: dirs, NodeID: 1, Rand: func(b []byte) {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
	}}
}

// A node formats itself at its first start and is the same ever after, power cuts
// included; a folder that is added joins.
func TestFirstStartAndAfter(t *testing.T) {
	disk := vfs.NewMem()
	first, err := Open(config(disk, "/a", "/b"))
	if err != nil {
		t.Fatal(err)
	}
	if len(first.ClusterID) != 22 || first.Dirs[0] == first.Dirs[1] || len(first.Formatted) != 2 {
		t.Fatalf("%+v", first)
	}
	disk = disk.Crash(rand.New(rand.NewPCG(1, 1)))
	again, err := Open(config(disk, "/a", "/b", "/c"))
	if err != nil {
		t.Fatal(err)
	}
	if again.ClusterID != first.ClusterID || !slices.Equal(again.Dirs[:2], first.Dirs) || !slices.Equal(again.Formatted, []string{"/c"}) {
		t.Errorf("%+v, want %+v", again, first)
	}
}

// A folder that Kafka formatted is taken over as it is.
func TestKafkasOwnFile(t *testing.T) {
	for text, cluster := range map[string]string{
		"#\n#Sun Nov 22 00:00:00 UTC 2026\nnode.id=1\ndirectory.id=R4SMGmHQQa6Jc2sE7Hs7aw\nversion=1\ncluster.id=sfdjOSWVT3ONTHHJj3hYbA\n": "sfdjOSWVT3ONTHHJj3hYbA",
		"broker.id=1\nversion=0\ncluster.id=old\n":     "old",
		"node.id = 1\nversion = 1\ncluster.id = x\\=y": "x=y",
	} {
		disk := vfs.NewMem()
		put(t, disk, "/a", text)
		id, err := Open(config(disk, "/a"))
		if err != nil || id.ClusterID != cluster || id.Dirs[0].IsZero() || len(id.Formatted) > 0 {
			t.Errorf("%q: %+v, %v", text, id, err)
		}
		again, err := Open(config(disk, "/a"))
		if err != nil || again.Dirs[0] != id.Dirs[0] {
			t.Errorf("%q: the folder has another id now: %v", text, err)
		}
	}
}

func put(t *testing.T, fs vfs.FS, dir, text string) {
	t.Helper()
	if err := vfs.MkdirAllDurable(fs, dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := vfs.WriteFileDurable(fs, filepath.Join(dir, FileName), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What does not belong is refused with the fix in the message, and nothing is changed.
func TestRefusals(t *testing.T) {
	good := "version=1\nnode.id=1\ncluster.id=x\ndirectory.id=R4SMGmHQQa6Jc2sE7Hs7aw\n"
	cases := []struct {
		name  string
		files map[string]string
		told  string
		words string
	}{
		{"another cluster", map[string]string{"/a": good}, "y", "/a is of cluster x, but the node was told y: set the cluster id to x"},
		{"two clusters", map[string]string{"/a": good, "/b": "version=1\nnode.id=1\ncluster.id=y"}, "", "/b is of cluster y, but /a/meta.properties says x"},
		{"another node", map[string]string{"/a": strings.Replace(good, "node.id=1", "node.id=7", 1)}, "", "set node.id=7"},
		{"a copy", map[string]string{"/a": good, "/b": good}, "", "/b has the directory.id of /a"},
		{"newer", map[string]string{"/a": "version=2\nnode.id=1\ncluster.id=x"}, "", "upgrade this node"},
		{"no version", map[string]string{"/a": "node.id=1\ncluster.id=x"}, "", "no version"},
		{"no cluster", map[string]string{"/a": "version=1\nnode.id=1"}, "", "no cluster.id"},
		{"no node", map[string]string{"/a": "version=1\ncluster.id=x"}, "", "not a number"},
		{"noise", map[string]string{"/a": "what"}, "", "not KEY=VALUE"},
		{"a bad directory id", map[string]string{"/a": "version=1\nnode.id=1\ncluster.id=x\ndirectory.id=short"}, "", "directory.id"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			disk := vfs.NewMem()
			for dir, text := range c.files {
				put(t, disk, dir, text)
			}
			cfg := config(disk, "/a", "/b", "/new")
			cfg.ClusterID = c.told
			_, err := Open(cfg)
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Fatalf("Open = %v, want %q", err, c.words)
			}
			if _, formatted, _ := Read(disk, "/new"); formatted {
				t.Error("a folder was formatted all the same")
			}
		})
	}
}

// A folder with partitions and no file is somebody's.
func TestPartitionsWithoutFile(t *testing.T) {
	disk := vfs.NewMem()
	for _, dir := range []string{"/a/lost+found", "/a/no-partition", "/b/topic-0"} {
		if err := vfs.MkdirAllDurable(disk, dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(config(disk, "/b")); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "topic-0") {
		t.Errorf("Open = %v", err)
	}
	if _, err := Open(config(disk, "/a")); err != nil {
		t.Error(err)
	}
}

// A folder that cannot be read or written is left out while another says who the node
// is. At a first start, and for the metadata folder, it is not: who knows what is in it.
func TestBrokenFolder(t *testing.T) {
	kinds := map[string]func(disk *vfs.Mem) vfs.FS{
		"dead": func(disk *vfs.Mem) vfs.FS {
			return vfs.NewFaulty(disk, func(_ vfs.Op, name string) error {
				if strings.HasPrefix(name, "/b") {
					return vfs.ErrIO
				}
				return nil
			})
		},
		"damaged": func(disk *vfs.Mem) vfs.FS { put(t, disk, "/b", "what"); return disk },
	}
	for kind, broken := range kinds {
		t.Run(kind, func(t *testing.T) {
			disk := vfs.NewMem()
			first, err := Open(config(disk, "/a", "/b"))
			if err != nil {
				t.Fatal(err)
			}
			fs := broken(disk)
			cfg := config(fs, "/a", "/b")
			cfg.Metadata = "/a"
			id, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if id.Errs[0] != nil || id.Errs[1] == nil || id.ClusterID != first.ClusterID || id.Dirs[0] != first.Dirs[0] || !id.Dirs[1].IsZero() {
				t.Errorf("%+v", id)
			}
			cfg.Metadata = "/b"
			if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "metadata folder") {
				t.Errorf("with the metadata folder broken: %v", err)
			}
			if _, err := Open(config(fs, "/new", "/b")); err == nil {
				t.Error("a new cluster was made beside a folder that cannot be read")
			}
			if _, err := Open(config(fs, "/b")); err == nil {
				t.Error("the node starts without a folder")
			}
		})
	}
}

// No bit that turns makes the file of a folder that of another one, or of one without an id.
func TestTurnedBits(t *testing.T) {
	for _, cluster := range []string{"sfdjOSWVT3ONTHHJj3hYbA", ""} {
		want := Properties{ClusterID: cluster, NodeID: 3, DirectoryID: model.ID{1, 2, 3}}
		text := want.encode()
		for i := range text {
			for bit := range 8 {
				text[i] ^= 1 << bit
				if got, err := parse(string(text)); err == nil && got != want {
					t.Errorf("bit %d of byte %d (%q): %+v", bit, i, text, got)
				}
				text[i] ^= 1 << bit
			}
		}
		if got, err := parse(string(text)); err != nil || got != want {
			t.Errorf("as it was written: %+v, %v", got, err)
		}
	}
}
