package zkview

import (
	"strings"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// ZooKeeper's numbers of its requests.
const (
	opCreate          = 1
	opDelete          = 2
	opExists          = 3
	opGetData         = 4
	opSetData         = 5
	opGetACL          = 6
	opSetACL          = 7
	opGetChildren     = 8
	opSync            = 9
	opPing            = 11
	opGetChildren2    = 12
	opCheckWatches    = 17
	opRemoveWatches   = 18
	opAuth            = 100
	opSetWatches      = 101
	opGetEphemerals   = 103
	opCountChildren   = 104
	opSetWatches2     = 105
	opAddWatch        = 106
	opWhoAmI          = 107
	opCloseSession    = -11
	xidWatch          = -1
	xidPing           = -2
	connected         = 3 // state in a watch event: all is well
	eventCreated      = 1
	eventDeleted      = 2
	eventDataChanged  = 3
	eventChildChanged = 4
)

// ZooKeeper's error codes.
const (
	ok               = 0
	errMarshalling   = -5
	errUnimplemented = -6
	errBadArguments  = -8
	errNoNode        = -101
	errNotReadOnly   = -119
	errNoWatcher     = -121
)

// answer words the answer to one request, and notes the watch that it sets. mu is held.
func (s *session) answer(m *metadata.Image, xid, op int32, d *decoder) []byte {
	out := newFrame()
	zxid := m.Offset
	fail := func(code int32) []byte {
		out.header(xid, zxid, code)
		return out.frame()
	}
	switch op {
	case opPing, opSync, opAuth, opCheckWatches, opRemoveWatches, opSetWatches, opSetWatches2, opAddWatch, opWhoAmI, opGetEphemerals, opCloseSession:
		return s.housekeeping(m, xid, op, d)
	case opExists, opGetData, opGetChildren, opGetChildren2, opGetACL, opCountChildren:
	case opCreate, opDelete, opSetData, opSetACL, 13, 14, 15, 16, 19, 20, 21:
		return fail(errNotReadOnly) // the tree is a view: Kafka's own requests change the cluster
	default:
		return fail(errUnimplemented)
	}
	path := d.string()
	watch := (op == opExists || op == opGetData || op == opGetChildren || op == opGetChildren2) && d.bool()
	if d.err != nil {
		return fail(errMarshalling)
	}
	n := look(m, path)
	if watch {
		s.watches.add(op, path, n != nil)
	}
	if n == nil {
		return fail(errNoNode)
	}
	out.header(xid, zxid, ok)
	switch op {
	case opExists:
		out.stat(n.stat)
	case opGetData:
		out.buffer(n.data)
		out.stat(n.stat)
	case opGetChildren:
		out.strings(n.children)
	case opGetChildren2:
		out.strings(n.children)
		out.stat(n.stat)
	case opGetACL:
		out.int(1)
		out.int(1) // may read
		out.string("world")
		out.string("anyone")
		out.stat(n.stat)
	case opCountChildren:
		out.int(int32(descendants(m, path, n)))
	}
	return out.frame()
}

// descendants counts all nodes below one.
func descendants(m *metadata.Image, path string, n *znode) int {
	count := len(n.children)
	for _, c := range n.children {
		below := join(path, c)
		if child := look(m, below); child != nil {
			count += descendants(m, below, child)
		}
	}
	return count
}

func join(path, name string) string { return strings.TrimSuffix(path, "/") + "/" + name }

// housekeeping answers requests that are not about one node of the tree.
func (s *session) housekeeping(m *metadata.Image, xid, op int32, d *decoder) []byte {
	out := newFrame()
	code := int32(ok)
	body := func() {}
	switch op {
	case opSync:
		path := d.string()
		body = func() { out.string(path) }
	case opWhoAmI:
		body = func() { out.int(0) }
	case opGetEphemerals:
		body = func() { out.int(0) }
	case opAddWatch:
		path, mode := d.string(), d.int()
		if mode != 0 && mode != 1 {
			code = errBadArguments
		} else {
			s.watches.persist(path, mode == 1)
			body = func() { out.int(ok) }
		}
	case opCheckWatches, opRemoveWatches:
		path, kind := d.string(), d.int()
		if !s.watches.find(path, kind, op == opRemoveWatches) {
			code = errNoWatcher
		}
	case opSetWatches, opSetWatches2:
		s.rewatch(m, d, op == opSetWatches2)
	}
	if d.err != nil {
		code, body = errMarshalling, func() {}
	}
	out.header(xid, m.Offset, code)
	if code == ok {
		body()
	}
	return out.frame()
}
