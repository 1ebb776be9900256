package producers

import (
	"errors"
	"testing"

	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// begin is Begin where leave is needed.
func begin(t *testing.T, s *State, id int64, epoch int16, seq int32, implicit bool) Guard {
	t.Helper()
	g, need, err := s.Begin(id, epoch, seq, implicit, 0)
	if !need || err != nil {
		t.Fatalf("transaction of %d.%d begins: %v, %v", id, epoch, need, err)
	}
	return g
}

// Of several batches that wait for leave the one with the lowest sequence comes first: were
// a later one written, it would be out of order for ever. A new epoch begins anew.
func TestLowestSequenceFirst(t *testing.T) {
	for name, steps := range map[string]struct {
		asked []step // epochs and sequences, in the order in which leave was asked for
		write step
	}{
		"one":                   {[]step{{seq: 5}}, step{seq: 5}},
		"the second":            {[]step{{seq: 5}, {seq: 8}}, step{seq: 8, want: kerr.OutOfOrderSequenceNumber}},
		"the first":             {[]step{{seq: 8}, {seq: 5}}, step{seq: 5}},
		"the second, asked for": {[]step{{seq: 8}, {seq: 5}}, step{seq: 8, want: kerr.OutOfOrderSequenceNumber}},
		"of a later epoch":      {[]step{{seq: 0}, {epoch: 1, seq: 8}}, step{epoch: 1, seq: 8}},
		"an epoch that is over": {[]step{{epoch: 1, seq: 8}, {seq: 0}}, step{epoch: 1, seq: 8}},
	} {
		var s State
		var g Guard
		for _, a := range steps.asked {
			g = begin(t, &s, 7, a.epoch, a.seq, false)
		}
		b := data(t, 7, steps.write.epoch, steps.write.seq, 1, 0, true)
		if _, err := s.Check(b, Client, g); !errors.Is(err, steps.write.want) {
			t.Errorf("%s: %v, want %v", name, err, steps.write.want)
		}
	}
}

// By version 2 a producer of which nothing is known begins at 0.
func TestImplicitBeginsAtZero(t *testing.T) {
	var s State
	g := begin(t, &s, 7, 0, 3, true)
	if _, err := s.Check(data(t, 7, 0, 3, 1, 0, true), Client, g); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Error(err)
	}
	s = State{}
	s.Apply(data(t, 7, 0, 0, 3, 0, true))
	s.Apply(marker(7, 0, true, 0, 3))
	g = begin(t, &s, 7, 0, 3, true)
	if _, err := s.Check(data(t, 7, 0, 3, 1, 0, true), Client, g); err != nil {
		t.Errorf("a producer that goes on: %v", err)
	}
}

// Guards survive what is forgotten of the log, move with the partition, and expire.
func TestGuardsLive(t *testing.T) {
	var s, other State
	g := begin(t, &s, 7, 0, 0, true)
	s.Apply(data(t, 8, 0, 0, 1, 0, true))
	s.Reset(0)
	b := data(t, 7, 0, 0, 1, 0, true)
	if _, err := s.Check(b, Client, g); err != nil {
		t.Errorf("after a reset: %v", err)
	}
	other.TakeGuards(&s)
	if _, err := s.Check(b, Client, g); !errors.Is(err, kerr.InvalidTxnState) {
		t.Errorf("where it was taken from: %v", err)
	}
	if _, err := other.Check(b, Client, g); err != nil {
		t.Errorf("where it was taken to: %v", err)
	}
	other.Expire(99, 100)
	if _, err := other.Check(b, Coordinator, g); err != nil {
		t.Errorf("before it expires: %v", err)
	}
	other.Expire(100, 100)
	if _, err := other.Check(b, Coordinator, g); !errors.Is(err, kerr.InvalidTxnState) {
		t.Errorf("expired: %v", err)
	}
}

// A coordinator's batches have no sequence, and are known as a producer's last ones all the
// same: compaction keeps their headers.
func TestBatchWithoutSequence(t *testing.T) {
	var s State
	s.Apply(data(t, 7, 2, record.NoSequence, 2, 10, true))
	if last, epoch, ok := s.LastOffset(7); last != 11 || epoch != 2 || !ok {
		t.Errorf("last offset %d, epoch %d, %v", last, epoch, ok)
	}
	var loaded State
	if err := loaded.Load(s.Snapshot(), 12); err != nil || loaded.Entries()[0] != s.Entries()[0] {
		t.Errorf("%+v becomes %+v: %v", s.Entries(), loaded.Entries(), err)
	}
	if first, ok := loaded.FirstOpen(); first != 10 || !ok {
		t.Errorf("open from %d on, %v", first, ok)
	}
}

// A guard that nobody spends is forgotten soon, unless it is asked for again.
func TestGuardsExpire(t *testing.T) {
	const minute, day = int64(60_000), int64(24 * 60 * 60_000)
	var s State
	draw := func(id, now int64) {
		t.Helper()
		if _, need, err := s.Begin(id, 0, 0, true, now); err != nil || !need {
			t.Fatal(need, err)
		}
	}
	for id := range int64(1000) {
		draw(id, 0)
	}
	draw(7, 10*minute)
	if s.Expire(14*minute, day); len(s.guards) != 1000 {
		t.Errorf("%d guards after 14 minutes", len(s.guards))
	}
	if s.Expire(15*minute, day); len(s.guards) != 1 || s.guards[7] == nil {
		t.Errorf("%d guards after 15 minutes", len(s.guards))
	}
	if s.Expire(25*minute, day); s.guards != nil {
		t.Errorf("%d guards after 25 minutes", len(s.guards))
	}
}
