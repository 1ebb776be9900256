package commitlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/store/compaction"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Layout of an entry of a .txnindex, one for each aborted transaction whose marker lies
// in the segment, big endian:
//
//	offset size
//	     0    2  version                       0
//	     2    8  producer id
//	    10    8  first offset of the transaction
//	    18    8  offset of its marker
//	    26    8  last stable offset at that time
const txnEntry = 34

// abortedIn reads the aborted transactions that end in a segment. Without them a
// compaction would take their records for committed.
func (l *Log) abortedIn(s *segment) ([]compaction.AbortedTxn, error) {
	name := l.path(s.base, txnIndexExt)
	b, err := vfs.ReadFile(l.fs, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, storageError(err)
	}
	var txns []compaction.AbortedTxn
	for ; len(b) >= txnEntry; b = b[txnEntry:] {
		if v := binary.BigEndian.Uint16(b); v != 0 {
			return nil, fmt.Errorf("%s: version %d: %w", name, v, kerr.CorruptMessage)
		}
		txns = append(txns, compaction.AbortedTxn{
			ProducerID: int64(binary.BigEndian.Uint64(b[2:])),
			First:      int64(binary.BigEndian.Uint64(b[10:])),
			Last:       int64(binary.BigEndian.Uint64(b[18:])),
			LastStable: int64(binary.BigEndian.Uint64(b[26:])),
		})
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%s: %d bytes behind the last entry: %w", name, len(b), kerr.CorruptMessage)
	}
	return txns, nil
}

func appendAborted(b []byte, t compaction.AbortedTxn) []byte {
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(t.ProducerID))
	b = binary.BigEndian.AppendUint64(b, uint64(t.First))
	b = binary.BigEndian.AppendUint64(b, uint64(t.Last))
	return binary.BigEndian.AppendUint64(b, uint64(t.LastStable))
}
