package partition

import (
	"errors"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/store/commitlog"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (h *home) Started(*Partition, *commitlog.Log) error {
	if h.full {
		return vfs.ErrNoSpace
	}
	h.starts++
	return nil
}

// The leader's log start is followed up to the high watermark; if it lies within a batch
// an empty log begins with that batch and still starts there: the leader has been told so.
func TestFollowLogStart(t *testing.T) {
	p, h, epoch := followed(t, 4)
	for _, c := range []struct {
		leader, start int64
		told          int
	}{{2, 2, 1}, {5, 4, 2}, {4, 4, 2}} {
		if err := p.FollowStart(epoch, c.leader); err != nil || marks(t, p).Start != c.start || h.starts != c.told {
			t.Errorf("leader's start %d: %+v, made durable %d times, %v", c.leader, marks(t, p), h.starts, err)
		}
	}
	if err := p.Restart(epoch, 11); err != nil {
		t.Fatal(err)
	}
	_, err := p.AppendFetched(epoch, stamped(t, 6, epoch, 7), 13)
	wantErr(t, "the answer to an older fetch", err, kerr.FencedLeaderEpoch)
	p.FetchFrom()
	if end, err := p.AppendFetched(epoch, stamped(t, 10, epoch, 1, 2, 3), 13); err != nil || end != 13 {
		t.Fatalf("end %d, %v", end, err)
	}
	if o := marks(t, p); o.Start != 11 || o.HW != 13 || h.starts != 3 {
		t.Errorf("%+v, made durable %d times", o, h.starts)
	}
	for range 2 { // an answer may come twice
		p.FetchFrom()
		if end, err := p.AppendFetched(epoch, stamped(t, 10, epoch, 1, 2, 3), 13); err != nil || end != 13 {
			t.Fatalf("end %d, %v", end, err)
		}
	}
	if from, last, start, err := p.FetchFrom(); from != 13 || last != epoch || start != 11 || err != nil || p.HighWatermark() != 13 {
		t.Errorf("it fetches from %d after epoch %d, starts at %d, hw %d, %v", from, last, start, p.HighWatermark(), err)
	}
}

// What cannot be kept of the batch that holds the log start leaves the log as it was.
func TestBeginWithinFullDisk(t *testing.T) {
	p, h, epoch := followed(t, 6)
	if err := p.Restart(epoch, 11); err != nil {
		t.Fatal(err)
	}
	for _, full := range []bool{true, false} {
		size := int64(1 << 30)
		if full {
			size = 1
		}
		h.disk.SetSize(size)
		p.FetchFrom()
		_, err := p.AppendFetched(epoch, stamped(t, 10, epoch, 1, 2, 3), 13)
		if from, _, start, ferr := p.FetchFrom(); full != errors.Is(err, vfs.ErrNoSpace) || full && from != 11 || !full && from != 13 || start != 11 || ferr != nil {
			t.Errorf("full %v: %v, it fetches from %d and starts at %d, %v", full, err, from, start, ferr)
		}
	}
}

// A log start that the disk has no room to write down is not told to the leader, which would
// tell whoever deletes records that they are gone for good.
func TestStartThatIsNotKept(t *testing.T) {
	for name, raise := range map[string]func(*Partition, int32) error{
		"follow":     func(p *Partition, epoch int32) error { return p.FollowStart(epoch, 2) },
		"begin anew": func(p *Partition, epoch int32) error { return p.Restart(epoch, 2) },
	} {
		p, h, epoch := followed(t, 4)
		h.full = true
		wantErr(t, name, raise(p, epoch), vfs.ErrNoSpace)
		if _, _, start, err := p.FetchFrom(); start != 0 || err != nil {
			t.Errorf("%s: the leader is told of %d, %v", name, start, err)
		}
		wantErr(t, name+" once more", raise(p, epoch), vfs.ErrNoSpace)
		h.full = false
		wantErr(t, name+" with room", raise(p, epoch), nil)
		if _, _, start, err := p.FetchFrom(); start != 2 || err != nil || h.starts != 1 {
			t.Errorf("%s: the leader is told of %d, which was made durable %d times, %v", name, start, h.starts, err)
		}
	}
}

// A leader's start that the log has reached takes nothing away.
func TestLateRestart(t *testing.T) {
	p, _, epoch := followed(t, 4)
	for _, c := range []struct{ at, start int64 }{{2, 2}, {5, 4}} {
		if err := p.Restart(epoch, c.at); err != nil || marks(t, p).Start != c.start || marks(t, p).End != 6 {
			t.Errorf("at %d: %+v, %v", c.at, marks(t, p), err)
		}
	}
}
