package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/proto/model"
)

// ResourceType is Kafka's number of a kind of config resource.
type ResourceType int8

// The kinds of resources.
const (
	TopicResource         ResourceType = 2
	BrokerResource        ResourceType = 4
	LoggerResource        ResourceType = 8
	ClientMetricsResource ResourceType = 16
	GroupResource         ResourceType = 32
)

// scope returns the keys that a resource of type t can have.
func (t ResourceType) scope() (Scope, bool) {
	switch t {
	case TopicResource:
		return Topic, true
	case BrokerResource:
		return Broker, true
	case ClientMetricsResource:
		return ClientMetrics, true
	case GroupResource:
		return Group, true
	}
	return 0, false
}

// Op is Kafka's number of an incremental change.
type Op int8

// The operations.
const (
	OpSet Op = iota
	OpDelete
	OpAppend
	OpSubtract
)

// A Change is one incremental change to a resource. Value is not read by OpDelete.
type Change struct {
	Name  string
	Op    Op
	Value *string
}

// maxValueBytes is the longest value that is stored, as in Kafka.
const maxValueBytes = 1<<15 - 1

// List reports whether key of a resource of type t is a list, to which entries can be
// appended, and its value when nobody set one on the resource.
func (n Node) List(t ResourceType, key string) (inherited string, ok bool) {
	s, ok := t.scope()
	if !ok {
		return "", false
	}
	d, ok := Find(s, key)
	if s == Broker && !ok {
		d, ok = findBroker(key)
	}
	if !ok || d.Type != TypeList {
		return "", false
	}
	if s == Broker {
		return d.defaultText(), true
	}
	v, _ := n.Values()
	return d.Format(d.inherited(v)), true
}

// Apply returns old with changes made, or an error and nothing: a resource is altered as
// a whole or not at all. It does not check the result: Validate does.
func (n Node) Apply(t ResourceType, old map[string]string, changes []Change) (map[string]string, error) {
	if err := wellFormed(changes); err != nil {
		return nil, err
	}
	m := maps.Clone(old)
	if m == nil {
		m = map[string]string{}
	}
	for _, c := range changes {
		switch c.Op {
		case OpSet:
			m[c.Name] = *c.Value
		case OpDelete:
			delete(m, c.Name)
		case OpAppend, OpSubtract:
			inherited, ok := n.List(t, c.Name)
			if !ok {
				return nil, model.Explain(kerr.InvalidConfig, fmt.Sprintf("Can't %s to key %s because its type is not LIST.", c.Op, c.Name))
			}
			was, set := m[c.Name]
			if !set {
				was = inherited
			}
			m[c.Name] = editList(was, *c.Value, c.Op)
		}
	}
	return m, nil
}

func (o Op) String() string {
	if o < 0 || o > OpSubtract {
		return fmt.Sprintf("op %d", int8(o))
	}
	return [...]string{"SET", "DELETE", "APPEND", "SUBTRACT"}[o]
}

func wellFormed(changes []Change) error {
	seen := make(map[string]bool, len(changes))
	var nulls []string
	for _, c := range changes {
		if seen[c.Name] {
			return model.Explain(kerr.InvalidRequest, "Error due to duplicate config keys")
		}
		seen[c.Name] = true
		if c.Op < OpSet || c.Op > OpSubtract {
			return model.Explain(kerr.InvalidRequest, fmt.Sprintf("Unknown operations type %d", int8(c.Op)))
		}
		if c.Op != OpDelete && c.Value == nil {
			nulls = append(nulls, c.Name)
		}
	}
	if len(nulls) > 0 {
		return model.Explain(kerr.InvalidRequest, "Null value not supported for : "+strings.Join(nulls, ", "))
	}
	return nil
}

// editList appends entries that are not there yet, or removes entries that are.
func editList(was, change string, op Op) string {
	l := slices.DeleteFunc(splitList(was), func(s string) bool { return s == "" })
	for _, c := range splitList(change) {
		i := slices.Index(l, c)
		if op == OpAppend && i < 0 && c != "" {
			l = append(l, c)
		}
		if op == OpSubtract && i >= 0 {
			l = slices.Delete(l, i, i+1)
		}
	}
	return strings.Join(l, ",")
}

