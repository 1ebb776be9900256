package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type quorumItem struct {
	Leader        int32           `json:"leader"`
	Epoch         int32           `json:"epoch"`
	HighWatermark int64           `json:"highWatermark"`
	Replicas      []quorumReplica `json:"replicas"`
}

type quorumReplica struct {
	Node   int32  `json:"node"`
	Role   string `json:"role"` // leader, voter or observer
	End    int64  `json:"endOffset"`
	Behind int64  `json:"behind"` // entries that it does not have yet
}

func clusterQuorum(a *App) *cobra.Command {
	return &cobra.Command{
		Use: "quorum", Short: "Show who leads and who follows the cluster's metadata",
		Example: `  odradek cluster quorum
  odradek cluster quorum -o yaml`,
		Args: exactly(),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, _ []string) error {
			p, err := describeQuorum(ctx, cl)
			if err != nil {
				return err
			}
			q := newQuorumItem(p)
			l := &listing{kind: "Quorum"}
			l.add(q, orNone(q.Leader))
			l.text = func(w io.Writer) error {
				fmt.Fprintf(w, "leader          %s\nepoch           %d\nhigh-watermark  %d\n\n", orNone(q.Leader), q.Epoch, q.HighWatermark)
				t := &listing{columns: []string{"node", "role", "end", "behind"}}
				for _, r := range q.Replicas {
					t.add(nil, fmt.Sprint(r.Node), r.Role, fmt.Sprint(r.End), fmt.Sprint(r.Behind))
				}
				return a.out.table(w, t)
			}
			return a.print(l)
		}),
	}
}

func describeQuorum(ctx context.Context, cl *kgo.Client) (kmsg.DescribeQuorumResponseTopicPartition, error) {
	part := kmsg.NewDescribeQuorumRequestTopicPartition()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic, topic.Partitions = "__cluster_metadata", append(topic.Partitions, part)
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return kmsg.DescribeQuorumResponseTopicPartition{}, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return kmsg.DescribeQuorumResponseTopicPartition{}, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return kmsg.DescribeQuorumResponseTopicPartition{}, fmt.Errorf("the broker described %d quorums instead of one", len(resp.Topics))
	}
	p := resp.Topics[0].Partitions[0]
	return p, kerr.ErrorForCode(p.ErrorCode)
}

func newQuorumItem(p kmsg.DescribeQuorumResponseTopicPartition) quorumItem {
	q := quorumItem{Leader: p.LeaderID, Epoch: p.LeaderEpoch, HighWatermark: p.HighWatermark}
	var last int64
	for _, v := range p.CurrentVoters {
		if v.ReplicaID == p.LeaderID {
			last = v.LogEndOffset
		}
	}
	add := func(role string, list []kmsg.DescribeQuorumResponseTopicPartitionReplicaState) {
		for _, v := range list {
			word := role
			if v.ReplicaID == p.LeaderID {
				word = "leader"
			}
			q.Replicas = append(q.Replicas, quorumReplica{v.ReplicaID, word, v.LogEndOffset, max(0, last-v.LogEndOffset)})
		}
	}
	add("voter", p.CurrentVoters)
	add("observer", p.Observers)
	return q
}
