package peers

import (
	"context"
	"fmt"
	"sync"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/odradek/odradek/internal/base/run"
	"github.com/odradek/odradek/internal/proto/link"
)

// raftID is a node's id in Raft, where 0 means nobody.
func raftID(node int32) uint64 { return uint64(node) + 1 }
func nodeID(id uint64) int32   { return int32(int64(id) - 1) }

// Send hands messages of Raft to other members, without waiting. The quorum repeats what
// is lost.
func (p *Peers) Send(messages []*raftpb.Message) {
	for _, m := range messages {
		node := nodeID(m.GetTo())
		if m.GetType() == raftpb.MsgSnap && len(m.GetSnapshot().GetData()) > 0 {
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
	p.locate(from.Node, from) // which waits for an answer
	p.c.Quorum.Step(&m)
	return nil
}

// snaps are the snapshots that Raft wants sent. They go as calls, so that it is known when
// one has come: a member that takes long over one is not sent the next meanwhile.
type snaps struct {
	offers chan *offer
	mu     sync.Mutex // guards flying
	flying map[int32]bool
}

type offer struct {
	node    int32
	message *raftpb.Message
}

func (p *Peers) offer(node int32, m *raftpb.Message) {
	if !p.snaps.begin(node) {
		return
	}
	select {
	case p.snaps.offers <- &offer{node, m}:
	default:
		p.snaps.end(node)
	}
}

func (s *snaps) begin(node int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flying[node] {
		return false
	}
	s.flying[node] = true
	return true
}

func (s *snaps) end(node int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flying, node)
}

// sendSnapshots sends each on a goroutine of its own.
func (p *Peers) sendSnapshots(ctx context.Context, g *run.Group) error {
	for {
		select {
		case o := <-p.snaps.offers:
			g.Go(fmt.Sprintf("snapshot for %d", o.node), func(ctx context.Context) error {
				defer p.snaps.end(o.node)
				p.sendSnapshot(ctx, o)
				return nil
			})
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (p *Peers) sendSnapshot(ctx context.Context, o *offer) {
	b, err := proto.Marshal(o.message)
	if err != nil {
		panic(fmt.Sprintf("bug: a snapshot cannot be written: %v", err))
	}
	if _, err = p.link.Call(ctx, o.node, kindSnapshot, b); err != nil {
		p.c.Log.Info("peers: a snapshot was not delivered", "node", o.node, "bytes", len(b), "error", err)
	}
}
