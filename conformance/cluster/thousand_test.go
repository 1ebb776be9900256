package cluster

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var thousand = flag.Int("thousand", 0, "how many topics of ten partitions are made; 1000 is what the figures are of")

// Many topics, ten partitions each, three copies: how long until they are there, what do
// they cost, how long is a start, and how long until those that a killed broker led are
// led by others, as the two that are left tell it.
func TestThousandTopics(t *testing.T) {
	if *thousand == 0 {
		t.Skip("asked for with -thousand=1000")
	}
	r := newRig(t, Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	numbers := map[string]float64{"topics": float64(*thousand), "memory when empty, MiB": r.memory()}
	f := figure{Kind: "thousand", Program: r.cluster.Program.Name, Numbers: numbers}
	l := r.cluster.All[0].Line()
	defer l.Close()

	began := time.Now()
	for from := 0; from < *thousand; from += 50 {
		r.createMany(ctx, l, from, min(from+50, *thousand))
	}
	numbers["created, ms"] = millis(time.Since(began))
	r.try(r.cluster.Until(ctx, "in sync", WholeISR))
	numbers["in sync everywhere, ms"] = millis(time.Since(began))
	r.try(r.cluster.ElectPreferred(ctx))
	numbers["memory with topics, MiB"] = r.memory()
	numbers["files of one node"] = float64(r.cluster.All[0].Files())

	r.try(r.cluster.Stop(ctx))
	began = time.Now()
	r.try(r.cluster.Launch())
	r.try(r.cluster.Ready(ctx))
	numbers["all started, ms"] = millis(time.Since(began))
	r.try(r.cluster.Until(ctx, "in sync", WholeISR))
	numbers["in sync after the start, ms"] = millis(time.Since(began))
	numbers["memory after the start, MiB"] = r.memory()

	r.try(r.cluster.ElectPreferred(ctx))
	chief, err := r.cluster.ControllerLeader(ctx)
	r.try(err)
	for _, leads := range []bool{false, true} { // the quorum
		victim := r.cluster.Node(chief)
		if !leads {
			victim = r.cluster.Node(chief%3 + 1)
		}
		led := r.led(ctx, victim)
		name := fmt.Sprintf("leaders of a victim that %s the quorum", map[bool]string{true: "leads", false: "does not lead"}[leads])
		began = time.Now()
		r.try(victim.Kill())
		r.try(r.cluster.Until(ctx, "led by others", func(v View) bool { return v.Leader >= 0 && v.Leader != victim.ID }))
		numbers[name+", moved, ms"], numbers[name] = millis(time.Since(began)), float64(led)
		r.restart()
		r.try(r.cluster.Until(ctx, "in sync", WholeISR))
		r.try(r.cluster.ElectPreferred(ctx))
		chief, err = r.cluster.ControllerLeader(ctx)
		r.try(err)
	}
	r.try(r.cluster.Stop(ctx))
	record(t, f)
}

// memory is the mean resident set of the nodes in MiB.
func (r *rig) memory() (mean float64) {
	for _, n := range r.cluster.All {
		mean += float64(n.Memory()) / float64(len(r.cluster.All))
	}
	return float64(int64(mean/(1<<20)*10)) / 10
}

// led is how many partitions a node leads.
func (r *rig) led(ctx context.Context, n *Node) int {
	r.t.Helper()
	l := n.Line()
	defer l.Close()
	_, views, err := l.Metadata(ctx)
	r.try(err)
	return len(slices.DeleteFunc(views, func(v View) bool { return v.Leader != n.ID }))
}

func (r *rig) createMany(ctx context.Context, l *Line, from, to int) {
	r.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 120000
	for i := from; i < to; i++ {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprintf("topic-%05d", i), 10, 3
		req.Topics = append(req.Topics, topic)
	}
	resp, err := ask[*kmsg.CreateTopicsResponse](ctx, l, req)
	r.try(err)
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			r.t.Fatalf("create %s: %v", t.Topic, err)
		}
	}
}
