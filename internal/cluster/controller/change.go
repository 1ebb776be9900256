package controller

import (
	"slices"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// change is one partition on its way from what it was to what it will be. Whoever
// begins one sets the replicas and the ISR as they should become; done finds the
// leader and everything that follows from it.
//
// Invariants of the outcome: the leader is in the ISR; ISR and ELR have no broker in
// common and both are among the replicas; without eligible leader replicas the ISR is
// never empty: the last one in it is waited for.
type change struct {
	s        State
	topic    *metadata.Topic
	number   int32
	was      *metadata.Partition
	now      metadata.Partition
	mayLead  func(id int32) bool
	election election
	unclean  []int32 // brokers that may have lost acknowledged records
	placed   placed  // where a broker says that its replica is
}

// placed is a replica's new folder.
type placed struct {
	broker int32
	dir    model.ID // zero: nothing is new
}

// election is how far one goes to find a leader.
type election int8

const (
	online    election = iota // keep the leader if it may lead, or take any in sync
	preferred                 // take the first replica if it is in sync
	uncleanly                 // take any replica that lives rather than none
)

func (s State) change(t *metadata.Topic, number int32) *change {
	was := t.Partitions[number]
	c := &change{s: s, topic: t, number: number, was: was, now: *was}
	c.mayLead = func(id int32) bool { return s.active(id) && s.online(was, id) }
	return c
}

// elr reports whether eligible leader replicas are kept (KIP-966).
func (s State) elr() bool { return s.Image.Feature(FeatureELR) > 0 }

// done returns the record of the change, or false if nothing would change.
func (c *change) done() (metadata.Record, bool) {
	c.completeReassignment()
	if c.s.elr() {
		c.keepEligible()
	} else {
		c.now.ELR = nil
		if len(c.now.ISR) == 0 {
			c.now.ISR = c.was.ISR
		}
	}
	c.elect()
	if len(c.now.ISR) >= c.s.rulesOf(c.topic).minISR {
		c.now.ELR = nil // from now on records are committed without them
	}
	c.rememberLeader()
	c.now.Dirs = c.dirs()
	if c.same() {
		return nil, false
	}
	if c.now.Leader != c.was.Leader || !containsAll(c.now.Replicas, c.was.Replicas) {
		c.now.LeaderEpoch++
	}
	c.now.PartitionEpoch++
	return metadata.ChangePartition{Topic: c.topic.ID, Number: c.number, Partition: c.now}, true
}

// completeReassignment ends a move once every replica that stays is in sync.
func (c *change) completeReassignment() {
	if !c.now.Reassigning() {
		return
	}
	isr, replicas := without(c.now.ISR, c.now.Removing), without(c.now.Replicas, c.now.Removing)
	if len(isr) == 0 || len(replicas) == 0 || !containsAll(isr, replicas) {
		return
	}
	c.now.ISR, c.now.Replicas, c.now.Adding, c.now.Removing = isr, replicas, nil, nil
	c.now.ELR = within(c.now.ELR, replicas)
}

// keepEligible counts who is out of sync but has every committed record: while fewer
// than min.insync.replicas are in sync nothing is committed without those who left.
func (c *change) keepEligible() {
	if len(c.now.ISR) >= c.s.rulesOf(c.topic).minISR {
		c.now.ELR = nil
		return
	}
	eligible := slices.Clone(c.now.ELR)
	for _, id := range c.was.ISR {
		if !slices.Contains(eligible, id) {
			eligible = append(eligible, id)
		}
	}
	eligible = within(eligible, c.now.Replicas)
	c.now.ELR = nonEmpty(without(without(eligible, c.now.ISR), c.unclean))
}

func (c *change) elect() {
	leader, unclean := c.pick()
	switch {
	case leader == c.was.Leader:
	case unclean: // what the others had and this one lacks is lost
		c.now.ISR, c.now.ELR, c.now.Recovery = []int32{leader}, nil, metadata.Recovering
	case slices.Contains(c.now.ELR, leader):
		c.now.ISR = []int32{leader}
		c.now.ELR = nonEmpty(without(c.now.ELR, c.now.ISR))
	}
	c.now.Leader = leader
}

func (c *change) pick() (leader int32, unclean bool) {
	if c.election == preferred && len(c.now.Replicas) > 0 && c.valid(c.now.Replicas[0]) {
		return c.now.Replicas[0], false
	}
	if c.valid(c.was.Leader) {
		return c.was.Leader, false
	}
	if i := slices.IndexFunc(c.now.Replicas, c.valid); i >= 0 {
		return c.now.Replicas[i], false
	}
	if id, ok := c.lastKnownLeader(); ok && c.mayLead(id) {
		return id, true
	}
	if i := slices.IndexFunc(c.now.Replicas, c.mayLead); i >= 0 && c.election == uncleanly {
		return c.now.Replicas[i], true
	}
	return model.NoLeader, false
}

// lastKnownLeader is who led last, when nobody is left of whom it is known that they have
// every committed record. A reassignment may have taken it away since.
func (c *change) lastKnownLeader() (int32, bool) {
	if !c.s.elr() || len(c.now.ISR)+len(c.now.ELR) > 0 || len(c.was.LastKnownELR) != 1 {
		return 0, false
	}
	id := c.was.LastKnownELR[0]
	return id, slices.Contains(c.now.Replicas, id)
}

// valid reports whether a replica has every committed record and may lead.
func (c *change) valid(id int32) bool {
	in := c.now.ISR
	if len(in) == 0 {
		in = c.now.ELR
	}
	return slices.Contains(in, id) && c.mayLead(id)
}

// rememberLeader keeps the last leader of a partition that has none, for the day when
// nobody eligible comes back.
func (c *change) rememberLeader() {
	switch {
	case !c.s.elr():
		c.now.LastKnownELR = nil
	case c.now.Leader == model.NoLeader && c.was.Leader != model.NoLeader && len(c.was.LastKnownELR) == 0:
		c.now.LastKnownELR = []int32{c.was.Leader}
	case c.now.Leader != model.NoLeader:
		c.now.LastKnownELR = nil
	}
}

// dirs are the folders of the replicas: those of before where nothing is new.
func (c *change) dirs() []model.ID {
	if c.placed.dir.IsZero() && len(c.was.Dirs) == len(c.was.Replicas) && slices.Equal(c.now.Replicas, c.was.Replicas) {
		return c.was.Dirs
	}
	dirs := make([]model.ID, len(c.now.Replicas))
	for i, id := range c.now.Replicas {
		if id == c.placed.broker && !c.placed.dir.IsZero() {
			dirs[i] = c.placed.dir
		} else if at := slices.Index(c.was.Replicas, id); at >= 0 && at < len(c.was.Dirs) {
			dirs[i] = c.was.Dirs[at]
		} else {
			dirs[i] = c.s.directory(id)
		}
	}
	return dirs
}

func (c *change) same() bool { return c.now.Equal(c.was) }

// without and within are the items of list that are not, or are, in set, in order.
func without(list, set []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(list), func(id int32) bool { return slices.Contains(set, id) })
}

func within(list, set []int32) []int32 {
	return nonEmpty(slices.DeleteFunc(slices.Clone(list), func(id int32) bool { return !slices.Contains(set, id) }))
}

func nonEmpty(list []int32) []int32 {
	if len(list) == 0 {
		return nil
	}
	return list
}

func containsAll(list, items []int32) bool {
	return !slices.ContainsFunc(items, func(id int32) bool { return !slices.Contains(list, id) })
}
