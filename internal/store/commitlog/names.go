package commitlog

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Names of a partition's files. A segment's files bear its base offset in 20 digits.
const (
	logExt       = ".log"
	indexExt     = ".index"
	timeIndexExt = ".timeindex"
	txnIndexExt  = ".txnindex"
	snapshotExt  = ".snapshot"

	deletedSuffix = ".deleted" // to be removed when file.delete.delay.ms has passed
	cleanedSuffix = ".cleaned" // a compacted segment that is being written
	swapSuffix    = ".swap"    // a compacted segment that is complete and replaces others

	epochsName   = "leader-epoch-checkpoint"
	metadataName = "partition.metadata"
)

// segmentExts are the files of a segment, the log first: without it the others mean
// nothing.
var segmentExts = [...]string{logExt, indexExt, timeIndexExt, txnIndexExt}

func fileName(base int64, ext string) string { return fmt.Sprintf("%020d%s", base, ext) }

// ref names a file of a segment; the name is made when it is needed.
type ref struct {
	log         *Log
	base        int64
	ext, suffix string
}

func (l *Log) ref(base int64, ext string) ref { return ref{log: l, base: base, ext: ext} }

func (r ref) with(suffix string) ref {
	r.suffix = suffix
	return r
}

func (r ref) name() string { return r.log.path(r.base, r.ext) + r.suffix }

func (l *Log) path(base int64, ext string) string {
	return filepath.Join(l.dir, fileName(base, ext))
}

// parseName splits the name of a file into offset and extension (with its suffix, if
// it has one).
func parseName(name string) (base int64, ext string, ok bool) {
	digits, rest, found := strings.Cut(name, ".")
	if !found || len(digits) != 20 {
		return 0, "", false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	return base, "." + rest, err == nil && base >= 0
}
