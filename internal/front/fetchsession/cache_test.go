package fetchsession

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

func wants(first, n int) []Wish {
	list := make([]Wish, n)
	for i := range list {
		list[i].Key = Key{Topic: "t", Partition: int32(first + i)}
	}
	return list
}

// The partitions of all sessions are bounded, by whatever way they come: by many
// sessions, by one that is large, or by one that grows. What was given up is free again.
func TestPartitionsOfAllSessionsAreBounded(t *testing.T) {
	next := uint32(0)
	c := NewCache(4, func() uint32 { next++; return next })
	now := time.Unix(1000, 0)
	add := func(n int) (*Session, int32) {
		s := New(false, false, wants(0, n), now)
		return s, c.Add(s, now)
	}
	if _, id := add(4*partitionsPerSlot + 1); id != 0 {
		t.Error("a session larger than all of the cache got in")
	}
	_, first := add(3 * partitionsPerSlot)
	if first == 0 {
		t.Fatal("a session that fits did not get in")
	}
	if _, id := add(2 * partitionsPerSlot); id != 0 {
		t.Error("a session got in for which there was no room")
	}
	_, second := add(partitionsPerSlot)
	if second == 0 {
		t.Fatal("the room that was left was not given")
	}
	c.Remove(second)
	c.Remove(second)
	if _, second = add(partitionsPerSlot); second == 0 {
		t.Fatal("a removed session still takes room")
	}
	if s, err := c.Use(second, 1, false, now, wants(partitionsPerSlot, 1), nil); err != nil || s.Len() != partitionsPerSlot+1 {
		t.Fatalf("the fetch that grows a session: %v", err)
	}
	if _, err := c.Use(second, 2, false, now, nil, nil); err != kerr.FetchSessionIDNotFound {
		t.Errorf("a session that has grown beyond the room is kept: %v", err)
	}
	// Those that rest give way to newcomers, as many as it takes.
	now = now.Add(staleAfter + time.Second)
	if _, id := add(4 * partitionsPerSlot); id == 0 || c.Len() != 1 || c.size != 4*partitionsPerSlot {
		t.Errorf("after a rest: id %d, %d sessions of %d partitions", id, c.Len(), c.size)
	}
}
