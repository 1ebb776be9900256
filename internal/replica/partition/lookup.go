package partition

import (
	"fmt"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Found is the answer to a question about offsets: -1, -1 and model.NoEpoch if no record
// fits.
type Found struct {
	Offset    int64
	Timestamp int64 // milliseconds
	Epoch     int32
}

// Nowhere is Found when no record fits.
var Nowhere = Found{Offset: -1, Timestamp: -1, Epoch: model.NoEpoch}

// ListOffset answers one partition of ListOffsets: an offset by its meaning
// (model.OffsetLatest and its kin) or the first committed record with a timestamp of at
// least spec. currentEpoch is what the client believes, or model.NoEpoch. committed asks
// for what a reader of decided transactions sees: below the last stable offset.
// It returns kerr.OffsetNotAvailable while a new leader does not know yet that all which
// was committed before it is: its answer would fall behind its predecessor's (KIP-207).
func (p *Partition) ListOffset(spec int64, currentEpoch int32, committed bool) (Found, error) {
	log, err := p.led(currentEpoch)
	if err != nil {
		return Nowhere, err
	}
	hw := p.hw.Load()
	limit := hw
	if committed {
		o, err := p.offsets(log)
		if err != nil {
			return Nowhere, p.storageOf(log, err)
		}
		hw, limit = o.HW, o.Stable
	}
	switch spec {
	case model.OffsetLatest:
		if p.late(hw) {
			return Nowhere, kerr.OffsetNotAvailable
		}
		return Found{Offset: limit, Timestamp: -1, Epoch: p.Role().Epoch}, nil
	case model.OffsetEarliest, model.OffsetEarliestLocal:
		start := log.Start()
		return Found{Offset: start, Timestamp: -1, Epoch: log.EpochAt(start)}, nil
	case model.OffsetLatestTiered, model.OffsetEarliestPending:
		return Nowhere, nil
	}
	var f commitlog.TimestampOffset
	if spec == model.OffsetMaxTimestamp {
		f, err = log.MaxTimestamp()
	} else {
		f, err = log.OffsetForTimestamp(spec, limit)
	}
	if err == nil && f.Offset >= 0 && f.Offset < limit { // what is not committed is not told
		return Found(f), nil
	}
	if err == nil && p.late(hw) {
		err = kerr.OffsetNotAvailable
	}
	return Nowhere, p.storageOf(log, err)
}

// late reports whether a leader's high watermark is still below where its epoch began, or
// that is not known yet: the role has just been taken.
func (p *Partition) late(hw int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tracker != nil && (hw < p.tracker.epochStart || p.tracker.epochStart == unknown)
}

// EpochEnd answers OffsetForLeaderEpoch: the end of the given epoch, or of the greatest
// one below it (KIP-101, KIP-279).
func (p *Partition) EpochEnd(currentEpoch, epoch int32) (EpochEnd, error) {
	log, err := p.led(currentEpoch)
	if err != nil {
		return EpochEnd{}, err
	}
	e, end := log.EpochEnd(epoch)
	return EpochEnd{e, end}, nil
}

// DeleteRecords moves the log start up to before, or to the high watermark if before is
// -1, and returns the new start. It returns kerr.OffsetOutOfRange beyond the high
// watermark and kerr.PolicyViolation on a topic that is only compacted.
func (p *Partition) DeleteRecords(before int64) (start int64, err error) {
	log, err := p.led(model.NoEpoch)
	if err != nil {
		return -1, err
	}
	if !p.settings.Load().DeleteAllowed {
		return -1, model.Explain(kerr.PolicyViolation,
			fmt.Sprintf("Records of partition %s can not be deleted due to the configured policy", p.tp))
	}
	hw := p.hw.Load()
	if before == -1 {
		before = hw
	}
	if before < 0 || before > hw {
		return -1, kerr.OffsetOutOfRange
	}
	if err = log.AdvanceStart(before); err == nil {
		p.mu.Lock()
		p.wake() // the followers are to hear of it
		p.mu.Unlock()
	}
	if err == nil && p.log.Load() != log && p.Err() == nil {
		return -1, errMoved // the log that is in use now may not know
	}
	return log.Start(), p.storageOf(log, err)
}
