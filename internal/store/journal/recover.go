package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/base/gate"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

// ErrCorrupt means that the journal has lost groups that were durable: what it would
// replay has a hole. Nothing was changed on disk.
var ErrCorrupt = errors.New("journal is corrupt")

// Open reads the journal of a folder, or makes it. The entries are to be replayed, in
// order, into the logs of their partitions, before anything is appended to those:
// see Replayed. They are what was made durable and not voided since; bytes that a
// torn last group left are ignored.
// It returns an error that wraps ErrCorrupt if anything before that is damaged.
func Open(cfg Config) (*Journal, []Entry, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}
	r := reader{cfg: &cfg}
	j, entries, err := r.open()
	if err != nil {
		r.close()
		return nil, nil, fmt.Errorf("open journal in %s: %w", cfg.Dir, err)
	}
	return j, entries, nil
}

func (r *reader) open() (*Journal, []Entry, error) {
	if err := r.readFiles(); err != nil {
		return nil, nil, err
	}
	chain, err := r.chain()
	if err != nil {
		return nil, nil, err
	}
	j := newJournal(*r.cfg, r.salt)
	entries, err := r.restore(j, chain)
	for _, s := range r.scans {
		vfs.Direct(s.handle) // nothing reads it any more
	}
	return j, entries, err
}

func newJournal(cfg Config, salt uint64) *Journal {
	return &Journal{
		cfg: cfg, salt: salt,
		maxGroup:  int(min(cfg.FileBytes-2*blockBytes, keepBytes)),
		committer: gate.New(),
		kick:      make(chan struct{}, 1),
		syncKick:  make(chan struct{}, cfg.SyncWorkers),
		spareKick: make(chan struct{}, 1),
		ended:     make(chan struct{}),
		slots:     map[model.IDPartition]*slot{},
		files:     files{keep: cfg.LiveBytes},
	}
}

// reader opens and scans the files of a journal.
type reader struct {
	cfg   *Config
	salt  uint64
	scans []*scan
	buf   []byte
}

// scan is what was found in one file: the run of groups from its start, each following
// on the one before, and the highest sequence of any whole group behind it.
type scan struct {
	*file
	run      []groupHeader
	stray    uint64
	strayPos int64
}

func (s *scan) lastHeader() groupHeader { return s.run[len(s.run)-1] }

func (r *reader) close() {
	for _, s := range r.scans {
		s.handle.Close()
	}
}

func (r *reader) readFiles() error {
	list, err := r.cfg.FS.ReadDir(r.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		name := filepath.Join(r.cfg.Dir, e.Name())
		base, tmp := strings.CutSuffix(e.Name(), tmpSuffix)
		number, ok := parseFileName(base)
		switch {
		case ok && tmp:
			err = r.cfg.FS.Remove(name)
		case ok:
			err = r.readFile(name, number)
		}
		if err != nil {
			return err
		}
	}
	if len(r.scans) == 0 {
		return r.createFirst()
	}
	return r.cfg.FS.SyncDir(r.cfg.Dir) // a process may have been killed before it did
}

func parseFileName(base string) (number uint64, ok bool) {
	if _, err := fmt.Sscanf(base, "journal-%d.odj", &number); err != nil {
		return 0, false
	}
	return number, base == fileName(number)
}

func (r *reader) createFirst() error {
	r.salt = r.cfg.Random()
	f, err := createFile(r.cfg, fileHeader{salt: r.salt, number: 1}, false)
	if err == nil {
		r.scans = append(r.scans, &scan{file: f})
	}
	return err
}

func (r *reader) readFile(name string, number uint64) error {
	f, err := r.cfg.FS.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	s := &scan{file: &file{handle: f, number: number, pos: blockBytes}}
	r.scans = append(r.scans, s)
	size, err := f.Size()
	if err != nil {
		return err
	}
	s.size = size / blockBytes * blockBytes
	if err := r.readHeader(s); err != nil {
		return fmt.Errorf("%s: %w: %w", name, ErrCorrupt, err)
	}
	return r.scan(s)
}

