package host

import (
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/fetcher"
)

// newFleet makes what fetches from other brokers; nil if they cannot be reached.
func newFleet(h *Host) *fetcher.Fleet {
	c := &h.cfg
	if c.Dial == nil {
		return nil
	}
	return fetcher.NewFleet(fetcher.Config{
		Self: c.NodeID, Dial: c.Dial, Address: h.address, Epoch: c.BrokerEpoch, Log: c.Log,
		Throttle: fetcher.NewThrottle(c.Feed.Image, c.NodeID, "follower"),
		Fetchers: c.Fetchers, Wait: c.FetchWait, MinBytes: c.FetchMinBytes, MaxBytes: c.FetchMaxBytes,
		AnswerBytes: c.FetchAnswerBytes, Backoff: c.FetchBackoff, Timeout: c.FetchTimeout,
	})
}

// address is where a broker is reached by other brokers.
func (h *Host) address(broker int32) (string, bool) {
	b, ok := h.cfg.Feed.Image().Broker(broker)
	if !ok {
		return "", false
	}
	e, ok := b.Endpoint(h.cfg.InterBroker)
	if !ok {
		return "", false
	}
	host := e.Host
	if strings.Contains(host, ":") { // IPv6
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(e.Port)), true
}

// direct has a replica fetch from its leader, as the cluster says. following is held.
func (h *Host) direct(r *replica, leader, epoch int32) {
	if h.fleet == nil || r.leader == leader && r.epoch == epoch {
		return
	}
	r.leader, r.epoch = leader, epoch
	if leader == h.cfg.NodeID || leader == model.NoLeader {
		h.fleet.Unfollow(r.ID())
		return
	}
	h.fleet.Follow(r.Partition, leader, epoch)
}

// undirect ends that. following is held.
func (h *Host) undirect(r *replica) {
	if h.fleet != nil {
		h.fleet.Unfollow(r.ID())
	}
}

// greet has brokers tried again at once that have come back, and welcomes those that are
// in service again in the ISRs that they have caught up with.
func (h *Host) greet(changes []metadata.BrokerChange) {
	for _, c := range changes {
		if c.Is == nil {
			continue
		}
		if h.fleet != nil && c.Was != nil && c.Was.Epoch != c.Is.Epoch {
			h.fleet.Returned(c.Is.ID)
		}
		if c.Is.Active() && (c.Was == nil || !c.Was.Active()) {
			h.eager.addAll()
		}
	}
}
