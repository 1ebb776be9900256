package chaos

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// reassign asks for other replicas of each partition of a topic: three nodes after one
// another, of which the first is shift further with each partition.
func (s *story) reassign(topic string, shift int) {
	s.t.Helper()
	a := kadm.NewClient(client(s.t, s.rig))
	details, err := a.ListTopics(within(s.t), topic)
	try(s.t, err)
	var req kadm.AlterPartitionAssignmentsReq
	for p := range details[topic].Partitions {
		var replicas []int32
		for i := range 3 {
			replicas = append(replicas, s.rig.Nodes[(int(p)+shift+i)%len(s.rig.Nodes)].ID)
		}
		req.Assign(topic, p, replicas)
	}
	resp, err := a.AlterPartitionAssignments(within(s.t), req)
	try(s.t, err)
	try(s.t, resp.Error())
	s.faults["reassign"]++
	s.load.Happened(Event{Kind: "do", Fault: "reassign"})
}

// settled waits until no replica is on its way.
func (s *story) settled() {
	s.t.Helper()
	ctx := within(s.t)
	a := kadm.NewClient(client(s.t, s.rig))
	for {
		moving, err := a.ListPartitionReassignments(ctx, nil)
		if err == nil && len(moving) == 0 {
			return
		}
		if ctx.Err() != nil {
			s.t.Fatalf("replicas do not arrive: %v (%v)", moving, context.Cause(ctx))
		}
		time.Sleep(100 * time.Millisecond)
	}
}
