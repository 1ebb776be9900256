package api

import (
	"iter"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// node is a broker as one listener tells it.
type node struct {
	id     int32
	host   string
	port   int32
	rack   *string
	fenced bool
}

// noNode stands where there is nobody.
var noNode = node{id: -1, port: -1}

// nodes are the brokers that a client of the listener can reach, by id; those that are
// fenced only if they are asked for.
func nodes(m *metadata.Image, listener string, fenced bool) iter.Seq[node] {
	return func(yield func(node) bool) {
		for b := range m.Brokers() {
			e, ok := b.Endpoint(listener)
			if !ok || b.Fenced && !fenced {
				continue
			}
			if !yield(node{b.ID, e.Host, e.Port, b.Rack, b.Fenced}) {
				return
			}
		}
	}
}

// aliveNode is a broker that is not fenced, as the listener tells it.
func aliveNode(m *metadata.Image, listener string, id int32) (node, bool) {
	b, ok := m.Broker(id)
	if !ok || b.Fenced {
		return noNode, false
	}
	e, ok := b.Endpoint(listener)
	return node{b.ID, e.Host, e.Port, b.Rack, false}, ok || listener == "" // this broker itself asks
}

// leaderNode is the id of a leader, or why a client cannot reach it.
func leaderNode(m *metadata.Image, listener string, leader int32) (int32, error) {
	b, ok := m.Broker(leader)
	if !ok {
		return model.NoLeader, kerr.LeaderNotAvailable
	}
	if _, ok := b.Endpoint(listener); !ok {
		return model.NoLeader, kerr.ListenerNotFound
	}
	return leader, nil
}

// anyBroker is the broker that clients are told is the controller: any one that is
// alive, since each passes on what only the controller may do.
func (s *Server) anyBroker(m *metadata.Image) int32 {
	alive := make([]int32, 0, m.BrokerCount())
	for b := range m.Brokers() {
		if !b.Fenced {
			alive = append(alive, b.ID)
		}
	}
	if len(alive) == 0 {
		return -1
	}
	return alive[s.cfg.Random(len(alive))]
}

// present are those of brokers that are alive and have the request's listener.
func present(r *Request, brokers []int32) []int32 {
	alive := make([]int32, 0, len(brokers))
	for _, id := range brokers {
		if _, ok := aliveNode(r.Image, r.Listener, id); ok {
			alive = append(alive, id)
		}
	}
	return alive
}

// offline are the replicas that cannot be reached: their broker is away or fenced,
// lacks the listener, or has lost the folder.
func offline(r *Request, p *metadata.Partition) []int32 {
	away := []int32{}
	for i, id := range p.Replicas {
		if _, ok := aliveNode(r.Image, r.Listener, id); !ok || lostFolder(r.Image, p, i) {
			away = append(away, id)
		}
	}
	return away
}

func lostFolder(m *metadata.Image, p *metadata.Partition, replica int) bool {
	if replica >= len(p.Dirs) || p.Dirs[replica].IsZero() {
		return false // not assigned yet
	}
	b, _ := m.Broker(p.Replicas[replica])
	for _, d := range b.LogDirs {
		if d == p.Dirs[replica] {
			return false
		}
	}
	return len(b.LogDirs) > 0
}