func (r *reader) readHeader(s *scan) error {
	b := make([]byte, fileHeaderBytes)
	if err := readFull(s.handle, b, 0); err != nil {
		return err
	}
	h, err := parseFileHeader(b)
	if err != nil {
		return err
	}
	if len(r.scans) == 1 {
		r.salt = h.salt
	}
	if h.number != s.number || h.salt != r.salt {
		return fmt.Errorf("it is file %d of journal %x, want %d of %x: %w", h.number, h.salt, s.number, r.salt, errFormat)
	}
	return nil
}

// scan finds the groups of a file.
func (r *reader) scan(s *scan) error {
	for pos := int64(blockBytes); pos < s.size; {
		h, ok, err := r.header(s, pos)
		switch {
		case err != nil:
			return err
		case !ok:
			pos += blockBytes
			continue
		case pos == s.pos && (len(s.run) == 0 || h.follows(s.lastHeader())):
			s.run = append(s.run, h)
			s.pos += blocks(h.length)
		case h.seq > s.stray:
			s.stray, s.strayPos = h.seq, pos
		}
		pos += blocks(h.length)
	}
	return nil
}

func (h groupHeader) follows(prev groupHeader) bool {
	return h.seq == prev.seq+1 && h.previous == prev.sum
}

// header reads the header of a group that is whole.
func (r *reader) header(s *scan, pos int64) (groupHeader, bool, error) {
	head := r.room(groupHeaderBytes)
	if err := readFull(s.handle, head, pos); err != nil {
		return groupHeader{}, false, err
	}
	h, ok := parseGroupHeader(head)
	if !ok || h.salt != r.salt || h.length < groupHeaderBytes || int64(h.length) > s.size-pos {
		return groupHeader{}, false, nil
	}
	_, ok, err := r.group(s, pos, h)
	return h, ok, err
}

// group reads a whole group; its bytes are valid until the next call.
func (r *reader) group(s *scan, pos int64, h groupHeader) ([]byte, bool, error) {
	b := r.room(h.length)
	if err := readFull(s.handle, b, pos); err != nil {
		return nil, false, err
	}
	return b, h.matches(b), nil
}

func (r *reader) room(n int) []byte {
	r.buf = slices.Grow(r.buf[:0], n)
	return r.buf[:n]
}

func readFull(f vfs.File, b []byte, pos int64) error {
	n, err := f.ReadAt(b, pos)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %s at %d: %w", f.Name(), pos, err)
}

// chain returns the files whose groups matter, in order, none if there are no groups.
func (r *reader) chain() ([]*scan, error) {
	newest := r.newest()
	if newest == nil {
		return nil, r.checkStrays(0)
	}
	head := newest.lastHeader()
	if err := r.checkStrays(head.seq); err != nil {
		return nil, err
	}
	chain := []*scan{newest}
	for chain[0].run[0].seq > head.oldest {
		before := r.before(chain[0].run[0])
		if before == nil {
			return nil, fmt.Errorf("%w: groups from %d are needed, those before %d in %s are missing",
				ErrCorrupt, head.oldest, chain[0].run[0].seq, chain[0].handle.Name())
		}
		chain = slices.Insert(chain, 0, before)
	}
	return chain, nil
}

func (r *reader) newest() (newest *scan) {
	for _, s := range r.scans {
		if len(s.run) > 0 && (newest == nil || s.lastHeader().seq > newest.lastHeader().seq) {
			newest = s
		}
	}
	return newest
}

func (r *reader) before(h groupHeader) *scan {
	for _, s := range r.scans {
		if len(s.run) > 0 && h.follows(s.lastHeader()) {
			return s
		}
	}
	return nil
}

// checkStrays finds groups that are younger than the last that can be reached: a group
// is written when those before it are durable, so they have been damaged since.
func (r *reader) checkStrays(last uint64) error {
	for _, s := range r.scans {
		if s.stray > last {
			return fmt.Errorf("%w: group %d in %s at %d is whole, but groups after %d and before it are damaged",
				ErrCorrupt, s.stray, s.handle.Name(), s.strayPos, last)
		}
	}
	return nil
}
