package sim

import (
	"time"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/sim/load"
	"github.com/odradek/odradek/sim/world"
)

// Traps for mistakes of coordinators, and in what clients are told.
var _ = lay(map[planted.Bug]trap{
	planted.LSOTooHigh:             {apart, inTransactions(), calm},
	planted.StaleEndTxn:            {apart, inTransactions(), calm},
	planted.OffsetZeroOnError:      {apart, inTransactions(), calm},
	planted.GroupDeletionNotLogged: {apart, onRegisters(), coordinatorsMove},
	planted.PendingOffsetsTold:     {apart, onRegisters(), markersAreLate},
	planted.TwoOwners:              {apart, inGroup(), calm},
})

// inTransactions are those of a library, and of sessions whose dead go on.
func inTransactions() load.Mix {
	m := onOrders(nil)
	m.Topics = append(m.Topics, load.Topic{Name: load.Copies, Partitions: 1})
	m.Producers, m.Txns, m.Zombies = 1, 2, 3
	return m
}

// onRegisters are groups whose offsets are written, read and deleted, in transactions and
// without.
func onRegisters() load.Mix {
	m := onOrders(nil)
	m.Producers, m.Registers = 1, 4
	return m
}

// inGroup are members of a group.
func inGroup() load.Mix {
	m := onOrders(nil)
	m.Topics[0].Partitions, m.Producers, m.Consumers = 6, 1, 4
	return m
}

func calm(p *play) { p.pass(4 * time.Second) }

// coordinatorsMove has those who coordinate groups die, one after the other.
func coordinatorsMove(p *play) {
	for range 4 {
		p.pass(time.Second)
		var n *world.Node
		p.Eventually("somebody coordinates groups", 20*time.Second, func() bool {
			n = p.Leader(model.ConsumerOffsetsTopic, 0)
			return n != nil
		})
		n.KillProcess()
		n.Launch()
		if err := n.Serving(); err != nil {
			p.t.Fatal(err)
		}
	}
}

// markersAreLate has what brokers tell each other take its time: a transaction is decided
// well before it ends where it wrote.
func markersAreLate(p *play) {
	between := func(least time.Duration) {
		for _, a := range p.brokers() {
			for _, b := range p.brokers() {
				if a != b {
					p.Delay(a, b, least, least)
				}
			}
		}
	}
	between(50 * time.Millisecond)
	p.pass(5 * time.Second)
	between(0)
}
