package api

import (
	"math"
	"strconv"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	replication "github.com/odradek/odradek/internal/replica/fetcher"
	"github.com/odradek/odradek/internal/replica/partition"
)

// Settings of the leader's side of a throttled replication (KIP-73).
const (
	leaderThrottleRate = "leader.replication.throttled.rate"
	leaderThrottled    = "leader.replication.throttled.replicas"
)

// newThrottle bounds what this broker sends to followers that need not hurry.
func newThrottle(cfg *Config) *replication.Throttle {
	return &replication.Throttle{
		Rate: func() int64 {
			image := cfg.Feed.Image()
			for _, name := range []string{strconv.Itoa(int(cfg.NodeID)), ""} {
				v, ok := image.Configs(metadata.Resource{Type: metadata.BrokerResource, Name: name})[leaderThrottleRate]
				if n, err := strconv.ParseInt(v, 10, 64); ok && err == nil {
					return n
				}
			}
			return math.MaxInt64
		},
		Listed: func(tp model.TopicPartition) bool {
			list := cfg.Feed.Image().Configs(metadata.Resource{Type: metadata.TopicResource, Name: tp.Topic})[leaderThrottled]
			return list != "" && replication.InList(list, tp.Partition, cfg.NodeID)
		},
	}
}

// holdsBack reports whether a follower is to have nothing of a partition now: what the
// listed ones may be sent is used up. Members of the ISR are never held back, as writers
// wait for them.
func (s *Server) holdsBack(p *partition.Partition, node int32, now time.Time) bool {
	_, exceeded := s.throttle.Until(now)
	return exceeded && s.throttles(p, node)
}

// throttles reports whether a follower is one of those that are bounded.
func (s *Server) throttles(p *partition.Partition, node int32) bool {
	if !s.throttle.Listed(p.TP()) {
		return false
	}
	for _, id := range p.Role().ISR {
		if id == node {
			return false
		}
	}
	return true
}

// countThrottled counts what an answer brings to followers that are bounded.
func (f *fetching) countThrottled() {
	node := f.replica()
	if node < 0 {
		return
	}
	for i := range f.results {
		if r := &f.results[i]; r.Len > 0 && f.server.throttles(r.replica, node) {
			f.server.throttle.Record(r.Len, time.Now())
		}
	}
}
