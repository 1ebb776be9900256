package chaos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// group is a control group with a limit to the memory of what is in it, of version 1 or 2,
// whichever the machine has.
type group struct {
	dir   string
	limit string // the file with the limit
	none  string // what the file says where there is no limit
}

// hierarchies are where groups may be made, and what their files are called.
var hierarchies = []struct{ root, probe, limit, none string }{
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.limit_in_bytes", "-1"},
	{"/sys/fs/cgroup", "memory.max", "memory.max", "max"},
	{"/sys/fs/cgroup/unified", "memory.max", "memory.max", "max"},
}

const groupPrefix = "odradek-chaos"

// newGroup makes a group without a limit.
func newGroup() (*group, error) {
	var errs []error
	for _, h := range hierarchies {
		g := &group{filepath.Join(h.root, unique(groupPrefix)), h.limit, h.none}
		if err := os.Mkdir(g.dir, 0o755); err != nil {
			errs = append(errs, err)
			continue
		}
		if _, err := os.Stat(filepath.Join(g.dir, h.probe)); err == nil {
			return g, nil
		}
		g.remove()
	}
	return nil, fmt.Errorf("no control group with a limit to memory can be made here (%w)", errors.Join(errs...))
}

// groups gives each node a group of its own, or none of them.
func (r *Rig) groups() error {
	for _, n := range r.Nodes {
		g, err := newGroup()
		if err != nil {
			for _, n := range r.Nodes {
				n.group.remove()
				n.group = nil
			}
			return err
		}
		n.group = g
	}
	return nil
}

// exec is what the command begins with of a process that is to be in the group.
func (g *group) exec() []string {
	if g == nil {
		return nil
	}
	return []string{"sh", "-c", `echo $$ > "$0" && exec "$@"`, filepath.Join(g.dir, "cgroup.procs")}
}

// Limit bounds the memory, or lets it be if bytes is 0. A group that holds more and cannot
// give it back at once is asked again for a while.
func (g *group) Limit(bytes int64) (err error) {
	text := g.none
	if bytes > 0 {
		text = strconv.FormatInt(bytes, 10)
	}
	for range 20 {
		if err = os.WriteFile(filepath.Join(g.dir, g.limit), []byte(text), 0o644); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// remove takes the group away, when the system has seen that its processes are gone.
func (g *group) remove() {
	if g == nil {
		return
	}
	for range 100 {
		if err := os.Remove(g.dir); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// sweepGroups takes away the groups of processes that are gone.
func sweepGroups() {
	for _, h := range hierarchies {
		dirs, _ := filepath.Glob(filepath.Join(h.root, groupPrefix+"*"))
		for _, dir := range dirs {
			if stale(strings.TrimPrefix(filepath.Base(dir), groupPrefix), "") {
				_ = os.Remove(dir)
			}
		}
	}
}
