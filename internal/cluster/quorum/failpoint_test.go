//go:build failpoint

package quorum

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/failpoint"
	"github.com/odradek/odradek/internal/base/vfs"
)

// The power fails at every place where something becomes durable, early and late, and
// nothing that was acknowledged is lost.
func TestPowerCutAtEveryFailpoint(t *testing.T) {
	for _, name := range failpoint.Names() {
		if !strings.HasPrefix(name, "quorum.") || elsewhere(name) {
			continue
		}
		reached := 0
		for n := 1; n <= 40; n++ {
			bubble.Test(t, func(t *testing.T) {
				if cutAt(t, name, n) {
					reached++
				}
			})
			if t.Failed() {
				t.Fatalf("power cut at hit %d of %s", n, name)
			}
		}
		if reached == 0 {
			t.Errorf("%s was never reached", name)
		}
	}
}

// elsewhere tells of points that a voter alone does not reach, or not in its first life:
// what a leader sends to one that is far behind, what a power cut has torn, what a second
// start writes again. The sweep of the simulator crashes there.
func elsewhere(name string) bool {
	return strings.HasPrefix(name, "quorum.install.") || strings.HasPrefix(name, "quorum.torn.") ||
		strings.HasPrefix(name, "quorum.again.")
}

func cutAt(t *testing.T, name string, n int) (cut bool) {
	rng := rand.New(rand.NewPCG(uint64(n), 3))
	disk := vfs.NewMem()
	disk.SetGarbage(n%2 == 0)
	m := newMachine()
	c := config(disk, m)
	c.SnapshotBytes, c.SegmentBytes = 4<<10, 2<<10
	after := disk
	disarm := failpoint.Arm(name, n, func(any) { after = disk.Crash(rng); cut = true })
	defer disarm()
	acked := runUntilCut(t, c, m)
	disarm()
	if !cut {
		return false
	}
	back := newMachine()
	c = config(after, back)
	c.SnapshotBytes, c.SegmentBytes = 4<<10, 2<<10
	_, stop := start(t, c)
	<-back.leads
	var tried []string
	for i := range 60 {
		tried = append(tried, entry(i))
	}
	if msg := checkHistory(back.all(), acked, tried); msg != "" {
		t.Error(msg)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	return true
}

func entry(i int) string { return fmt.Sprint(i, strings.Repeat("x", 300)) }

// runUntilCut proposes until it fails and returns what was acknowledged.
func runUntilCut(t *testing.T, c Config, m *machine) (acked []string) {
	q, err := Open(c)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	defer cancel()
	select {
	case <-m.leads:
	case <-ended:
		return nil
	}
	for i := range 60 {
		if _, err := q.Propose(ctx, []byte(entry(i))); err != nil {
			break
		}
		acked = append(acked, entry(i))
	}
	cancel()
	<-ended
	return acked
}
