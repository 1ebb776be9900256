package fetcher

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// Throttle bounds the bytes a second of replicas that need not hurry (KIP-73): those that
// are listed, and of them those that are not in sync. What was moved beyond the rate is
// paid for by a pause. Safe for concurrent use.
type Throttle struct {
	// Rate is in bytes a second; math.MaxInt64 is without bound.
	Rate func() int64
	// Listed reports whether a replica on this broker is one of them.
	Listed func(tp model.TopicPartition) bool

	mu   sync.Mutex // guards paid
	paid time.Time  // up to when what was moved uses the rate up
}

// NewThrottle returns the throttle of a broker's side of replication, leader or follower: by
// SIDE.replication.throttled.rate, a dynamic setting of brokers, and
// SIDE.replication.throttled.replicas of topics.
func NewThrottle(image func() *metadata.Image, node int32, side string) *Throttle {
	return &Throttle{
		Rate: func() int64 { return Rate(image(), node, side+".replication.throttled.rate") },
		Listed: func(tp model.TopicPartition) bool {
			list := image().Configs(metadata.Resource{Type: metadata.TopicResource, Name: tp.Topic})[side+".replication.throttled.replicas"]
			return list != "" && InList(list, tp.Partition, node)
		},
	}
}

// Rate is a dynamic setting of a broker, or else of all: bytes a second, without bound if
// it is not set.
func Rate(image *metadata.Image, node int32, key string) int64 {
	for _, name := range []string{strconv.Itoa(int(node)), ""} {
		v, ok := image.Configs(metadata.Resource{Type: metadata.BrokerResource, Name: name})[key]
		if n, err := strconv.ParseInt(v, 10, 64); ok && err == nil {
			return n
		}
	}
	return math.MaxInt64
}

// throttleBurst is for how long nothing may have been moved so that the rate may be
// exceeded for as long.
const throttleBurst = time.Second

// Record notes that n bytes of listed replicas were moved.
func (t *Throttle) Record(n int, now time.Time) {
	rate := t.Rate()
	if rate <= 0 || rate >= math.MaxInt64/2 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if least := now.Add(-throttleBurst); t.paid.Before(least) {
		t.paid = least
	}
	t.paid = t.paid.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
}

// Until is when more may be moved, and whether that is after now.
func (t *Throttle) Until(now time.Time) (until time.Time, exceeded bool) {
	if rate := t.Rate(); rate <= 0 || rate >= math.MaxInt64/2 {
		return now, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.paid, t.paid.After(now)
}

// InList reports whether a list of throttled replicas, PARTITION:BROKER with commas or *
// for all (leader.replication.throttled.replicas and its kin), names a replica.
func InList(list string, partition, broker int32) bool {
	if list = strings.TrimSpace(list); list == "*" {
		return true
	}
	for one := range strings.SplitSeq(list, ",") {
		p, b, _ := strings.Cut(strings.TrimSpace(one), ":")
		if p == strconv.Itoa(int(partition)) && b == strconv.Itoa(int(broker)) {
			return true
		}
	}
	return false
}

// held lets a partition rest whose bytes are used up.
func (f *Fetcher) held(st *state, now time.Time) bool {
	t := f.cfg.Throttle
	if t == nil || st.lag == 0 {
		return false
	}
	until, exceeded := t.Until(now)
	if !exceeded || !t.Listed(st.replica.TP()) {
		return false
	}
	f.restUntil(st, until)
	return true
}

// moved counts what a listed partition was sent.
func (f *Fetcher) moved(st *state, n int, now time.Time) {
	if t := f.cfg.Throttle; t != nil && n > 0 && t.Listed(st.replica.TP()) {
		t.Record(n, now)
	}
}
