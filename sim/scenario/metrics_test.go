package scenario

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Groups are counted by type and state.
func TestMetricsOfGroups(t *testing.T) {
	play(t, func(r *stage, _ *kadm.Client) {
		//lint:ignore SA1029 it is franz-go that looks for this key
		nextGen := context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true)
		join := func(opts ...kgo.Opt) *kgo.Client { return r.Client(append(opts, kgo.ConsumeTopics(orders))...) }
		members := []*kgo.Client{
			join(kgo.ConsumerGroup("classic")), join(kgo.ConsumerGroup("classic too")),
			join(kgo.ConsumerGroup("modern"), kgo.WithContext(nextGen)), join(kgo.ShareGroup("sharing")),
		}
		for _, c := range members {
			defer c.Close()
		}
		r.tells(map[string]float64{
			`groups{state="Stable",type="classic"}`:  2,
			`groups{state="Empty",type="classic"}`:   0,
			`groups{state="Stable",type="consumer"}`: 1,
			`groups{state="Stable",type="share"}`:    1,
			`share_partitions{group="sharing"}`:      2,
		})
		members[0].Close()
		members[2].Close()
		members[3].Close()
		r.tells(map[string]float64{
			`groups{state="Stable",type="classic"}`:  1,
			`groups{state="Stable",type="consumer"}`: 0,
			`groups{state="Empty",type="consumer"}`:  1,
			`groups{state="Stable",type="share"}`:    0,
			`groups{state="Empty",type="share"}`:     1,
			`share_partitions{group="sharing"}`:      0,
		})
	})
}

// What members of share groups have, what they say of it, and what is given up.
func TestMetricsOfShareGroups(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		const group, queue = "sharers", "dlq.sharers"
		on := "true"
		_, err := adm.CreateTopic(r.t.Context(), 1, 3, map[string]*string{"errors.deadletterqueue.group.enable": &on}, queue)
		r.must(err)
		r.setGroup(group, "share.auto.offset.reset", "earliest")
		r.setGroup(group, "errors.deadletterqueue.topic.name", queue)
		writer := r.Client(kgo.DefaultProduceTopic(orders), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer writer.Close()
		for range 10 {
			r.must(writer.ProduceSync(r.t.Context(), kgo.StringRecord("v")).FirstErr())
		}
		c := r.Client(kgo.ShareGroup(group), kgo.ConsumeTopics(orders), kgo.FetchMaxWait(300*time.Millisecond))
		defer c.Close()
		var first []*kgo.Record
		for len(first) < 10 {
			first = append(first, c.PollFetches(r.t.Context()).Records()...)
			if len(first) < 10 {
				r.t.Fatalf("%d records come at first", len(first))
			}
		}
		r.tells(map[string]float64{
			`share_locked_records{group="sharers"}`:           10,
			`share_in_flight_records{group="sharers"}`:        10,
			`share_acknowledgements_total{type="accept"}`:     0,
			`share_given_up_records_total{reason="rejected"}`: 0,
		})
		for i, rec := range first {
			rec.Ack([...]kgo.AckStatus{kgo.AckAccept, kgo.AckReject, kgo.AckRelease}[min(i/4, 2)])
		}
		r.must(c.FlushAcks(r.t.Context()))
		r.tells(map[string]float64{
			`share_acknowledgements_total{type="accept"}`:     4,
			`share_acknowledgements_total{type="reject"}`:     4,
			`share_given_up_records_total{reason="rejected"}`: 4,
			`share_given_up_records_total{reason="exceeded"}`: 0,
			`share_dead_letters_total{result="written"}`:      4,
		})
		for left := 2 * 4; left > 0; { // each of two is given back four times more, the last in vain
			for _, rec := range c.PollFetches(r.t.Context()).Records() {
				rec.Ack(kgo.AckRelease)
				left--
			}
			r.must(c.FlushAcks(r.t.Context()))
		}
		r.tells(map[string]float64{
			`share_locked_records{group="sharers"}`:           0,
			`share_in_flight_records{group="sharers"}`:        0,
			`share_acknowledgements_total{type="accept"}`:     4,
			`share_acknowledgements_total{type="release"}`:    10,
			`share_acknowledgements_total{type="renew"}`:      0,
			`share_given_up_records_total{reason="rejected"}`: 4,
			`share_given_up_records_total{reason="exceeded"}`: 2,
			`share_dead_letters_total{result="written"}`:      6,
			`share_dead_letters_total{result="failed"}`:       0,
		})
	})
}

