package peers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/cluster/quorum"
)

// Follow keeps the metadata of a node that does not vote up to date, by the leader's
// tail, until ctx ends. It fails when the metadata makes no sense here: the node does not
// know what the cluster agreed on and must stop.
func (p *Peers) Follow(ctx context.Context) error {
	p.reached(p.c.Feed.Image().Offset)
	for next := 0; ; {
		l := p.leads()
		node := l.node
		if node < 0 || node == p.c.Node {
			if node, next = p.anyone(next); node < 0 {
				if err := sleep(ctx, 50*time.Millisecond); err != nil {
					return err
				}
				continue
			}
		}
		if err := p.followFrom(ctx, node); err != nil {
			return err
		}
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

// followFrom asks a node once. Only what cannot be applied is an error.
func (p *Peers) followFrom(ctx context.Context, node int32) error {
	from := p.at() + 1
	asking, cancel := context.WithTimeout(ctx, p.c.LongPoll+2*time.Second)
	answer, err := p.link.Call(asking, node, kindTail, binary.AppendVarint(nil, from))
	cancel()
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.c.Log.Debug("peers: the tail is not answered", "node", node, "error", err)
		p.forget(node)
		return sleep(ctx, 20*time.Millisecond)
	}
	rest, elsewhere, err := open(answer)
	if err != nil {
		return err
	}
	if rest == nil {
		p.forget(node)
		p.learn(elsewhere.node, elsewhere.term)
		if elsewhere.node < 0 || elsewhere.node == node {
			return sleep(ctx, 50*time.Millisecond)
		}
		return nil
	}
	c, err := parseChunk(rest)
	if err == nil {
		err = c.Check(from)
	}
	if err != nil {
		return fmt.Errorf("metadata from node %d: %w", node, err)
	}
	p.learn(c.Leader, c.Term)
	return p.apply(from, c)
}

func (p *Peers) apply(from int64, c quorum.Chunk) error {
	if c.Snapshot != nil {
		if len(c.Snapshot) > 0 {
			if err := p.c.Feed.Restore(c.Snapshot); err != nil {
				return fmt.Errorf("metadata snapshot %d: %w", c.SnapshotOffset, err)
			}
		}
		if c.SnapshotOffset < from {
			return errors.New("a snapshot of the metadata is older than what was asked for")
		}
		p.reached(max(c.SnapshotOffset, p.c.Feed.Image().Offset))
		return nil
	}
	for _, e := range c.Entries {
		if err := p.c.Feed.ApplyEntry(e.Offset, e.Data); err != nil {
			return err
		}
		p.reached(e.Offset)
	}
	return nil
}

// at is the offset up to which Follow has the metadata.
func (p *Peers) at() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.place
}

func (p *Peers) reached(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if offset > p.place {
		p.place = offset
		p.ring()
	}
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
	return p.waitOffset(ctx, commit)
}

// waitOffset waits until the metadata of this node stands at an offset.
func (p *Peers) waitOffset(ctx context.Context, offset int64) error {
	return p.c.Feed.WaitOffset(ctx, offset)
}
