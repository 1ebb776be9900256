package partition

import (
	"errors"
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// ReadArgs is what one partition of a Fetch asks.
type ReadArgs struct {
	From     int64
	MaxBytes int
	// MinOne returns the first batch even if it is larger than MaxBytes (KIP-74).
	MinOne bool
	// CurrentEpoch is the leader epoch that the client believes in, or model.NoEpoch.
	CurrentEpoch int32
	// LastFetchedEpoch is the epoch of the record before From, or model.NoEpoch: the
	// leader compares it with its own history (KIP-595).
	LastFetchedEpoch int32
	// Committed has the reader see records of transactions only when they are decided
	// (read_committed): it reads up to the last stable offset, and is told what was aborted.
	Committed bool
	// AllowFollower has a replica answer that does not lead (KIP-392): a consumer asks
	// the closest one.
	AllowFollower bool
}

// Offsets are the marks of a partition at one moment.
type Offsets struct {
	Start  int64 // log start
	HW     int64 // high watermark
	Stable int64 // last stable offset: no undecided transaction below it
	End    int64 // log end, what is not yet committed included
}

// ReadResult is the answer. The Slice must be released; it is empty if there is
// nothing to read yet.
type ReadResult struct {
	commitlog.Slice
	Offsets
	// Aborted is what the reader must skip, if it asked for what is committed: not nil
	// then. In the order of their markers.
	Aborted []Aborted
	// Diverging is set if the client's history is not the leader's: it must truncate to
	// what is told here.
	Diverging *EpochEnd
}

// Aborted is an aborted transaction: records of the producer from FirstOffset on, up to its
// next marker.
type Aborted struct {
	ProducerID  int64
	FirstOffset int64
}

// EpochEnd is the end offset of an epoch.
type EpochEnd struct {
	Epoch int32
	End   int64
}

// Read returns whole committed batches from the one that holds From.
// It returns kerr.OffsetOutOfRange, with the Offsets filled in, if From is below the
// log start or above the log end; kerr.NotLeaderForPartition, also if From is above the log
// end of a replica that follows, or that the controller has not heard of for too long;
// kerr.FencedLeaderEpoch or kerr.UnknownLeaderEpoch by the role.
func (p *Partition) Read(a ReadArgs) (ReadResult, error) {
	log, err := p.readable(a)
	if err != nil {
		return ReadResult{}, err
	}
	r := ReadResult{}
	if r.Offsets, err = p.offsets(log); err != nil && a.Committed {
		return ReadResult{}, p.doubted(p.storageOf(log, err))
	}
	if a.From > r.End && !p.knowsTheEnd() {
		return ReadResult{}, errBehind
	}
	if r, err = check(r, log, a); err != nil || r.Diverging != nil {
		return r, err
	}
	limit := r.HW
	if a.Committed {
		limit, r.Aborted = r.Stable, []Aborted{}
	}
	// What the client has seen committed, a leader that is new may not know yet.
	if a.From >= limit || a.MaxBytes <= 0 && !a.MinOne {
		return r, nil
	}
	p.used.Store(true)
	if a.Committed {
		r.Slice, r.Aborted, err = readCommitted(log, a, limit)
	} else {
		r.Slice, err = log.Read(a.From, limit, a.MaxBytes, a.MinOne)
	}
	return r, p.doubted(p.storageOf(log, err))
}

// readCommitted reads what is decided, and what of it was aborted.
func readCommitted(log *commitlog.Log, a ReadArgs, limit int64) (commitlog.Slice, []Aborted, error) {
	const tries = 8
	aborted := []Aborted{}
	for range tries {
		slice, err := log.Read(a.From, limit, a.MaxBytes, a.MinOne)
		if err != nil || slice.Len == 0 {
			return slice, aborted, err
		}
		txns, err := log.AbortedIn(a.From, slice.Next)
		if err != nil {
			slice.Release()
			return commitlog.Slice{}, aborted, err
		}
		// Compaction takes the records of aborted transactions, and then what tells of them.
		// If it has not taken the segment yet, it has not taken that.
		if slice.Gone() {
			slice.Release()
			continue
		}
		for _, t := range txns {
			aborted = append(aborted, Aborted{ProducerID: t.ProducerID, FirstOffset: t.First})
		}
		return slice, aborted, nil
	}
	return commitlog.Slice{}, aborted, nil // it is compacted again and again: another time
}

// readable returns the log if this replica may answer.
func (p *Partition) readable(a ReadArgs) (*commitlog.Log, error) {
	if !a.AllowFollower {
		return p.led(a.CurrentEpoch)
	}
	p.mu.Lock()
	r := p.role
	p.mu.Unlock()
	if err := r.checkEpoch(a.CurrentEpoch); err != nil {
		return nil, err
	}
	if r.Epoch == model.NoEpoch {
		return nil, kerr.NotLeaderForPartition
	}
	log, err := p.openUnused()
	if err == nil && p.Missing() > 0 {
		err = errShort // it would take what is lost for what never was
	}
	return log, err
}

// knowsTheEnd reports whether nothing that was committed can lie beyond the log end: it does of
// a follower's, and may of a leader's whose successor it has not heard of.
func (p *Partition) knowsTheEnd() bool {
	return p.Role().Leading && (p.lease == nil || p.lease())
}

// errBehind sends a client to the leader. Were it told that its place is out of range, it
// would begin anew.
var errBehind = fmt.Errorf("%w: the log of this replica ends before, and the leader's may not", kerr.NotLeaderForPartition)

// check compares the reader's place and history with the log.
func check(r ReadResult, log *commitlog.Log, a ReadArgs) (_ ReadResult, err error) {
	if a.LastFetchedEpoch != model.NoEpoch && a.From >= r.Start {
		if r.Diverging, err = diverging(log, a); err != nil || r.Diverging != nil {
			return r, err
		}
	}
	if a.From < r.Start || a.From > r.End {
		return r, fmt.Errorf("%w: %d is outside [%d, %d]", kerr.OffsetOutOfRange, a.From, r.Start, r.End)
	}
	return r, nil
}

// diverging compares the client's last epoch with ours; nil if the client's history is
// ours so far. Of an epoch that is later than any here, nothing can be said.
func diverging(log *commitlog.Log, a ReadArgs) (*EpochEnd, error) {
	epoch, end := log.EpochEnd(a.LastFetchedEpoch)
	switch {
	case epoch < 0 || end < 0:
		return nil, fmt.Errorf("%w: last fetched epoch %d is not known", kerr.OffsetOutOfRange, a.LastFetchedEpoch)
	case epoch < a.LastFetchedEpoch || end < a.From:
		return &EpochEnd{epoch, end}, nil
	}
	return nil, nil
}

// ReadLog returns whole batches from offset from on, or from the log start if that is
// later, as a copy, and the offset to go on from; none at the log end. A coordinator
// loads its state by it: what a leader has in its log, committed or not yet, will be.
func (p *Partition) ReadLog(from int64, maxBytes int) (batches []byte, next int64, err error) {
	log, err := p.Log()
	if err != nil {
		return nil, from, err
	}
	if p.Missing() > 0 {
		return nil, from, errShort
	}
	end := log.End()
	if from = max(from, log.Start()); from >= end {
		return nil, from, nil
	}
	slice, err := log.Read(from, end, maxBytes, true)
	if err != nil {
		return nil, from, p.doubted(p.storageOf(log, err))
	}
	defer slice.Release()
	batches, err = slice.ReadAll(nil)
	return batches, slice.Next, p.storageOf(log, err)
}

// Offsets are the present marks. To ask for them is no use of the log: one that rests
// goes on resting.
func (p *Partition) Offsets() (Offsets, error) {
	log, err := p.openUnused()
	if err != nil {
		return Offsets{}, err
	}
	o, err := p.offsets(log)
	if errors.Is(err, kerr.CorruptMessage) {
		err = nil // what can be read is still worth telling
	}
	return o, p.storageOf(log, err)
}

// offsets tells the marks, also with an error: then nothing but the log start is known to
// be stable.
func (p *Partition) offsets(log *commitlog.Log) (Offsets, error) {
	hw := p.hw.Load()
	m, err := log.Marks(hw)
	if m.Stable > hw {
		hw = p.overtaken(log, m.Start) // the log start has moved meanwhile, and before it the high watermark
	}
	return Offsets{Start: m.Start, HW: hw, Stable: m.Stable, End: m.End}, err
}

// overtaken returns a high watermark that is not below the log start. A leader's never is;
// that of a follower may be for a moment, while its log is cut or begins anew.
func (p *Partition) overtaken(log *commitlog.Log, start int64) int64 {
	if hw := p.hw.Load(); hw >= start {
		return hw
	}
	p.mu.Lock()
	hw, broken := p.hw.Load(), p.failed == nil && p.leads() && p.log.Load() == log
	p.mu.Unlock()
	if hw < start && broken {
		p.Failed(fmt.Errorf("%w: the high watermark of %s is %d, and its log starts at %d", commitlog.ErrInvariant, p.tp, hw, start))
	}
	return max(hw, start)
}

// led returns the log if this replica leads in the epoch that the client believes in.
func (p *Partition) led(epoch int32) (*commitlog.Log, error) {
	if _, err := p.leading(epoch); err != nil {
		return nil, err
	}
	log, err := p.openUnused()
	if err != nil {
		return nil, err
	}
	// When it opened it may have turned out that the epoch is spent.
	_, err = p.leading(epoch)
	return log, err
}
