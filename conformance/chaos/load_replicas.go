package chaos

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/sim/check"
	"github.com/odradek/odradek/sim/history"
)

// Replicas compares what the nodes keep of each partition of the load, byte for byte, as
// far as the drain has read. The nodes must have stopped since, in good order.
func (l *Load) Replicas() (wrong []string) {
	for place, o := range l.drains[history.Uncommitted].bounds {
		var all []check.Replica
		for _, n := range l.rig.Nodes {
			dir := filepath.Join(n.Data, fmt.Sprintf("%s-%d", place.Topic, place.Partition))
			if _, err := os.Stat(dir); err == nil {
				all = append(all, check.Replica{Node: n.ID, FS: vfs.OS, Dir: dir, Start: o.Start, High: o.High})
			}
		}
		if want := min(3, len(l.rig.Nodes)); len(all) != want {
			wrong = append(wrong, fmt.Sprintf("%v is on %d nodes instead of %d", place, len(all), want))
		}
		for _, v := range check.Replicas(place, all, false) {
			wrong = append(wrong, v.String())
		}
	}
	return wrong
}