// A transaction is told while it is open, while its markers wait for a partition that takes
// none, and when it is complete.
func TestMetricsOfTransactions(t *testing.T) {
	play(t, func(r *stage, adm *kadm.Client) {
		three := "3"
		_, err := adm.AlterTopicConfigs(r.t.Context(), []kadm.AlterConfig{{Name: "min.insync.replicas", Value: &three}}, orders)
		r.must(err)
		r.session("idle", orders, true)
		s := r.session("busy", orders, true)
		began := time.Now()
		r.at(s.put(0, "one", "two"))
		r.tells(map[string]float64{
			`transactions{state="Empty"}`:                1,
			`transactions{state="Ongoing"}`:              1,
			`stable_offset_lag_records{topic="orders"}`:  2,
			`partitions_with_late_transactions`:          0,
			`transaction_markers_waiting{broker="1"}`:    0,
			`transaction_markers_waiting{broker="none"}`: 0,
		})
		leader, coordinator := r.leaderOf(orders, 0), r.coordinatorOf("busy")
		other := r.Node(1)
		for other == leader || other == coordinator {
			other = r.Node(other.ID + 1)
		}
		other.Kill()
		time.Sleep(20 * time.Second) // of a minute that the transaction may take
		r.must(s.end(true))
		to := fmt.Sprintf(`transaction_markers_waiting{broker="%d"}`, leader.ID)
		r.tells(map[string]float64{`transactions{state="PrepareCommit"}`: 1, to: 1, `stable_offset_lag_records{topic="orders"}`: 2})
		coordinator = r.coordinatorOf("busy")
		age := r.scraped(coordinator)[`transaction_oldest_open_seconds`]
		if is := time.Since(began).Seconds(); age < is-1 || age > is+0.001 { // it begins at a whole millisecond
			r.t.Errorf("the oldest transaction is told to be %v s old, it is %v", age, is)
		}
		other.Launch()
		r.tells(map[string]float64{
			`transactions{state="Empty"}`:               1,
			`transactions{state="PrepareCommit"}`:       0,
			`transactions{state="CompleteCommit"}`:      1,
			`transaction_oldest_open_seconds`:           0,
			`stable_offset_lag_records{topic="orders"}`: 0,
			to: 0,
		})
	})
}

// A scrape does not hang while nothing can be committed, and tells of the groups.
func TestMetricsWithoutCommits(t *testing.T) {
	play(t, func(r *stage, _ *kadm.Client) {
		c := r.Client()
		defer c.Close()
		commit := func(ctx context.Context, at int64) error {
			offsets := kadm.Offsets{orders: {0: {Topic: orders, At: at, LeaderEpoch: -1}}}
			return kadm.NewClient(c).CommitAllOffsets(ctx, "g", offsets)
		}
		r.must(commit(r.t.Context(), 0))
		alone := r.groupCoordinatorOf("g")
		for _, m := range r.Nodes() {
			if m != alone {
				m.Kill()
			}
		}
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		defer cancel()
		if err := commit(ctx, 1); err == nil {
			r.t.Fatal("a commit is answered without replicas")
		}
		began := time.Now()
		got := r.scraped(alone)
		if took := time.Since(began); took > 2*time.Second {
			r.t.Errorf("the scrape takes %v", took)
		}
		if got[`groups{state="Empty",type="classic"}`] != 1 {
			r.t.Errorf("told is %v", got)
		}
	})
}
