package scenario

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/sim/world"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// stage is a world and the test that plays on it.
type stage struct {
	*world.World
	t *testing.T
}

func newStage(t *testing.T, seed uint64, s world.Shape) *stage {
	return &stage{world.New(t, seed, s), t}
}

const orders = "orders"

// play runs a story on three nodes with a topic of two partitions.
func play(t *testing.T, story func(r *stage, adm *kadm.Client)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		r := newStage(t, 1, world.Shape{})
		defer r.Down() // when the test has failed, too
		r.Up()
		c := r.Client()
		defer c.Close()
		adm := kadm.NewClient(c)
		if _, err := adm.CreateTopics(t.Context(), 2, 3, nil, orders); err != nil {
			t.Fatal(err)
		}
		r.eventually("the topic is everywhere", func() bool { return r.InSync(orders) })
		story(r, adm)
	})
}

// eventually waits until cond holds.
func (r *stage) eventually(what string, cond func() bool) {
	r.t.Helper()
	r.Eventually(what, time.Minute, cond)
}

// must ends the test if something went wrong.
func (r *stage) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// refused checks that something was refused with one of these errors.
func (r *stage) refused(err error, want ...error) {
	r.t.Helper()
	if !isAny(err, want) {
		r.t.Fatalf("the answer is %v, want one of %v", err, want)
	}
}

// settle waits until every partition is as it should be.
func (r *stage) settle() {
	r.t.Helper()
	r.must(r.Settle(time.Minute))
}

// anyone is a node that runs.
func (r *stage) anyone() *world.Node {
	for _, n := range r.Nodes() {
		if n.Running() {
			return n
		}
	}
	panic("bug: no node runs")
}

// leaderOf is the node that leads a partition.
func (r *stage) leaderOf(topic string, partition int32) (leader *world.Node) {
	r.t.Helper()
	r.eventually("a leader of "+topic, func() bool {
		leader = r.Leader(topic, partition)
		return leader != nil
	})
	return leader
}

// seen is what a reader sees of a partition from its start until nothing comes for a while.
func (r *stage) seen(topic string, partition int32, level kgo.IsolationLevel) (values []string) {
	r.t.Helper()
	c := r.Client(kgo.FetchIsolationLevel(level), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {partition: kgo.NewOffset().AtStart()}}))
	defer c.Close()
	for {
		ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
		fetches := c.PollFetches(ctx)
		cancel()
		if fetches.NumRecords() == 0 {
			return values
		}
		fetches.EachRecord(func(rec *kgo.Record) { values = append(values, string(rec.Value)) })
	}
}

func (r *stage) wantSeen(topic string, partition int32, level kgo.IsolationLevel, want ...string) {
	r.t.Helper()
	if got := r.seen(topic, partition, level); !slices.Equal(got, want) {
		r.t.Fatalf("a reader of %s-%d sees %q, want %q", topic, partition, got, want)
	}
}

// nothingOpen waits until no transaction holds readers of a partition back.
func (r *stage) nothingOpen(adm *kadm.Client, topic string, partition int32) {
	r.t.Helper()
	r.eventually("no transaction is open", func() bool {
		ends, err := adm.ListEndOffsets(r.t.Context(), topic)
		stable, err2 := adm.ListCommittedOffsets(r.t.Context(), topic)
		if err != nil || err2 != nil {
			return false
		}
		e, ok := ends.Lookup(topic, partition)
		s, ok2 := stable.Lookup(topic, partition)
		return ok && ok2 && e.Err == nil && s.Err == nil && e.Offset == s.Offset
	})
}

// scraped are a node's own series, by name and labels as they are told.
func (r *stage) scraped(n *world.Node) map[string]float64 {
	r.t.Helper()
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(n.Broker().Gatherer(), promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if rec.Code != 200 {
		r.t.Fatalf("the scrape fails: %d %s", rec.Code, rec.Body)
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
func (r *stage) tells(want map[string]float64) {
	r.t.Helper()
	got := map[string]float64{}
	defer func() {
		if r.t.Failed() {
			r.t.Logf("told is %v", got)
		}
	}()
	r.eventually(fmt.Sprintf("metrics %v", want), func() bool {
		clear(got)
		for _, m := range r.Nodes() {
			if !m.Running() {
				continue
			}
			series := r.scraped(m)
			for name := range want {
				got[name] += series[name]
			}
		}
		for name, v := range want {
			if got[name] != v {
				time.Sleep(100 * time.Millisecond) // scrapes cost more than what they wait for
				return false
			}
		}
		return true
	})
}
