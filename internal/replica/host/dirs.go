package host

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tellDirs tells the controller of replicas that it believes elsewhere. It returns true
// if that is to be tried again.
func (h *Host) tellDirs(ctx context.Context) (again bool) {
	h.moves.mu.Lock()
	assign := h.moves.assign
	h.moves.assign = make(map[model.IDPartition]model.ID)
	h.moves.mu.Unlock()
	if len(assign) == 0 {
		return false
	}
	err := h.assignDirs(ctx, assign)
	if err == nil {
		return false
	}
	h.cfg.Log.Warn("the controller does not learn where replicas are, trying again", "replicas", len(assign), "err", err)
	h.moves.mu.Lock()
	defer h.moves.mu.Unlock()
	for id, dir := range assign {
		if _, newer := h.moves.assign[id]; !newer {
			h.moves.assign[id] = dir
		}
	}
	return true
}

// mostAssigned is how many replicas one request names, as Kafka has it.
const mostAssigned = 2250

// assignDirs has the controller know the folders of replicas (KIP-858). It returns an error
// if it does not take one of them over that the cluster still has.
func (h *Host) assignDirs(ctx context.Context, assign map[model.IDPartition]model.ID) error {
	ids := make([]model.IDPartition, 0, len(assign))
	for id := range assign {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b model.IDPartition) int {
		dirA, dirB := assign[a], assign[b]
		return cmp.Or(bytes.Compare(dirA[:], dirB[:]), bytes.Compare(a.Topic[:], b.Topic[:]), cmp.Compare(a.Partition, b.Partition))
	})
	for part := range slices.Chunk(ids, mostAssigned) {
		ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
		resp, err := h.cfg.Ask(ctx, assignRequest(h.cfg.NodeID, h.cfg.BrokerEpoch(), part, assign))
		cancel()
		if err == nil {
			err = refusedDirs(resp.(*kmsg.AssignReplicasToDirsResponse))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refusedDirs is why the controller has not taken over a replica's folder. One whose topic
// has gone meanwhile needs none.
func refusedDirs(resp *kmsg.AssignReplicasToDirsResponse) error {
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return err
	}
	for _, d := range resp.Directories {
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				switch err := kerr.ErrorForCode(p.ErrorCode); err {
				case nil, kerr.UnknownTopicID, kerr.UnknownTopicOrPartition:
				default:
					return fmt.Errorf("partition %d of topic %s: %w", p.Partition, model.ID(t.TopicID), err)
				}
			}
		}
	}
	return nil
}

// assignRequest names replicas that are sorted by folder and topic.
func assignRequest(broker int32, epoch int64, ids []model.IDPartition, assign map[model.IDPartition]model.ID) *kmsg.AssignReplicasToDirsRequest {
	req := kmsg.NewPtrAssignReplicasToDirsRequest()
	req.BrokerID, req.BrokerEpoch = broker, epoch
	for _, id := range ids {
		if n := len(req.Directories); n == 0 || req.Directories[n-1].ID != assign[id] {
			d := kmsg.NewAssignReplicasToDirsRequestDirectory()
			d.ID = assign[id]
			req.Directories = append(req.Directories, d)
		}
		d := &req.Directories[len(req.Directories)-1]
		if n := len(d.Topics); n == 0 || d.Topics[n-1].TopicID != id.Topic {
			t := kmsg.NewAssignReplicasToDirsRequestDirectoryTopic()
			t.TopicID = id.Topic
			d.Topics = append(d.Topics, t)
		}
		t := &d.Topics[len(d.Topics)-1]
		p := kmsg.NewAssignReplicasToDirsRequestDirectoryTopicPartition()
		p.Partition = id.Partition
		t.Partitions = append(t.Partitions, p)
	}
	return req
}
