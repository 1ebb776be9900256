package api

import (
	"strings"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/cluster/metadata"
)

// What is sent to a listed follower that is not in sync keeps to the rate; others, and one
// that is in sync, are not held back. The settings may change at any time.
func TestLeaderThrottle(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, h := serving(t, map[string][][]int32{"a": {{1, 2, 3}}})
		set := func(r metadata.Resource, key, value string) {
			d.apply(metadata.SetConfig{Resource: r, Key: key, Value: &value})
		}
		topic := metadata.Resource{Type: metadata.TopicResource, Name: "a"}
		set(topic, "leader.replication.throttled.replicas", "0:1")
		set(metadata.Resource{Type: metadata.BrokerResource, Name: "1"}, "leader.replication.throttled.rate", "1000")
		h.change(d, 0, func(p *metadata.Partition) { p.ISR = []int32{1, 3} })
		h.append("a", 0, strings.Repeat("x", 5000))
		behind, inSync := d.follower(2), d.follower(3)
		want(t, "what was saved up lets one pass", behind.fetch(at{"a", 0, 0}), "a-0 hw=0 records=1")
		want(t, "held back", behind.fetch(), "")
		want(t, "in sync", inSync.fetch(at{"a", 0, 0}), "a-0 hw=0 records=1")
		time.Sleep(3 * time.Second)
		want(t, "held back still", behind.fetch(), "")
		time.Sleep(2 * time.Second)
		want(t, "paid for", behind.fetch(), "a-0 hw=0 records=1")
		want(t, "held back again", behind.fetch(), "")
		set(topic, "leader.replication.throttled.replicas", "0:3")
		want(t, "another broker is listed", behind.fetch(), "a-0 hw=0 records=1")
		set(topic, "leader.replication.throttled.replicas", "*")
		want(t, "all are listed", behind.fetch(), "")
		h.change(d, 0, func(p *metadata.Partition) { p.ISR = []int32{1, 2, 3} })
		want(t, "in sync now", behind.fetch(), "a-0 hw=0 records=1")
	})
}
