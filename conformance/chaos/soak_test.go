package chaos

import (
	"context"
	"flag"
	"maps"
	"slices"
	"testing"
	"time"
)

var (
	soak  = flag.Duration("soak", 0, "how long the soak lasts in all; each piece of it begins a cluster and ends with a check; 0 leaves it out")
	piece = flag.Duration("piece", 4*time.Minute, "how long a piece of the soak lasts")
	small = flag.Bool("small", false, "let the soak's load be that of the scenarios")
	every = flag.Duration("every", 8*time.Second, "between two kills of workers in the soak; chance halves it or adds half")
)

// Clients of four libraries work on three nodes, while nodes, disks and the network are
// hurt in every way that the machine allows, workers are killed and come back as zombies.
// Then all of what anybody was told is held against all the rest. The pieces of a soak add
// up in the file of results.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("asked for with -soak=1m")
	}
	for done := time.Duration(0); done < *soak && !t.Failed(); done += *piece {
		t.Run("piece", func(t *testing.T) { soakPiece(t, min(*piece, *soak-done)) })
	}
}

func soakPiece(t *testing.T, long time.Duration) {
	mix := Full()
	if *small {
		mix = Small()
	}
	s := newStory(t, "soak", Config{DiskBytes: 4 << 30, MetadataApart: true}, mix)
	m := &Nemesis{Rig: s.rig, Rand: s.rig.Rand(3), Targets: append(Targets(), LeaderOf("a", 0), LeaderOf("__transaction_state", 0)),
		Shortest: min(3*time.Second, long/4), Longest: min(12*time.Second, long/2), Happened: func(e Event) {
			s.load.Happened(e)
			if *verbose {
				t.Logf("%6.1fs %s %s %s %v %s", time.Since(s.began).Seconds(), e.Kind, e.Fault, e.Target, e.Nodes, e.Detail)
			}
		}}
	m.Faults = slices.DeleteFunc(Faults(), func(f Fault) bool {
		// After a hole under its journal a node does not start: scenario 7 has that.
		return f.Name == "torn segments" || f.Lacks(s.rig) != ""
	})
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	stop := make(chan struct{})
	s.hurting.Go(func() { s.hurtWorkers(*every, stop) })
	err := m.Run(ctx)
	close(stop)
	s.hurting.Wait()
	try(t, err)
	maps.Copy(s.faults, m.Tally())
	s.warm() // all that is written to is written to again, by pipes too
	s.verdict()
}
