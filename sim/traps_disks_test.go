package sim

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/sim/world"
)

// Traps for mistakes in what disks are trusted with, and in what is kept on them.
var _ = lay(map[planted.Bug]trap{
	planted.AckBeforeSync:            {apart, onOrders(nil), powerFails},
	planted.RetryAfterSyncError:      {apart, onOrders(nil), syncsLie},
	planted.SkipDirSync:              {world.Shape{}, onOrders(nil), powerFails},
	planted.DeleteAbsentFromMetadata: {apart, onOrders(nil), powerFails},
	planted.VolatileProducers:        {apart, onOrders(nil), answersAreLost},
	planted.ForgetProducerSnapshot:   {apart, onOrders(nil), answersAreLostInOrder},
})

// powerFails has the power fail everywhere at one instant.
func powerFails(p *play) {
	for range 2 {
		p.leader()
		p.pass(500 * time.Millisecond)
		p.powerCut(p.Nodes()...)
	}
}

// syncsLie has the next sync of each broker's journal fail, after which the disk has
// forgotten what was to be synced, as Linux does, and then the power fails everywhere.
func syncsLie(p *play) {
	p.leader()
	p.pass(500 * time.Millisecond)
	var lied atomic.Int32
	for _, n := range p.brokers() {
		var once atomic.Bool
		n.Ail("a sync that lies", func(op vfs.Op, name string) error {
			if op != vfs.OpSync || !strings.Contains(name, "journal") || once.Swap(true) {
				return nil
			}
			lied.Add(1)
			return vfs.LostSync{Drop: true}
		})
	}
	p.Within(time.Second, func() bool { return int(lied.Load()) == len(p.brokers()) })
	p.powerCut(p.brokers()...)
}

// answersAreLost has a leader take records and its clients hear nothing of that, until it
// dies: they ask the next leader to take them.
func answersAreLost(p *play) {
	for range 2 {
		leader, followers := p.leader()
		p.inSync(append(followers, leader)...)
		p.pass(300 * time.Millisecond)
		p.Cut(leader, nil, true)
		p.pass(300 * time.Millisecond)
		leader.KillProcess()
		p.Cut(leader, nil, false)
		p.leader()
		leader.Launch()
	}
}

// answersAreLostInOrder is that with the followers stopped in order meanwhile: what they knew
// of producers is on their disks.
func answersAreLostInOrder(p *play) {
	for range 2 {
		leader, followers := p.leader()
		p.inSync(append(followers, leader)...)
		p.pass(300 * time.Millisecond)
		p.Cut(leader, nil, true)
		p.pass(200 * time.Millisecond)
		for _, n := range p.brokers() {
			p.Cut(nil, n, true)
		}
		leader.KillProcess() // and what it had to say
		for _, n := range followers {
			if err := n.Halt(); err != nil {
				p.t.Errorf("node %d stopped: %v", n.ID, err)
			}
		}
		for _, n := range p.brokers() {
			n.Launch()
		}
		for _, n := range p.brokers() {
			p.Cut(nil, n, false)
		}
		p.Cut(leader, nil, false)
	}
}
