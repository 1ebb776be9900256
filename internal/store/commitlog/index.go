package commitlog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"sort"

	"github.com/odradek/odradek/internal/base/failpoint"
)

var _ = failpoint.Register(
	"commitlog.index.before_write", "commitlog.index.after_write", "commitlog.index.before_trim",
)

// Layout of an entry of an .index, 8 bytes, and of a .timeindex, 12 bytes, big endian:
//
//	.index      0  4  last offset of a batch, less the segment's base offset
//	            4  4  position of that batch in the .log
//	.timeindex  0  8  the greatest timestamp of the segment so far, in milliseconds
//	            8  4  last offset of the batch that has it, less the base offset
//
// Both halves of .index entries grow from entry to entry, and timestamps do.
const (
	offsetEntry  = 8
	timeEntry    = 12
	flushEntries = 512
)

// index is a sorted file of entries of which the newest are still in memory. Under the
// log's lock writing it grows and is cut; what a reader sees is guarded by mu.
type index struct {
	file  file
	entry int    // bytes of one entry
	disk  int    // entries that the file has
	tail  []byte // entries that it has not

	lastKey int64 // of the last entry; -1 if there is none

	// summed is an index that is believed to the bit: what it says cannot be told from the
	// segment. sums are of each entry that the file has, since it was written or first read;
	// an array that a reader may hold is only appended to.
	summed bool
	sums   []uint32
}

func (x *index) count() int { return x.disk + len(x.tail)/x.entry }

// An entry, decoded: the key that grows, and what it leads to.
type entry struct{ key, value int64 }

func (x *index) decode(b []byte) entry {
	switch x.entry {
	case offsetEntry:
		return entry{int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))}
	case txnEntry:
		return decodeTxn(b)
	}
	return entry{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint32(b[8:]))}
}

// add appends an entry. mu is held.
func (x *index) add(e entry) {
	x.lastKey = e.key
	if x.entry == offsetEntry {
		x.tail = binary.BigEndian.AppendUint32(x.tail, uint32(e.key))
		x.tail = binary.BigEndian.AppendUint32(x.tail, uint32(e.value))
		return
	}
	x.tail = binary.BigEndian.AppendUint64(x.tail, uint64(e.key))
	x.tail = binary.BigEndian.AppendUint32(x.tail, uint32(e.value))
}

// by is what a search compares.
type by func(entry) int64

func byKey(e entry) int64   { return e.key }
func byValue(e entry) int64 { return e.value }

// search returns the number and content of the last entry that is not above target;
// the number is -1 if there is none.
func (x *index) search(at ref, of by, target int64) (int, entry, error) {
	at.log.mu.Lock()
	disk, sums := x.disk, x.sums
	if len(x.tail) > 0 && of(x.decode(x.tail)) <= target {
		i, e := x.searchIn(x.tail, of, target)
		at.log.mu.Unlock()
		return disk + i, e, nil
	}
	at.log.mu.Unlock()
	if disk == 0 {
		return -1, entry{}, nil
	}
	return x.searchFile(at, disk, sums, of, target)
}

func (x *index) searchIn(b []byte, of by, target int64) (int, entry) {
	i := sort.Search(len(b)/x.entry, func(i int) bool { return of(x.decode(b[i*x.entry:])) > target })
	if i == 0 {
		return -1, entry{}
	}
	return i - 1, x.decode(b[(i-1)*x.entry:])
}

