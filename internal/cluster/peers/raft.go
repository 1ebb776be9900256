package peers

import (
	"context"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/proto/link"
)

// raftID is a node's id in Raft, where 0 means nobody.
func raftID(node int32) uint64 { return uint64(node) + 1 }
func nodeID(id uint64) int32   { return int32(int64(id) - 1) }

// Send hands messages of Raft to other members, without waiting. Raft repeats what is
// lost; a snapshot, which is large, it repeats only when it is told that it was.
func (p *Peers) Send(messages []*raftpb.Message) {
	for _, m := range messages {
		node := nodeID(m.GetTo())
		if m.GetType() == raftpb.MsgSnap {
			p.offer(node, m)
			continue
		}
		b, err := proto.Marshal(m)
		if err != nil {
			panic(fmt.Sprintf("bug: a message of Raft cannot be written: %v", err))
		}
		kind := kindRaft
		switch m.GetType() {
		case raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgVote, raftpb.MsgVoteResp,
			raftpb.MsgPreVote, raftpb.MsgPreVoteResp, raftpb.MsgTimeoutNow:
			kind = kindUrgent
		}
		p.link.Send(node, kind, b)
	}
}

func (p *Peers) receive(from link.Hello, kind uint8, payload []byte) {
	if kind != kindUrgent && kind != kindRaft {
		return // a newer release says more
	}
	if err := p.step(from, payload); err != nil {
		p.c.Log.Warn("peers: a message of Raft is refused", "from", from.Node, "error", err)
	}
}

// step gives Raft a message, if it is what the line says: from that node, to this one.
func (p *Peers) step(from link.Hello, payload []byte) error {
	if p.c.Quorum == nil {
		return fmt.Errorf("node %d is not of the quorum: check controller.quorum.voters", p.c.Node)
	}
	var m raftpb.Message
	if err := proto.Unmarshal(payload, &m); err != nil {
		return fmt.Errorf("a message of Raft: %w", err)
	}
	if m.GetFrom() != raftID(from.Node) || m.GetTo() != raftID(p.c.Node) {
		return fmt.Errorf("a message of Raft from %d to %d came from node %d to node %d",
			nodeID(m.GetFrom()), nodeID(m.GetTo()), from.Node, p.c.Node)
	}
	p.c.Quorum.Step(&m)
	return nil
}

// snaps are the snapshots that Raft wants sent.
type snaps struct{ offers chan *offer }

type offer struct {
	node    int32
	message *raftpb.Message
}

func (p *Peers) offer(node int32, m *raftpb.Message) {
	select {
	case p.snaps.offers <- &offer{node, m}:
	default:
		p.c.SnapshotSent(node, false)
	}
}

// sendSnapshots sends each on a goroutine of its own: Raft has one under way for each
// member at most.
func (p *Peers) sendSnapshots(ctx context.Context, g *run.Group) error {
	for {
		select {
		case o := <-p.snaps.offers:
			g.Go(fmt.Sprintf("snapshot for %d", o.node), func(ctx context.Context) error {
				b, err := proto.Marshal(o.message)
				if err != nil {
					panic(fmt.Sprintf("bug: a snapshot cannot be written: %v", err))
				}
				if _, err = p.link.Call(ctx, o.node, kindSnapshot, b); err != nil {
					p.c.Log.Info("peers: a snapshot was not delivered", "node", o.node, "bytes", len(b), "error", err)
				}
				p.c.SnapshotSent(o.node, err == nil)
				return nil
			})
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
