package world

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// What users change while it works.
var userFaults = []Fault{
	{"reassign", reassign},
	{"elect", elect},
	{"more partitions", morePartitions},
	{"delete records", deleteRecords},
	{"change min ISR", changeMinISR},
	{"change segments", changeSegments},
	{"move between folders", moveFolders},
	{"change and kill the controller", changeAndKill},
}

// What a user may do to a topic, as May is asked.
const (
	MayMove   = "move"   // its replicas, and its leaders
	MayGrow   = "grow"   // to more partitions
	MayShrink = "shrink" // lose its oldest records
	MayAlter  = "alter"  // its settings that lose nothing
	MayWeaken = "weaken" // be acknowledged by one replica
)

// user is the client of those who change things.
func (w *World) user() *kadm.Client {
	if w.client == nil {
		w.client = w.Client()
		w.AtDown(w.client.Close)
	}
	return kadm.NewClient(w.client)
}

// patience is how long a user waits for an answer.
const patience = 2 * time.Second

// asks has a user do something to one of the topics that may suffer it.
func (w *World) asks(may string, do func(ctx context.Context, adm *kadm.Client, topic string, partitions int) (string, error)) string {
	var topics []string
	image := w.Image()
	for t := range image.Topics() {
		if !strings.HasPrefix(t.Name, "__") && w.May(may, t.Name) {
			topics = append(topics, t.Name)
		}
	}
	if len(topics) == 0 {
		return ""
	}
	topic := topics[w.Rand.IntN(len(topics))]
	t, _ := image.Topic(topic)
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	what, err := do(ctx, w.user(), topic, len(t.Partitions))
	if what = topic + " " + what; err != nil {
		what += ": " + err.Error()
	}
	return what
}

func reassign(w *World) string {
	return w.asks(MayMove, func(ctx context.Context, adm *kadm.Client, topic string, partitions int) (string, error) {
		req, all := kadm.AlterPartitionAssignmentsReq{}, ""
		for i := range int32(partitions) {
			to := w.someBrokers(2 + w.Rand.IntN(3))
			req.Assign(topic, i, to)
			all += fmt.Sprint(to)
		}
		_, err := adm.AlterPartitionAssignments(ctx, req)
		return "to " + all, err
	})
}

// someBrokers draws ids of n brokers, or of all if there are not so many.
func (w *World) someBrokers(n int) (ids []int32) {
	for _, i := range w.Rand.Perm(len(w.nodes)) {
		if m := w.nodes[i]; m.serves && len(ids) < n {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

func elect(w *World) string {
	return w.asks(MayMove, func(ctx context.Context, adm *kadm.Client, _ string, _ int) (string, error) {
		_, err := adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil)
		return "and all others", err
	})
}

func morePartitions(w *World) string {
	return w.asks(MayGrow, func(ctx context.Context, adm *kadm.Client, topic string, partitions int) (string, error) {
		_, err := adm.CreatePartitions(ctx, 1, topic)
		return fmt.Sprintf("beyond %d", partitions), err
	})
}

func deleteRecords(w *World) string {
	return w.asks(MayShrink, func(ctx context.Context, adm *kadm.Client, topic string, _ int) (string, error) {
		ends, err := adm.ListEndOffsets(ctx, topic)
		if err == nil {
			_, err = adm.DeleteRecords(ctx, ends.Offsets())
		}
		return "to its end", err
	})
}

// setTopic gives a topic a setting.
func setTopic(ctx context.Context, adm *kadm.Client, topic, key string, value int) (string, error) {
	v := fmt.Sprint(value)
	answers, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: key, Value: &v}}, topic)
	if err == nil && len(answers) > 0 {
		err = answers[0].Err
	}
	return key + "=" + v, err
}

// changeMinISR has a topic acknowledged by one replica, or by two. That may lose nothing as
// long as no disk does.
func changeMinISR(w *World) string {
	if w.spoilt != nil {
		return ""
	}
	return w.asks(MayWeaken, func(ctx context.Context, adm *kadm.Client, topic string, _ int) (string, error) {
		w.weak = true
		return setTopic(ctx, adm, topic, "min.insync.replicas", 1+w.Rand.IntN(2))
	})
}

func changeSegments(w *World) string {
	return w.asks(MayAlter, func(ctx context.Context, adm *kadm.Client, topic string, _ int) (string, error) {
		return setTopic(ctx, adm, topic, "segment.bytes", 1<<20+w.Rand.IntN(1<<20))
	})
}

// moveFolders has a broker take replicas of a topic to another of its folders.
func moveFolders(w *World) string {
	if w.shape.Dirs < 2 {
		return ""
	}
	return w.asks(MayMove, func(ctx context.Context, adm *kadm.Client, topic string, partitions int) (string, error) {
		n := w.victim()
		if n == nil || !n.serves {
			return "nowhere", nil
		}
		req := kadm.AlterReplicaLogDirsReq{}
		to := n.Dirs()[w.Rand.IntN(w.shape.Dirs)]
		for i := range int32(partitions) {
			set := make(kadm.TopicsSet)
			set.Add(topic, i)
			req.Add(to, set)
		}
		_, err := adm.AlterBrokerReplicaLogDirs(ctx, n.ID, req)
		return fmt.Sprintf("to %s on node %d", to, n.ID), err
	})
}

// changeAndKill has something changed, and the power of who decided it fail.
func changeAndKill(w *World) string {
	what := [...]func(*World) string{reassign, elect, morePartitions, changeSegments}[w.Rand.IntN(4)](w)
	l := w.Leading()
	if l == nil || what == "" {
		return ""
	}
	l.Kill()
	return fmt.Sprintf("%s; node %d", what, l.ID)
}
