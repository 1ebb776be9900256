package sharesession

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
)

// FuzzSessions has members open, use and close sessions in any order, with any epochs, and
// their connections end: the cache counts what it has, and who ended is told of once.
func FuzzSessions(f *testing.F) {
	f.Add([]byte{0, 1, 0, 5, 1, 1, 1, 3, 2, 1, 2, 0})
	f.Add([]byte{0, 0, 0, 9, 3, 0, 0, 1, 1, 0, 1, 7})
	f.Add([]byte{0, 1, 0, 5, 0, 1, 0, 5, 1, 1, 1, 2, 1, 1, 2, 3, 3, 1, 0, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		bubble.Test(t, func(t *testing.T) {
			const slots = 3
			k := newTalk(t, slots)
			ends := map[int]context.CancelFunc{}
			for ; len(script) >= 4; script = script[4:] {
				who, epoch := int(script[1]%5), int32(script[2])
				key := Key{fmt.Sprint("g", who%2), fmt.Sprint("m", who)}
				var list []model.IDPartition
				for i := range int32(script[3] % 20) {
					list = append(list, parts(i)...)
				}
				switch script[0] % 5 {
				case 0:
					ctx, end := context.WithCancel(t.Context())
					if was := ends[who]; was != nil {
						was()
						synctest.Wait()
					}
					ends[who] = end
					_ = k.Open(ctx, key, list) // there may be no room
				case 1:
					_, _ = k.Use(key, epoch, list, list[:len(list)/2]) // the epoch may be wrong
				case 2:
					k.Close(key)
				case 3:
					if ends[who] != nil {
						ends[who]()
						synctest.Wait()
					}
				case 4:
					_ = k.Touch(key, epoch)
				}
				k.holds(slots)
			}
			for _, end := range ends {
				end()
			}
			synctest.Wait()
			if k.Len() != 0 || k.size != 0 || len(k.members) != 0 {
				t.Errorf("after all connections have ended: %d sessions, %d partitions, members %v", k.Len(), k.size, k.members)
			}
		})
	})
}

// holds checks what the cache counts.
func (k *talk) holds(slots int) {
	k.Cache.mu.Lock()
	defer k.Cache.mu.Unlock()
	size, members := 0, map[string]int{}
	for key, s := range k.sessions {
		size += len(s.parts)
		members[key.Group]++
		if len(s.parts) != len(s.known) {
			k.Errorf("%v reads %v and knows %v", key, s.parts, s.known)
		}
	}
	if size != k.size || len(k.sessions) > slots || len(members) != len(k.members) {
		k.Errorf("%d sessions of %d partitions, counted %d; members %v, counted %v", len(k.sessions), size, k.size, members, k.members)
	}
}
