package controller

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

func TestIncrementalConfigs(t *testing.T) {
	a := topicResource("a")
	change := func(r metadata.Resource, changes ...ConfigChange) IncrementalAlter {
		return IncrementalAlter{r, changes}
	}
	cases := []struct {
		name  string
		alter IncrementalAlter
		want  string // the configs of a afterwards
		err   *kerr.Error
		words string
	}{
		{"set", change(a, ConfigChange{"k", OpSet, ptr("w")}), "k=w list=x,y", nil, ""},
		{"delete", change(a, ConfigChange{"k", OpDelete, nil}), "list=x,y", nil, ""},
		{"append", change(a, ConfigChange{"list", OpAppend, ptr("y,z")}), "k=v list=x,y,z", nil, ""},
		{"append to the default", change(a, ConfigChange{"list2", OpAppend, ptr("z")}), "k=v list2=d,z list=x,y", nil, ""},
		{"subtract", change(a, ConfigChange{"list", OpSubtract, ptr("x,q")}), "k=v list=y", nil, ""},
		{"append to no list", change(a, ConfigChange{"k", OpAppend, ptr("z")}), "", kerr.InvalidConfig, "Can't APPEND to key k because its type is not LIST."},
		{"null", change(a, ConfigChange{"k", OpSet, nil}), "", kerr.InvalidRequest, "Null value not supported"},
		{"twice", change(a, ConfigChange{"k", OpSet, ptr("1")}, ConfigChange{"k", OpDelete, nil}), "", kerr.InvalidRequest, "duplicate config keys"},
		{"bad, all or none", change(a, ConfigChange{"k", OpSet, ptr("w")}, ConfigChange{"bad", OpSet, ptr("1")}), "", kerr.InvalidConfig, "bad is bad"},
		{"long", change(a, ConfigChange{"k", OpSet, ptr(strings.Repeat("x", 1<<15))}), "", kerr.InvalidConfig, "maximum value size of 32767 bytes"},
		{"operation", change(a, ConfigChange{"k", 7, ptr("w")}), "", kerr.InvalidRequest, "Unknown operation"},
		{"no such topic", change(topicResource("b"), ConfigChange{"k", OpSet, ptr("w")}), "", kerr.UnknownTopicOrPartition, "does not exist"},
		{"no such broker", change(metadata.Resource{Type: metadata.BrokerResource, Name: "9"}), "", kerr.BrokerIDNotRegistered, "No broker with id 9 found."},
		{"broker by word", change(metadata.Resource{Type: metadata.BrokerResource, Name: "x"}), "", kerr.InvalidRequest, "base 10 number"},
		{"min ISR of one broker", change(metadata.Resource{Type: metadata.BrokerResource, Name: "1"}, ConfigChange{minISRKey, OpSet, ptr("1")}), "",
			kerr.InvalidConfig, "while ELR is enabled"},
		{"a strange resource", change(metadata.Resource{Type: 99, Name: "x"}), "", kerr.InvalidRequest, "Unexpected resource type 99"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			w.create(NewTopic{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: []Config{{"k", ptr("v")}, {"list", ptr("x,y")}}})
			w.rules.ListConfig = func(_ metadata.ResourceType, key string) (string, bool) { return "d", strings.HasPrefix(key, "list") }
			w.rules.ValidateConfigs = func(_ metadata.Resource, configs map[string]string) error {
				if configs["bad"] != "" {
					return errors.New("bad is bad")
				}
				return nil
			}
			r, recs := w.state().IncrementalAlterConfigs([]IncrementalAlter{c.alter}, false)
			w.apply(recs)
			wantErr(t, r[0].Err, c.err, c.words)
			want := c.want
			if c.err != nil {
				want = "k=v list=x,y"
			}
			if got := showConfigs(w.image.Configs(a)); got != want {
				t.Errorf("configs %q, want %q", got, want)
			}
		})
	}
}

func showConfigs(c map[string]string) string {
	var parts []string
	for k, v := range c {
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// The legacy request replaces everything.
func TestLegacyConfigs(t *testing.T) {
	w := newWorld(t, "")
	w.create(NewTopic{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: []Config{{"k", ptr("v")}, {"l", ptr("w")}}})
	r, recs := w.state().AlterConfigs([]LegacyAlter{{topicResource("a"), []Config{{"l", ptr("x")}, {"m", nil}}}}, true)
	if len(recs) > 0 || r[0].Err != nil {
		t.Errorf("validateOnly: %v, %v", r, recs)
	}
	_, recs = w.state().AlterConfigs([]LegacyAlter{{topicResource("a"), []Config{{"l", ptr("x")}, {"m", nil}}}}, false)
	w.apply(recs)
	if got := showConfigs(w.image.Configs(topicResource("a"))); got != "l=x" {
		t.Errorf("configs %q", got)
	}
}
