package zkview

import (
	"maps"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// watches are what a session waits for. Those of data, existence and children fire once;
// persistent ones until they are removed.
type watches struct {
	data       map[string]bool // getData, and exists of a node that was there
	exist      map[string]bool // exists of a node that was not there
	child      map[string]bool
	persistent map[string]bool // true: of everything below, too
}

func newWatches() watches {
	return watches{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
}

// maxWatches bounds what one session may have us remember.
const maxWatches = 100_000

func (w *watches) count() int { return len(w.data) + len(w.exist) + len(w.child) + len(w.persistent) }

func (w *watches) add(op int32, path string, exists bool) {
	switch {
	case !rooted(path) || w.count() >= maxWatches:
	case op == opExists && !exists:
		w.exist[path] = true
	case !exists:
	case op == opExists || op == opGetData:
		w.data[path] = true
	default:
		w.child[path] = true
	}
}

func (w *watches) persist(path string, deep bool) {
	if rooted(path) && w.count() < maxWatches {
		w.persistent[path] = deep
	}
}

// event is what a watcher is told.
type event struct {
	kind int32
	path string
}

// fire finds what became of the watched nodes between two images, and drops the watches
// that have done their work.
func (w *watches) fire(was, is *metadata.Image) []event {
	var out []event
	tell := func(kind int32, path string) { out = append(out, event{kind, path}) }
	for _, path := range slices.Sorted(maps.Keys(w.exist)) {
		if look(is, path) != nil {
			delete(w.exist, path)
			tell(eventCreated, path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(w.data)) {
		before, now := look(was, path), look(is, path)
		switch {
		case now == nil:
			delete(w.data, path)
			tell(eventDeleted, path)
		case !before.equal(now):
			delete(w.data, path)
			tell(eventDataChanged, path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(w.child)) {
		before, now := look(was, path), look(is, path)
		switch {
		case now == nil:
			delete(w.child, path)
			if !slices.Contains(out, event{eventDeleted, path}) {
				tell(eventDeleted, path)
			}
		case before == nil || !slices.Equal(before.children, now.children):
			delete(w.child, path)
			tell(eventChildChanged, path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(w.persistent)) {
		compare(was, is, path, w.persistent[path], tell)
	}
	return out
}

// compare tells what has changed at a path and, if deep, below it.
func compare(was, is *metadata.Image, path string, deep bool, tell func(int32, string)) {
	before, now := look(was, path), look(is, path)
	switch {
	case before == nil && now == nil:
		return
	case before == nil:
		tell(eventCreated, path)
	case now == nil:
		tell(eventDeleted, path)
	case !before.equal(now):
		tell(eventDataChanged, path)
	}
	var names []string
	if before != nil {
		names = append(names, before.children...)
	}
	if now != nil {
		names = append(names, now.children...)
	}
	if !deep {
		if before != nil && now != nil && !slices.Equal(before.children, now.children) {
			tell(eventChildChanged, path)
		}
		return
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		compare(was, is, join(path, name), true, tell)
	}
}

// ZooKeeper's numbers of what checkWatches and removeWatches mean.
const (
	anyChildren = 1
	anyData     = 2
	anyWatch    = 3
)

// find reports whether there is such a watch on a path, and removes it if remove is set.
func (w *watches) find(path string, kind int32, remove bool) bool {
	found := false
	in := func(set map[string]bool) {
		if _, here := set[path]; here {
			found = true
			if remove {
				delete(set, path)
			}
		}
	}
	if kind == anyData || kind == anyWatch {
		in(w.data)
		in(w.exist)
	}
	if kind == anyChildren || kind == anyWatch {
		in(w.child)
	}
	if kind == anyWatch {
		in(w.persistent)
	}
	return found
}

// restore reads what a client that comes back still waits for, since a change that it
// names. What has changed meanwhile is not known here: a watch fires if the node is
// there or gone as it would have to be told of, and data is taken for changed if the
// cluster has moved on since.
func (w *watches) restore(m *metadata.Image, since int64, d *decoder, persistent bool) []event {
	data, exist, child := d.strings(), d.strings(), d.strings()
	var kept, deep []string
	if persistent {
		kept, deep = d.strings(), d.strings()
	}
	if d.err != nil {
		return nil
	}
	var out []event
	// again sets watches of nodes that were there, unless there is something to tell.
	again := func(paths []string, op, changed int32) {
		for _, path := range paths {
			switch n := look(m, path); {
			case n == nil:
				out = append(out, event{eventDeleted, path})
			case m.Offset > since:
				out = append(out, event{changed, path})
			default:
				w.add(op, path, true)
			}
		}
	}
	again(data, opGetData, eventDataChanged)
	again(child, opGetChildren, eventChildChanged)
	for _, path := range exist {
		if look(m, path) != nil {
			out = append(out, event{eventCreated, path})
		} else {
			w.add(opExists, path, false)
		}
	}
	for _, path := range kept {
		w.persist(path, false)
	}
	for _, path := range deep {
		w.persist(path, true)
	}
	return out
}

// rooted reports whether a path is one of ZooKeeper's: from the root, without empty parts.
func rooted(path string) bool {
	return path == "/" || strings.HasPrefix(path, "/") && !strings.HasSuffix(path, "/") && !strings.Contains(path, "//")
}
