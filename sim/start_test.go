package sim

import (
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/sim/check"
	"github.com/odradek/odradek/sim/history"
)

// The log start of a replica is what its folder says, of this partition and no other.
func TestStartOf(t *testing.T) {
	disk := vfs.NewMem()
	if err := vfs.MkdirAllDurable(disk, "/data", 0o755); err != nil {
		t.Fatal(err)
	}
	text := "0\n3\ntrim 0 3\ntrims 0 135\ntrims 10 7\n"
	if err := vfs.WriteFileDurable(disk, "/data/log-start-offset-checkpoint", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[history.Place]int64{
		{Topic: "trims"}: 135, {Topic: "trims", Partition: 10}: 7, {Topic: "trims", Partition: 1}: 0, {Topic: "orders"}: 0,
	} {
		if got := startOf(check.Replica{FS: disk, Dir: "/data/" + p.Topic + "-0"}, p); got != want {
			t.Errorf("%v starts at %d, want %d", p, got, want)
		}
	}
}
