package sim

import (
	"path"
	"time"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/sim/load"
	"github.com/odradek/odradek/sim/world"
)

// Traps for mistakes in what replicas promise each other.
var _ = lay(map[planted.Bug]trap{
	planted.AckBelowMinISR:      {apart, onOrders(nil), lastOneInSync},
	planted.HWTooHigh:           {apart, onOrders(nil), answersOnTheWay},
	planted.TruncateByHW:        {apart, onOrders(nil), twoLeadersDie},
	planted.OldEpoch:            {apart, onOrders(nil), leaderOfThePast},
	planted.OldBrokerEpochInISR: {apart, onOrders(nil), anotherIncarnation},
})

// lastOneInSync leaves one replica alone in the ISR, which is not enough to acknowledge, and
// has it die when the others are back.
func lastOneInSync(p *play) {
	last, others := p.leader()
	p.inSync(append(others, last)...)
	for _, n := range others {
		n.KillProcess()
	}
	p.inSync(last)
	p.pass(500 * time.Millisecond)
	last.KillProcess()
	for _, n := range others {
		n.Launch()
	}
	p.leader()
	p.pass(200 * time.Millisecond)
}

// answersOnTheWay has leaders die while what followers asked for is on its way to them.
func answersOnTheWay(p *play) {
	for range 2 {
		leader, followers := p.leader()
		p.inSync(append(followers, leader)...)
		for _, n := range followers {
			p.Delay(leader, n, 100*time.Millisecond, 0)
		}
		p.pass(500 * time.Millisecond)
		leader.Kill()
		for _, n := range followers {
			p.Delay(leader, n, 0, 0)
		}
		p.leader()
		leader.Launch()
	}
}

// twoLeadersDie has a follower that knows late what is committed follow a new leader, which
// dies before the follower could ask it for anything.
func twoLeadersDie(p *play) {
	first, followers := p.leader()
	p.inSync(append(followers, first)...)
	for _, n := range followers {
		p.Delay(first, n, 100*time.Millisecond, 0)
	}
	p.pass(500 * time.Millisecond)
	for _, a := range followers {
		for _, b := range followers {
			if a != b {
				p.Delay(a, b, time.Second, 0)
			}
		}
	}
	first.KillProcess()
	second, _ := p.leader()
	p.pass(50 * time.Millisecond)
	second.KillProcess()
	p.leader()
	p.pass(200 * time.Millisecond)
	for _, a := range p.brokers() {
		for _, b := range p.brokers() {
			p.Delay(a, b, 0, 0)
		}
	}
}

// leaderOfThePast cuts a leader off from all but its clients, until another leads, and lets
// it come back while they still wait for its answers.
func leaderOfThePast(p *play) {
	past, followers := p.leader()
	p.inSync(append(followers, past)...)
	past.Isolate(true, false)
	p.Eventually("another leads", 20*time.Second, func() bool {
		n := p.Leader(load.Orders, 0)
		return n != nil && n != past
	})
	p.pass(time.Second)
	past.Isolate(false, false)
	p.pass(3 * time.Second)
}

// anotherIncarnation has a follower catch up, and lose its log before the word of that
// reaches the controller: what is back is another incarnation, which has nothing. Then the
// others die.
func anotherIncarnation(p *play) {
	leader, followers := p.leader()
	lost, third := followers[0], followers[1]
	p.inSync(leader, lost, third)
	lost.Kill()
	p.inSync(leader, third)
	p.Cut(leader, lost, true)
	lost.Launch()
	if err := lost.Serving(); err != nil {
		p.t.Fatal(err)
	}
	p.Eventually("the leader knows that it is back", 5*time.Second, func() bool {
		b, ok := leader.Broker().Feed().Image().Broker(lost.ID)
		return ok && b.Active()
	})
	for _, n := range p.Nodes() {
		if n.Votes() {
			p.Delay(leader, n, 700*time.Millisecond, 0) // not so long that its session ends
		}
	}
	p.Cut(leader, lost, false)
	p.pass(300 * time.Millisecond)
	lost.Kill()
	loseLogs(p, lost)
	p.Cut(leader, lost, true) // nor does it get anything again
	lost.Launch()
	p.Within(4*time.Second, func() bool {
		_, part, _ := p.Image().Partition(load.Orders, 0)
		return len(part.ISR) == 3
	})
	leader.CutPower()
	third.CutPower()
	leader.Kill()
	third.Kill()
	if p.Within(4*time.Second, func() bool { return p.Leader(load.Orders, 0) == lost }) {
		p.pass(time.Second) // for clients to see it
	}
	for _, n := range p.Nodes() {
		if n.Votes() {
			p.Delay(leader, n, 0, 0)
		}
	}
	p.Cut(leader, lost, false)
	leader.Launch()
	third.Launch()
}

// loseLogs takes everything from the disk of a node that does not run, but what tells whose
// it is.
func loseLogs(p *play, n *world.Node) {
	disk := n.Disk()
	for _, dir := range n.Dirs() {
		entries, err := disk.ReadDir(dir)
		for _, e := range entries {
			if e.Name() != "meta.properties" && err == nil {
				err = disk.RemoveAll(path.Join(dir, e.Name()))
			}
		}
		if err == nil {
			err = disk.SyncDir(dir)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
}
