package metadata

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"iter"
	"strings"

	"github.com/odradek/odradek/internal/proto/model"
)

// tree is a persistent sorted map: a treap whose priorities are hashes of the keys.
// A change copies the path to what it touches, about two log n nodes. The shape
// depends on the keys alone, so two versions share every subtree in which they agree,
// and diff finds where they differ without walking the rest. The zero tree is empty.
type tree[O ordered[K], K, V any] struct {
	root *node[K, V]
}

func (t tree[O, K, V]) len() int                   { return t.root.len() }
func (t tree[O, K, V]) get(key K) (V, bool)        { return get[O](t.root, key) }
func (t tree[O, K, V]) all() iter.Seq2[K, V]       { return all[O](t.root, nil) }
func (t tree[O, K, V]) from(key K) iter.Seq2[K, V] { return all[O](t.root, &key) }

func (t tree[O, K, V]) put(key K, val V) tree[O, K, V] {
	var o O
	return tree[O, K, V]{put[O](t.root, &node[K, V]{key: key, val: val, prio: o.hash(key)})}
}

func (t tree[O, K, V]) remove(key K) tree[O, K, V] {
	return tree[O, K, V]{remove[O](t.root, key)}
}

type node[K, V any] struct {
	key         K
	val         V
	prio        uint64
	size        int
	left, right *node[K, V]
}

// ordered is what a tree must know of its keys. It has no state: a zero value works.
type ordered[K any] interface {
	compare(a, b K) int
	hash(K) uint64
}

// The seed changes the shape of trees, which nobody can see.
var seed = maphash.MakeSeed()

type byName struct{}

func (byName) compare(a, b string) int { return strings.Compare(a, b) }
func (byName) hash(s string) uint64    { return maphash.String(seed, s) }

type byID struct{}

func (byID) compare(a, b model.ID) int { return bytes.Compare(a[:], b[:]) }
func (byID) hash(id model.ID) uint64   { return maphash.Bytes(seed, id[:]) }

type byNumber struct{}

func (byNumber) compare(a, b int32) int { return cmp.Compare(a, b) }
func (byNumber) hash(n int32) uint64    { return maphash.Comparable(seed, n) }

type byResource struct{}

func (byResource) compare(a, b Resource) int { return a.compare(b) }
func (byResource) hash(r Resource) uint64    { return maphash.Comparable(seed, r) }

func (n *node[K, V]) len() int {
	if n == nil {
		return 0
	}
	return n.size
}

// over reports whether a stands above b: by priority, and by key where priorities
// are equal, so that the shape is decided in every case.
func over[O ordered[K], K, V any](a, b *node[K, V]) bool {
	var o O
	if a.prio != b.prio {
		return a.prio > b.prio
	}
	return o.compare(a.key, b.key) < 0
}

func (n *node[K, V]) with(left, right *node[K, V]) *node[K, V] {
	if n.left == left && n.right == right {
		return n
	}
	return &node[K, V]{n.key, n.val, n.prio, 1 + left.len() + right.len(), left, right}
}

func get[O ordered[K], K, V any](n *node[K, V], key K) (v V, ok bool) {
	var o O
	for n != nil {
		switch c := o.compare(key, n.key); {
		case c < 0:
			n = n.left
		case c > 0:
			n = n.right
		default:
			return n.val, true
		}
	}
	return v, false
}

// split parts n into what is below key, what is at key, and what is above.
func split[O ordered[K], K, V any](n *node[K, V], key K) (below, at, above *node[K, V]) {
	var o O
	if n == nil {
		return nil, nil, nil
	}
	switch c := o.compare(key, n.key); {
	case c < 0:
		below, at, above = split[O](n.left, key)
		return below, at, n.with(above, n.right)
	case c > 0:
		below, at, above = split[O](n.right, key)
		return n.with(n.left, below), at, above
	default:
		return n.left, n, n.right
	}
}

func put[O ordered[K], K, V any](n *node[K, V], fresh *node[K, V]) *node[K, V] {
	var o O
	if n == nil {
		return fresh.sized()
	}
	c := o.compare(fresh.key, n.key)
	switch {
	case c == 0:
		fresh.left, fresh.right = n.left, n.right
		return fresh.sized()
	case over[O](fresh, n):
		fresh.left, _, fresh.right = split[O](n, fresh.key)
		return fresh.sized()
	case c < 0:
		return n.with(put[O](n.left, fresh), n.right)
	default:
		return n.with(n.left, put[O](n.right, fresh))
	}
}

func (n *node[K, V]) sized() *node[K, V] {
	n.size = 1 + n.left.len() + n.right.len()
	return n
}

func join[O ordered[K], K, V any](a, b *node[K, V]) *node[K, V] {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case over[O](a, b):
		return a.with(a.left, join[O](a.right, b))
	default:
		return b.with(join[O](a, b.left), b.right)
	}
}

func remove[O ordered[K], K, V any](n *node[K, V], key K) *node[K, V] {
	var o O
	if n == nil {
		return nil
	}
	switch c := o.compare(key, n.key); {
	case c < 0:
		return n.with(remove[O](n.left, key), n.right)
	case c > 0:
		return n.with(n.left, remove[O](n.right, key))
	default:
		return join[O](n.left, n.right)
	}
}

// walk yields the nodes in order, from the first whose key is not below from (from
// nil: the first of all).
func walk[O ordered[K], K, V any](n *node[K, V], from *K, yield func(K, V) bool) bool {
	var o O
	if n == nil {
		return true
	}
	if from != nil && o.compare(n.key, *from) < 0 {
		return walk[O](n.right, from, yield)
	}
	return walk[O](n.left, from, yield) && yield(n.key, n.val) && walk[O](n.right, nil, yield)
}

func all[O ordered[K], K, V any](n *node[K, V], from *K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { walk[O](n, from, yield) }
}

// diff yields in key order what differs between a and b: was and is, nil where
// absent. Its cost grows with the differences, not with the trees.
func diff[O ordered[K], K, V any](a, b *node[K, V], yield func(was, is *node[K, V])) {
	var o O
	switch {
	case a == b:
	case a == nil:
		diff[O](nil, b.left, yield)
		yield(nil, b)
		diff[O](nil, b.right, yield)
	case b == nil:
		diff[O](a.left, nil, yield)
		yield(a, nil)
		diff[O](a.right, nil, yield)
	case o.compare(a.key, b.key) == 0:
		diff[O](a.left, b.left, yield)
		yield(a, b)
		diff[O](a.right, b.right, yield)
	case over[O](a, b): // b lacks a's key, or it would stand as high
		below, _, above := split[O](b, a.key)
		diff[O](a.left, below, yield)
		yield(a, nil)
		diff[O](a.right, above, yield)
	default:
		below, _, above := split[O](a, b.key)
		diff[O](below, b.left, yield)
		yield(nil, b)
		diff[O](above, b.right, yield)
	}
}
