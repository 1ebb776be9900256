package fetchsession

import (
	"testing"
	"time"
)

// FuzzSessions has clients open, use and end sessions in any order, with any ids and epochs:
// the cache holds what its sessions hold, no more of them than it has slots, and no partition
// is in a session that its client has not named.
func FuzzSessions(f *testing.F) {
	f.Add([]byte{0, 1, 0, 5, 1, 1, 1, 3, 2, 1, 2, 0})
	f.Add([]byte{0, 0, 0, 9, 3, 200, 0, 1, 1, 1, 1, 7, 1, 1, 2, 200})
	f.Add([]byte{1, 0, 0, 0, 2, 0, 0, 0, 0, 255, 255, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		const slots = 3
		next := uint32(0)
		c, now := NewCache(slots, func() uint32 { next++; return next % 5 }), time.Unix(1000, 0)
		for ; len(script) >= 4; script = script[4:] {
			id, at, n := int32(script[1]%6), int32(script[2]), int(script[3]%20)
			switch script[0] % 4 {
			case 0:
				s := New(script[1]%2 == 0, script[1]%3 == 0, wants(int(at), n), now)
				if got := c.Add(s, now); got != 0 && s.Len() != n {
					t.Errorf("a session of %d partitions has %d", n, s.Len())
				}
			case 1:
				var forgotten []Key
				for _, w := range wants(0, n/2) {
					forgotten = append(forgotten, w.Key)
				}
				if s, err := c.Use(id, at-1, script[3]%2 == 0, now, wants(int(at), n), forgotten); err == nil {
					s.Take(nil)
				}
			case 2:
				c.Remove(id)
			case 3:
				now = now.Add(time.Duration(script[1]) * time.Second)
			}
			held := 0
			for id, s := range c.sessions {
				if held += s.Len(); s.id != id || s.size != s.Len() || s.size == 0 && s.parts.n > 0 {
					t.Fatalf("session %d: id %d, %d partitions of %d", id, s.id, s.Len(), s.size)
				}
			}
			if c.Len() > slots || c.size != held || held > slots*partitionsPerSlot {
				t.Fatalf("%d sessions of %d partitions, counted %d", c.Len(), held, c.size)
			}
		}
	})
}