// searchFile halves the file down to a block, which it reads whole.
func (x *index) searchFile(at ref, disk int, sums []uint32, of by, target int64) (int, entry, error) {
	h, err := x.file.acquire(at)
	if err != nil {
		return -1, entry{}, err
	}
	defer h.release()
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	lo, hi := 0, disk // the answer is in [lo, hi), if it is
	for hi-lo > min(flushEntries, chunk/x.entry) {
		mid := (lo + hi) / 2
		b := (*buf)[:x.entry]
		if err := x.readAt(h, b, mid, sums); err != nil {
			return -1, entry{}, err
		}
		if of(x.decode(b)) <= target {
			lo = mid
		} else {
			hi = mid
		}
	}
	b := (*buf)[:(hi-lo)*x.entry]
	if err := x.readAt(h, b, lo, sums); err != nil {
		return -1, entry{}, err
	}
	i, e := x.searchIn(b, of, target)
	if i < 0 {
		return -1, entry{}, nil
	}
	return lo + i, e, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// readAt reads entries of the file from the number i on. It returns errSum if they are not
// what they were.
func (x *index) readAt(h *handle, b []byte, i int, sums []uint32) error {
	if _, err := h.ReadAt(b, int64(i*x.entry)); err != nil || !x.summed {
		return err
	}
	for ; len(b) >= x.entry; b, i = b[x.entry:], i+1 {
		if crc32.Checksum(b[:x.entry], castagnoli) != sums[i] {
			return errSum
		}
	}
	return nil
}

// sum takes the sums of entries that the file has got. mu is held, or the log is being opened.
func (x *index) sum(b []byte) {
	for ; x.summed && len(b) >= x.entry; b = b[x.entry:] {
		x.sums = append(x.sums, crc32.Checksum(b[:x.entry], castagnoli))
	}
}

// flush writes the tail to the file, making the file if it is missing. The lock writing
// is held, mu is not.
func (x *index) flush(at ref) error {
	h, err := x.file.acquireOrCreate(at)
	if err != nil {
		return err
	}
	defer h.release()
	if len(x.tail) == 0 {
		return nil
	}
	failpoint.Hit("commitlog.index.before_write", at.log.fs)
	if _, err := h.WriteAt(x.tail, int64(x.disk*x.entry)); err != nil {
		return err
	}
	failpoint.Hit("commitlog.index.after_write", at.log.fs)
	at.log.mu.Lock()
	x.sum(x.tail)
	x.disk += len(x.tail) / x.entry
	x.tail = x.tail[:0]
	at.log.mu.Unlock()
	return nil
}

// cut keeps the first n entries, of which the last has key last (-1 if n is 0). The file
// keeps its length until trim. mu is held.
func (x *index) cut(n int, last int64) {
	x.lastKey = last
	if n >= x.disk {
		x.tail = x.tail[:(n-x.disk)*x.entry]
		return
	}
	x.disk, x.tail = n, x.tail[:0]
	if x.summed {
		x.sums = x.sums[:n:n]
	}
}

// read counts the entries of the file that valid accepts, each given with the one
// before it, up to the first that it does not. whole tells whether that is all that
// the file has: zeros after the entries are space that Kafka reserves. The entries are
// the index from then on. The lock writing is held, or the log is being opened.
func (x *index) read(at ref, valid func(before, e entry) bool) (whole bool, err error) {
	h, err := x.file.acquire(at)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer h.release()
	size, err := h.Size()
	if err != nil {
		return false, err
	}
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	step := int64(chunk - chunk%x.entry)
	before := entry{-1, -1}
	for pos := int64(0); pos+int64(x.entry) <= size; pos += step {
		b := (*buf)[:min(step, size-pos)]
		if _, err := h.ReadAt(b, pos); err != nil {
			return false, err
		}
		for ; len(b) >= x.entry; b = b[x.entry:] {
			e := x.decode(b)
			if e == (entry{}) || !valid(before, e) {
				return e == entry{}, nil
			}
			before = e
			x.sum(b[:x.entry])
			x.disk, x.lastKey = x.disk+1, e.key
		}
	}
	return size%int64(x.entry) == 0, nil
}

// trim cuts the file to its entries. The lock writing is held.
func (x *index) trim(at ref) error {
	if err := x.flush(at); err != nil {
		return err
	}
	h, err := x.file.acquire(at)
	if err != nil {
		return err
	}
	defer h.release()
	want := int64(x.disk * x.entry)
	if size, err := h.Size(); err != nil || size == want {
		return err
	}
	failpoint.Hit("commitlog.index.before_trim", at.log.fs)
	return h.Truncate(want)
}
