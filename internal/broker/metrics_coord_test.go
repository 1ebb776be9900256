package broker

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kadm"
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

// A transaction that no coordinator knows holds back a partition: that is told once none may
// be open for so long, and until its marker is there.
func TestMetricsOfHangingTransaction(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
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
	bubble.Test(t, func(t *testing.T) {
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
