package commitlog

import (
	"errors"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
)

var errNotYet = errors.ErrUnsupported

type Origin int8

const (
	Client      Origin = iota // a producer: sequences are checked
	Coordinator               // this broker's own records
)

type Appended struct {
	Base, End     int64
	Start         int64
	LogAppendTime int64 // -1 for create time
	Duplicate     bool
	Bytes         int
}

type Slice struct {
	File       vfs.File
	Pos        int64
	Len        int
	Base, Next int64
}

func (s *Slice) ReadAll(buf []byte) ([]byte, error) { return nil, errNotYet }
func (s *Slice) Release()                           {}

type Log struct{}

func Open(o Options) (*Log, error) { return nil, errNotYet }
func (l *Log) SetConfig(c Config)  {}
func (l *Log) AppendLeader(b []byte, epoch int32, o Origin) (Appended, error) {
	return Appended{}, errNotYet
}
func (l *Log) AppendFollower(b []byte) (Appended, error) { return Appended{}, errNotYet }
func (l *Log) Read(from, limit int64, maxBytes int, minOne bool) (Slice, error) {
	return Slice{}, errNotYet
}
func (l *Log) Start() int64                                     { return 0 }
func (l *Log) End() int64                                       { return 0 }
func (l *Log) RecoveryPoint() int64                             { return 0 }
func (l *Log) Sync() (synced int64, err error)                  { return 0, errNotYet }
func (l *Log) Replay(base int64, batches []byte) error          { return errNotYet }
func (l *Log) TruncateTo(off int64) error                       { return errNotYet }
func (l *Log) TruncateFullyAndStartAt(off int64) error          { return errNotYet }
func (l *Log) AdvanceStart(off int64) error                     { return errNotYet }
func (l *Log) Retain(hw int64, now time.Time) (int, error)      { return 0, errNotYet }
func (l *Log) Compact(limit int64, now time.Time) (bool, error) { return false, errNotYet }
func (l *Log) FirstDirty() int64                                { return 0 }
func (l *Log) SetFirstDirty(off int64)                          {}

// TimestampOffset is where a record of a timestamp is.
type TimestampOffset struct {
	Offset    int64 // -1 for none
	Timestamp int64
	Epoch     int32
}

func (l *Log) OffsetForTimestamp(ts, limit int64) (TimestampOffset, error) {
	return TimestampOffset{}, errNotYet
}
func (l *Log) MaxTimestamp() (TimestampOffset, error)     { return TimestampOffset{}, errNotYet }
func (l *Log) EpochEnd(epoch int32) (int32, int64)        { return 0, 0 }
func (l *Log) LatestEpoch() int32                         { return -1 }
func (l *Log) AssignEpoch(epoch int32, start int64) error { return errNotYet }
func (l *Log) Size() int64                                { return 0 }
func (l *Log) Segments() int                              { return 0 }
func (l *Log) CloseIdle() error                           { return errNotYet }
func (l *Log) Close() error                               { return errNotYet }
func (l *Log) Delete() error                              { return errNotYet }
