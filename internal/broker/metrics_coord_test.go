package broker

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// scraped are the node's own series, by name and labels as they are told.
func (b *Broker) scraped(t *testing.T) map[string]float64 {
	t.Helper()
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(b.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != 200 {
		t.Fatalf("the scrape fails: %d %s", rec.Code, rec.Body)
	}
	series := map[string]float64{}
	for line := range strings.Lines(rec.Body.String()) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if name, own := strings.CutPrefix(name, "odradek_"); own && ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				continue // a label with a space, which no test is about
			}
			series[name] = v
		}
	}
	return series
}

// tells waits until the nodes together tell these values. A series that nobody tells is 0.
func (r *rig) tells(want map[string]float64) {
	r.t.Helper()
	got := map[string]float64{}
	defer func() {
		if r.t.Failed() {
			r.t.Logf("told is %v", got)
		}
	}()
	r.eventually(fmt.Sprintf("metrics %v", want), func() bool {
		clear(got)
		for _, m := range r.nodes {
			if m.broker == nil {
				continue
			}
			series := m.broker.scraped(r.t)
			for name := range want {
				got[name] += series[name]
			}
		}
		for name, v := range want {
			if got[name] != v {
				return false
			}
		}
		return true
	})
}

// Groups are counted by type and state.
func TestMetricsOfGroups(t *testing.T) {
	anomaly(t, func(r *rig, _ *kadm.Client) {
		//lint:ignore SA1029 it is franz-go that looks for this key
		nextGen := context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true)
		join := func(opts ...kgo.Opt) *kgo.Client { return r.client(append(opts, kgo.ConsumeTopics(orders))...) }
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
	anomaly(t, func(r *rig, adm *kadm.Client) {
		const group, queue = "sharers", "dlq.sharers"
		on := "true"
		_, err := adm.CreateTopic(r.t.Context(), 1, 3, map[string]*string{"errors.deadletterqueue.group.enable": &on}, queue)
		r.must(err)
		r.setGroup(group, "share.auto.offset.reset", "earliest")
		r.setGroup(group, "errors.deadletterqueue.topic.name", queue)
		writer := r.client(kgo.DefaultProduceTopic(orders), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		defer writer.Close()
		for range 10 {
			r.must(writer.ProduceSync(r.t.Context(), kgo.StringRecord("v")).FirstErr())
		}
		c := r.client(kgo.ShareGroup(group), kgo.ConsumeTopics(orders), kgo.FetchMaxWait(300*time.Millisecond))
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
	anomaly(t, func(r *rig, adm *kadm.Client) {
		_, err := adm.AlterTopicConfigs(r.t.Context(), []kadm.AlterConfig{{Name: "min.insync.replicas", Value: text("3")}}, orders)
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
		other := r.nodes[0]
		for other == leader || other == coordinator {
			other = r.nodes[other.id] // the next
		}
		other.kill()
		time.Sleep(20 * time.Second) // of a minute that the transaction may take
		r.must(s.end(true))
		to := fmt.Sprintf(`transaction_markers_waiting{broker="%d"}`, leader.id)
		r.tells(map[string]float64{`transactions{state="PrepareCommit"}`: 1, to: 1, `stable_offset_lag_records{topic="orders"}`: 2})
		coordinator = r.coordinatorOf("busy")
		age := coordinator.broker.scraped(r.t)[`transaction_oldest_open_seconds`]
		if is := time.Since(began).Seconds(); age < is-1 || age > is+0.001 { // it begins at a whole millisecond
			r.t.Errorf("the oldest transaction is told to be %v s old, it is %v", age, is)
		}
		other.launch()
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

// A transaction that no coordinator knows holds back a partition: that is told once none may
// be open for so long, and until its marker is there.
func TestMetricsOfHangingTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.start()
		defer n.end()
		n.create("a", 1)
		p, err := n.broker.host.Partition(model.TopicPartition{Topic: "a"})
		if err != nil {
			t.Fatal(err)
		}
		batch := record.NewBuilder(record.BuilderConfig{ProducerID: 77, BaseSequence: 0, Idempotent: true, Transactional: true})
		batch.Append(record.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("v")})
		b, err := batch.Build()
		if err != nil {
			t.Fatal(err)
		}
		guard, _, err := p.BeginTxn(77, 0, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.AppendTxn(b, p.Role().Epoch, guard); err != nil {
			t.Fatal(err)
		}
		is := func(late, behind float64) {
			t.Helper()
			synctest.Wait() // the high watermark follows the disk
			got := n.broker.scraped(t)
			if got["partitions_with_late_transactions"] != late || got[`stable_offset_lag_records{topic="a"}`] != behind {
				t.Errorf("late is %v, want %v; behind are %v, want %v", got["partitions_with_late_transactions"], late,
					got[`stable_offset_lag_records{topic="a"}`], behind)
			}
		}
		is(0, 1)
		time.Sleep(20*time.Minute - time.Second) // transaction.max.timeout.ms and five minutes
		is(0, 1)
		time.Sleep(2 * time.Second)
		is(1, 1)
		marker := record.EndTxn(77, 0, record.EndTxnMarker{}, time.Now().UnixMilli())
		if _, _, err := p.AppendMarker(marker, model.NoEpoch, 0); err != nil {
			t.Fatal(err)
		}
		is(0, 0)
	})
}

// A client that names its group by bytes that are no text does not keep others from being
// told of.
func TestMetricsOfUnspeakableGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.start()
		defer n.end()
		n.create("a", 1)
		c := n.client()
		defer c.Close()
		for _, group := range []string{"\xff\xfe", "spoken"} {
			var at kadm.Offsets = map[string]map[int32]kadm.Offset{"a": {0: {Topic: "a", At: 0, LeaderEpoch: -1}}}
			if err := kadm.NewClient(c).CommitAllOffsets(t.Context(), group, at); err != nil {
				t.Fatal(err)
			}
		}
		got := n.broker.scraped(t)
		if _, ok := got[`group_lag_records{group="spoken",topic="a"}`]; !ok || got[`groups{state="Empty",type="classic"}`] != 2 {
			t.Errorf("told is %v", got)
		}
	})
}

// A scrape does not hang while nothing can be committed, and tells of the groups.
func TestMetricsWithoutCommits(t *testing.T) {
	anomaly(t, func(r *rig, _ *kadm.Client) {
		c := r.client()
		defer c.Close()
		commit := func(ctx context.Context, at int64) error {
			offsets := kadm.Offsets{orders: {0: {Topic: orders, At: at, LeaderEpoch: -1}}}
			return kadm.NewClient(c).CommitAllOffsets(ctx, "g", offsets)
		}
		r.must(commit(r.t.Context(), 0))
		alone := r.groupCoordinatorOf("g")
		for _, m := range r.nodes {
			if m != alone {
				m.kill()
			}
		}
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		defer cancel()
		if err := commit(ctx, 1); err == nil {
			r.t.Fatal("a commit is answered without replicas")
		}
		began := time.Now()
		got := alone.broker.scraped(r.t)
		if took := time.Since(began); took > lagPatience {
			r.t.Errorf("the scrape takes %v", took)
		}
		if got[`groups{state="Empty",type="classic"}`] != 1 {
			r.t.Errorf("told is %v", got)
		}
	})
}
