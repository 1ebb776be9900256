package host

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// eagers are the partitions whose ISR may grow at once.
type eagers struct {
	kick chan struct{} // one token when there is one

	mu  sync.Mutex // guards all, for moments only
	all map[model.IDPartition]struct{}
}

func newEagers() eagers {
	return eagers{kick: make(chan struct{}, 1), all: make(map[model.IDPartition]struct{})}
}

// add is partition.Config.Eager.
func (e *eagers) add(p *partition.Partition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all[p.ID()] = struct{}{}
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

func (e *eagers) take() map[model.IDPartition]struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.all
	e.all = make(map[model.IDPartition]struct{})
	return taken
}

const (
	// proposeTimeout is for how long the controller is asked before the ISRs are looked at
	// anew.
	proposeTimeout = 10 * time.Second
	// proposePause is how long a partition waits after a proposal that came to nothing.
	proposePause = 100 * time.Millisecond
)

// keepISRs asks the controller for the changes that ISRs need: at once when a follower
// could join, and else twice in replica.lag.time.max.ms. One request is under way at a
// time, with all that has come up meanwhile, as Kafka has it.
func (h *Host) keepISRs(ctx context.Context) error {
	tick := time.NewTicker(h.cfg.LagMax / 2)
	defer tick.Stop()
	for {
		var list []*replica
		select {
		case <-h.eager.kick:
			for id := range h.eager.take() {
				if r := h.replica(id); r != nil {
					list = append(list, r)
				}
			}
		case <-tick.C:
			list = h.replicas()
		case <-ctx.Done():
			return nil
		}
		h.proposeAll(ctx, list)
	}
}

// proposal is what one partition asks for.
type proposal struct {
	r *replica
	partition.ISRProposal
}

func (h *Host) proposeAll(ctx context.Context, list []*replica) {
	now, image := time.Now(), h.cfg.Feed.Image()
	alive := func(id int32) (epoch int64, fenced, ok bool) {
		b, ok := image.Broker(id)
		if !ok {
			return -1, false, false
		}
		return b.Epoch, !b.Active(), true
	}
	var all []proposal
	for _, r := range list {
		if now.Before(r.proposeAfter) {
			continue
		}
		if pr, ok := r.Propose(now, h.cfg.LagMax, alive); ok {
			all = append(all, proposal{r, pr})
		}
	}
	if len(all) > 0 {
		slices.SortFunc(all, func(a, b proposal) int { return comparePartitions(a.r.TP(), b.r.TP()) })
		h.ask(ctx, all)
	}
}

func (h *Host) ask(ctx context.Context, all []proposal) {
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	var resp *kmsg.AlterPartitionResponse
	got, err := h.cfg.Ask(ctx, alterPartition(h.cfg.NodeID, h.cfg.BrokerEpoch(), all))
	if err == nil {
		resp = got.(*kmsg.AlterPartitionResponse)
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil && ctx.Err() == nil {
		h.cfg.Log.Warn("the controller does not change in-sync replicas, trying again", "partitions", len(all), "err", err)
	}
	states := answered(resp)
	for _, pr := range all {
		var state *partition.State
		told := err
		if told == nil {
			a, ok := states[pr.r.ID()]
			if state, told = a.state, a.err; !ok {
				told = kerr.UnknownServerError
			}
		}
		if told != nil {
			pr.r.proposeAfter = time.Now().Add(proposePause)
			state = nil
		}
		h.cfg.Log.Debug("in-sync replicas", "partition", pr.r.TP(), "isr", pr.ISR, "err", told)
		pr.r.Answered(pr.ISRProposal, state, told)
	}
}

func alterPartition(broker int32, epoch int64, all []proposal) *kmsg.AlterPartitionRequest {
	req := kmsg.NewPtrAlterPartitionRequest()
	req.SetVersion(3)
	req.BrokerID, req.BrokerEpoch = broker, epoch
	for _, pr := range all {
		p := kmsg.NewAlterPartitionRequestTopicPartition()
		p.Partition, p.LeaderEpoch, p.PartitionEpoch = pr.r.ID().Partition, pr.LeaderEpoch, pr.PartitionEpoch
		p.LeaderRecoveryState = int8(pr.Recovery)
		for _, b := range pr.ISR {
			p.NewEpochISR = append(p.NewEpochISR, kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{BrokerID: b.ID, BrokerEpoch: b.Epoch})
		}
		if n := len(req.Topics); n == 0 || req.Topics[n-1].TopicID != pr.r.ID().Topic {
			t := kmsg.NewAlterPartitionRequestTopic()
			t.TopicID = pr.r.ID().Topic
			req.Topics = append(req.Topics, t)
		}
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	return req
}

// verdict is the controller's word on one partition.
type verdict struct {
	state *partition.State
	err   error
}

func answered(resp *kmsg.AlterPartitionResponse) map[model.IDPartition]verdict {
	states := make(map[model.IDPartition]verdict)
	if resp == nil {
		return states
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			states[model.IDPartition{Topic: t.TopidID, Partition: p.Partition}] = verdict{
				state: &partition.State{
					Leader: p.LeaderID, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
					ISR: p.ISR, Recovery: metadata.Recovery(p.LeaderRecoveryState),
				},
				err: kerr.ErrorForCode(p.ErrorCode),
			}
		}
	}
	return states
}
