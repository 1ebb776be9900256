package host

import (
	"context"
	"iter"
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

	mu  sync.Mutex // guards what follows, for moments only
	ids map[model.IDPartition]struct{}
	all bool // any may: a broker is in service again
}

func newEagers() eagers {
	return eagers{kick: make(chan struct{}, 1), ids: make(map[model.IDPartition]struct{})}
}

// add is partition.Config.Eager.
func (e *eagers) add(p *partition.Partition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ids[p.ID()] = struct{}{}
	e.wake()
}

func (e *eagers) addAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = true
	e.wake()
}

// wake makes kick ready. mu is held.
func (e *eagers) wake() {
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

func (e *eagers) take() (ids map[model.IDPartition]struct{}, all bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ids, all = e.ids, e.all
	e.ids, e.all = make(map[model.IDPartition]struct{}), false
	return ids, all
}

// proposeTimeout is for how long the controller is asked before the ISRs are looked at
// anew.
const proposeTimeout = 10 * time.Second

// Pauses of a partition after proposals that came to nothing; they double.
const (
	firstProposePause = 50 * time.Millisecond
	mostProposePause  = 2 * time.Second
)

// keepISRs asks the controller for the changes that ISRs need: at once when a follower
// could join, and else twice in replica.lag.time.max.ms. One request is under way at a
// time, with all that has come up meanwhile, as Kafka has it. What came to nothing is
// tried again after a pause: a follower that has caught up may have no reason to fetch,
// by which it would be noticed.
func (h *Host) keepISRs(ctx context.Context) error {
	tick := time.NewTicker(h.cfg.LagMax / 2)
	defer tick.Stop()
	again := make(map[*replica]time.Time)
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		var list []*replica
		select {
		case <-h.eager.kick:
			list = h.eagerOnes(again)
		case <-tick.C:
			list = h.replicas()
		case <-retry.C:
			list = takeDue(again, time.Now())
		case <-ctx.Done():
			return nil
		}
		h.proposeAll(ctx, list, again)
		retry.Reset(untilFirst(again))
	}
}

// eagerOnes are those who asked for it, but for those who pause.
func (h *Host) eagerOnes(again map[*replica]time.Time) (list []*replica) {
	ids, all := h.eager.take()
	if all {
		return h.replicas()
	}
	for id := range ids {
		if r := h.replica(id); r != nil && again[r].IsZero() {
			list = append(list, r)
		}
	}
	return list
}

// takeDue takes out those whose pause is over.
func takeDue(again map[*replica]time.Time, now time.Time) (list []*replica) {
	for r, at := range again {
		if !at.After(now) {
			list = append(list, r)
			delete(again, r)
		}
	}
	return list
}

func untilFirst(again map[*replica]time.Time) time.Duration {
	until := time.Hour
	for _, at := range again {
		until = min(until, max(0, time.Until(at)))
	}
	return until
}

// proposal is what one partition asks for.
type proposal struct {
	r *replica
	partition.ISRProposal
}

func (h *Host) proposeAll(ctx context.Context, list []*replica, again map[*replica]time.Time) {
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
		if pr, ok := r.Propose(now, h.cfg.LagMax, alive); ok {
			all = append(all, proposal{r, pr})
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b proposal) int { return comparePartitions(a.r.TP(), b.r.TP()) })
	for pr, err := range h.ask(ctx, all) {
		if err == nil {
			pr.r.proposePause = 0
			delete(again, pr.r)
			continue
		}
		pr.r.proposePause = min(max(2*pr.r.proposePause, firstProposePause), mostProposePause)
		again[pr.r] = time.Now().Add(pr.r.proposePause)
	}
}

// ask puts proposals to the controller and hands back what became of each.
func (h *Host) ask(ctx context.Context, all []proposal) iter.Seq2[proposal, error] {
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	var resp *kmsg.AlterPartitionResponse
	got, err := h.cfg.Ask(ctx, alterPartition(h.cfg.NodeID, h.cfg.BrokerEpoch(), all))
	if err == nil {
		resp = got.(*kmsg.AlterPartitionResponse)
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		h.cfg.Log.Warn("the controller does not change in-sync replicas, trying again", "partitions", len(all), "err", err)
	}
	verdicts := verdictsOf(resp)
	return func(yield func(proposal, error) bool) {
		for _, pr := range all {
			v, ok := verdicts[pr.r.ID()]
			if !ok {
				v.err = kerr.UnknownServerError
			}
			if err != nil {
				v = verdict{err: err}
			}
			h.cfg.Log.Debug("in-sync replicas", "partition", pr.r.TP(), "isr", pr.ISR, "err", v.err)
			pr.r.Answered(pr.ISRProposal, v.state, v.err)
			if !yield(pr, v.err) {
				return
			}
		}
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

func verdictsOf(resp *kmsg.AlterPartitionResponse) map[model.IDPartition]verdict {
	verdicts := make(map[model.IDPartition]verdict)
	if resp == nil {
		return verdicts
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			v := verdict{err: kerr.ErrorForCode(p.ErrorCode)}
			if v.err == nil {
				v.state = &partition.State{
					Leader: p.LeaderID, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
					ISR: p.ISR, Recovery: metadata.Recovery(p.LeaderRecoveryState),
				}
			}
			verdicts[model.IDPartition{Topic: t.TopidID, Partition: p.Partition}] = v
		}
	}
	return verdicts
}
