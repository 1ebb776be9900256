package broker

import (
	"context"
	"fmt"
	"time"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
)

// misfortune lets something happen to the cluster, and perhaps heals something.
func (r *rig) misfortune(round int, adm *kadm.Client) {
	m := r.nodes[r.rng.IntN(len(r.nodes))]
	r.t.Logf("round %d: node %d: %s", round, m.id, r.befall(m, adm))
}

func (r *rig) befall(m *peer, adm *kadm.Client) string {
	o := r.nodes[r.rng.IntN(len(r.nodes))]
	kind := r.rng.IntN(26)
	switch {
	case m.cutOff:
		m.isolate(false, false)
		return "heal"
	case m.slow != nil:
		m.stall(false)
		return "its disk goes on"
	case m.broker == nil:
		if kind < 6 && r.wipes && m.roles == "broker" {
			r.wipes = false
			m.disk = vfs.NewMem()
			m.launch()
			return "start with an empty disk"
		}
		m.launch()
		return "start"
	case kind < 4:
		m.kill()
		return "kill"
	case kind < 6:
		m.kill()
		if o.broker != nil {
			o.kill()
		}
		return fmt.Sprintf("kill, and %d", o.id)
	case kind < 8:
		m.halt()
		return "stop"
	case kind < 11:
		m.isolate(true, kind == 10)
		return "isolate"
	case kind < 14:
		if o == m {
			return "nothing"
		}
		r.net.Freeze(hostOf(m.id), hostOf(o.id), true)
		if kind > 11 {
			r.net.Freeze(hostOf(o.id), hostOf(m.id), true)
		}
		m.cutOff, o.cutOff = true, true // both heal wholly
		return fmt.Sprint("cut from ", o.id)
	case kind < 16:
		m.stall(true)
		return "its disk stalls"
	case kind < 17:
		for _, o := range r.nodes {
			if o.broker != nil {
				o.kill()
			}
		}
		for _, o := range r.nodes {
			o.launch()
		}
		return "kill all"
	case kind < 18:
		for _, o := range r.nodes {
			if o.broker == nil || o.slow != nil || o.cutOff {
				continue
			}
			o.halt()
			o.launch()
			time.Sleep(time.Duration(r.rng.IntN(1500)) * time.Millisecond)
		}
		return "restart all, one after the other"
	case kind < 20:
		what := r.change(adm)
		if l := r.leading(); l != nil {
			l.kill()
			what += fmt.Sprint(", and kill the controller ", l.id)
		}
		return what
	}
	return r.change(adm)
}

// change has the cluster changed by its users.
func (r *rig) change(adm *kadm.Client) string {
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
	defer cancel()
	switch r.rng.IntN(7) {
	default:
		req := kadm.AlterPartitionAssignmentsReq{}
		for n := range int32(partitions) {
			req.Assign(chaosTopic, n, r.someBrokers(2+r.rng.IntN(3)))
		}
		req.Assign(looseTopic, 0, r.someBrokers(2+r.rng.IntN(2)))
		_, err := adm.AlterPartitionAssignments(ctx, req)
		return fmt.Sprint("reassign: ", err)
	case 0:
		_, err := adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil)
		return fmt.Sprint("elect: ", err)
	case 1:
		_, err := adm.CreatePartitions(ctx, 1, looseTopic)
		return fmt.Sprint("more partitions: ", err)
	case 2:
		ends, err := adm.ListEndOffsets(ctx, looseTopic)
		if err == nil {
			_, err = adm.DeleteRecords(ctx, ends.Offsets())
		}
		return fmt.Sprint("delete records: ", err)
	case 3:
		// One replica in sync may lose nothing either, as long as it keeps its disk.
		r.wipes = false
		n := fmt.Sprint(1 + r.rng.IntN(2))
		_, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "min.insync.replicas", Value: &n}}, chaosTopic)
		return fmt.Sprint("min.insync.replicas ", n, ": ", err)
	}
}

// halt stops a node in order.
func (m *peer) halt() {
	m.stall(false)
	m.stop(nil)
	<-m.done
	m.broker = nil
}

// heal brings everything back.
func (r *rig) heal() {
	for _, m := range r.nodes {
		m.stall(false)
		if m.cutOff {
			m.isolate(false, false)
		}
	}
	r.up()
}
