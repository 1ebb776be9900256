package peers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/cluster/quorum"
)

// Follow keeps the metadata of a node up to date by the leader's tail, whenever it has no
// vote, until ctx ends. It fails when the metadata makes no sense here: the node does not
// know what the cluster agreed on and must stop.
func (p *Peers) Follow(ctx context.Context) error {
	place := int64(0) // up to which the metadata is here: a snapshot may say less than it has
	for next := 0; ; {
		if p.votes() { // Raft brings it
			if err := sleep(ctx, p.c.LongPoll); err != nil {
				return err
			}
			continue
		}
		node := p.leads().node
		if node < 0 || node == p.c.Node {
			if node, next = p.anyone(next); node < 0 {
				if err := sleep(ctx, 20*time.Millisecond); err != nil {
					return err
				}
				continue
			}
		}
		place = max(place, p.c.Feed.Image().Offset)
		at, err := p.followFrom(ctx, node, place+1)
		if err != nil {
			return err
		}
		place = max(place, at)
	}
}

// anyone is a node of the quorum to ask, one after the other.
func (p *Peers) anyone(next int) (node int32, following int) {
	up := p.link.Up()
	if len(up) == 0 {
		return -1, next
	}
	return up[next%len(up)].Node, next + 1
}

// followFrom asks a node once for the metadata from an offset on, and tells how far it
// has come, 0 if nothing came. Only what cannot be applied is an error.
func (p *Peers) followFrom(ctx context.Context, node int32, from int64) (int64, error) {
	asking, cancel := context.WithTimeout(ctx, p.c.LongPoll+slack)
	answer, err := p.link.Call(asking, node, kindTail, binary.AppendVarint(nil, from))
	silent := asking.Err() != nil // not by what err wraps: a line may be down for lateness
	cancel()
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case silent:
		p.lookAround(ctx, node)
		return 0, nil
	default:
		p.c.Log.Debug("peers: the tail is not answered", "node", node, "error", err)
		p.forget(node)
		return 0, sleep(ctx, 20*time.Millisecond)
	}
	rest, elsewhere, err := open(answer)
	if err == nil && rest == nil {
		p.forget(node)
		p.learn(elsewhere.node, elsewhere.term)
		if elsewhere.node < 0 || elsewhere.node == node {
			return 0, sleep(ctx, 20*time.Millisecond)
		}
		return 0, sleep(ctx, firstPause) // two may take each other for the leader
	}
	var c quorum.Chunk
	if err == nil {
		c, err = parseChunk(rest)
	}
	if err == nil {
		err = c.Check(from)
	}
	if err != nil {
		return 0, fmt.Errorf("metadata from node %d: %w", node, err)
	}
	p.learn(c.Leader, c.Term)
	return p.apply(from, c)
}

// slack is how late an answer may be before others are asked as well.
const slack = 300 * time.Millisecond

// lookAround asks the others who leads when a node is silent. It may be busy, and then
// nobody says otherwise; or they have a new leader.
func (p *Peers) lookAround(ctx context.Context, silent int32) {
	for _, h := range p.link.Up() {
		if h.Node == silent {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, slack)
		answer, err := p.link.Call(asking, h.Node, kindWhere, nil)
		cancel()
		if err != nil {
			continue
		}
		rest, l, err := open(answer)
		if err == nil && rest != nil {
			var c quorum.Chunk
			c, err = parseChunk(rest)
			l = leader{c.Leader, c.Term}
		}
		if err == nil && l.node != silent {
			p.learn(l.node, l.term)
		}
		if p.leads().node != silent {
			return
		}
	}
}

func (p *Peers) apply(from int64, c quorum.Chunk) (at int64, err error) {
	if c.Snapshot != nil {
		if c.SnapshotOffset < from {
			return 0, errors.New("a snapshot of the metadata is older than what was asked for")
		}
		if err := p.c.Feed.Restore(c.Snapshot); err != nil {
			return 0, fmt.Errorf("metadata snapshot %d: %w", c.SnapshotOffset, err)
		}
		return c.SnapshotOffset, nil
	}
	for _, e := range c.Entries {
		if err := p.c.Feed.ApplyEntry(e.Offset, e.Data); err != nil {
			return 0, err
		}
		at = e.Offset
	}
	return at, nil
}

// CaughtUp waits until this node has all metadata that was committed, by the leader's
// word, when it was called.
func (p *Peers) CaughtUp(ctx context.Context) error {
	var commit int64
	err := p.toLeader(ctx, true, func(ctx context.Context, node int32) (bool, leader, error) {
		if node == p.c.Node {
			commit = p.c.Quorum.Status().Commit
			return true, leader{}, nil
		}
		answer, err := p.link.Call(ctx, node, kindWhere, nil)
		if err != nil {
			return false, leader{}, err
		}
		rest, elsewhere, err := open(answer)
		if err != nil || rest == nil {
			return false, elsewhere, err
		}
		c, err := parseChunk(rest)
		commit = c.Commit
		return err == nil, leader{}, err
	})
	if err != nil {
		return err
	}
	return p.c.Feed.WaitOffset(ctx, commit)
}