// Validate says what is wrong with the settings that a resource would have, as the
// sentinel that a client is told, with words that name key, value and range. name is
// the resource's: a topic, a group, a subscription, a broker id or "" for all brokers.
func (n Node) Validate(t ResourceType, name string, settings map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		if len(settings[k]) > maxValueBytes {
			return model.Explain(kerr.InvalidConfig, fmt.Sprintf("The configuration value of %s cannot be added because it exceeds the maximum value size of %d bytes.", k, maxValueBytes))
		}
	}
	switch t {
	case TopicResource:
		return n.validateTopic(name, settings)
	case BrokerResource:
		return n.validateBroker(name, settings)
	case GroupResource:
		return n.validateGroup(name, settings)
	case ClientMetricsResource:
		return validateClientMetrics(name, settings)
	}
	return model.Explain(kerr.InvalidRequest, fmt.Sprintf("Unknown resource type %d", int8(t)))
}

// parseAll parses settings of scope s; a name that s does not know is an error.
func parseAll(s Scope, settings map[string]string, unknown *kerr.Error, words string) error {
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		d, ok := Find(s, k)
		if !ok {
			return model.Explain(unknown, words+k)
		}
		if _, err := d.Parse(settings[k]); err != nil {
			return model.Explain(kerr.InvalidConfig, kafkaWords(err))
		}
	}
	return nil
}

// kafkaWords says of a bad value what Kafka's clients and their users are used to read.
func kafkaWords(err error) string {
	e, ok := err.(*InvalidError)
	if !ok {
		return err.Error()
	}
	s := fmt.Sprintf("Invalid value %s for configuration %s: it %s", e.Value, e.Key.Name, e.Reason)
	if e.Key.Range != "" {
		s += " (" + e.Key.Range + ")"
	}
	return s
}

func (n Node) validateTopic(name string, settings map[string]string) error {
	if name == "" {
		return model.Explain(kerr.InvalidRequest, "Default topic resources are not allowed.")
	}
	if err := parseAll(Topic, settings, kerr.InvalidConfig, "Unknown topic config name: "); err != nil {
		return err
	}
	v, _ := n.Topics().With(settings)
	if lo, hi := TopicMinCompactionLagMs.Get(v), TopicMaxCompactionLagMs.Get(v); lo > hi {
		return model.Explain(kerr.InvalidConfig, fmt.Sprintf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", lo, hi))
	}
	if TopicRemoteStorageEnable.Get(v) {
		return n.validateRemote(v)
	}
	return nil
}

// validateRemote holds for topics with tiered storage.
func (n Node) validateRemote(v Values) error {
	b, _ := n.Values()
	if !RemoteLogStorageSystemEnable.Get(b) {
		return model.Explain(kerr.InvalidConfig, "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	if p := TopicCleanupPolicy.Get(v); len(p) > 0 && !slices.Equal(p, []string{"delete"}) {
		return model.Explain(kerr.InvalidConfig, "Remote log storage only supports topics with cleanup.policy=delete or cleanup.policy being an empty list.")
	}
	for _, c := range []struct {
		local, whole       int64
		localKey, wholeKey string
	}{
		{TopicLocalRetentionBytes.Get(v), TopicRetentionBytes.Get(v), "local.retention.bytes", "retention.bytes"},
		{TopicLocalRetentionMs.Get(v), TopicRetentionMs.Get(v), "local.retention.ms", "retention.ms"},
	} {
		if c.local == -2 || c.whole < 0 {
			continue
		}
		if c.local == -1 || c.local > c.whole {
			return model.Explain(kerr.InvalidConfig, fmt.Sprintf("Invalid value %d for configuration %s: Value must not be more than %s property value: %d", c.local, c.localKey, c.wholeKey, c.whole))
		}
		if TopicRemoteLogCopyDisable.Get(v) && c.local != c.whole {
			return model.Explain(kerr.InvalidConfig, fmt.Sprintf("When `remote.log.copy.disable` is set to true, the `%s` and `%s` must be set to the identical value because there will be no more logs copied to the remote storage.", c.localKey, c.wholeKey))
		}
	}
	return nil
}

func validateClientMetrics(name string, settings map[string]string) error {
	if name == "" {
		return model.Explain(kerr.InvalidRequest, "Subscription name can't be empty")
	}
	if v, ok := settings["interval.ms"]; ok {
		if _, err := ClientMetricsIntervalMs.Parse(v); err != nil && !strings.Contains(err.Error(), "not an int") {
			return model.Explain(kerr.InvalidRequest, fmt.Sprintf("Invalid value %s for interval.ms, interval must be between 100 and 3600000 (1 hour)", v))
		}
	}
	return parseAll(ClientMetrics, settings, kerr.InvalidRequest, "Unknown client metrics configuration: ")
}
