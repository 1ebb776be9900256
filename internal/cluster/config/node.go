package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// A Node is what the configuration of one broker is made of: what was set before it
// started, what was altered for all brokers, and what was altered for it alone. A later
// layer wins. A Node is a view: it never changes the maps.
type Node struct {
	Static, Default, PerBroker map[string]string
}

// effective lays the layers over each other. A dynamic value removes its synonyms from
// the layers below, so that log.retention.ms altered at run time is not hidden by
// anything in the file, nor the other way round. Dynamic values that cannot be, because
// another version stored them, are left out and returned as errors.
func (n Node) effective() (map[string]string, []error) {
	m := maps.Clone(n.Static)
	if m == nil {
		m = map[string]string{}
	}
	var errs []error
	for _, layer := range []map[string]string{n.Default, n.PerBroker} {
		for _, name := range slices.Sorted(maps.Keys(layer)) {
			if d, ok := findBroker(name); ok {
				if _, err := d.Parse(layer[name]); err != nil {
					errs = append(errs, fmt.Errorf("stored dynamic value is ignored: %w", err))
					continue
				}
			}
			for _, syn := range brokerSynonyms(name) {
				delete(m, syn)
			}
			m[name] = layer[name]
		}
	}
	return m, errs
}

// Values returns the broker's values in force. Dynamic values that cannot be are as if
// unset and returned as an error; the Values are good nevertheless.
func (n Node) Values() (Values, error) {
	text, errs := n.effective()
	v, more := build(Broker, text)
	return v, errors.Join(append(errs, more...)...)
}

// brokerSynonyms are the keys that name belongs together with, the strongest first.
func brokerSynonyms(name string) []string {
	for _, g := range synonymGroups {
		if slices.Contains(g, name) && (name != "log.flush.scheduler.interval.ms") {
			return g
		}
	}
	return []string{name}
}

var synonymGroups = [][]string{
	{"log.roll.ms", "log.roll.hours"},
	{"log.roll.jitter.ms", "log.roll.jitter.hours"},
	{"log.flush.interval.ms", "log.flush.scheduler.interval.ms"},
	{"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
}

// A TopicBase is what topics have that set nothing themselves. It never changes.
type TopicBase struct{ v Values }

// Topics returns the base of all topics on this broker.
func (n Node) Topics() TopicBase {
	v, _ := n.Values()
	base := Values{scope: Topic, vals: make([]any, len(registry[Topic].defs))}
	for i, d := range registry[Topic].defs {
		base.vals[i] = d.inherited(v)
	}
	return TopicBase{base}
}

// inherited is the value of a topic or group key that nobody set there.
func (d *Def) inherited(broker Values) any {
	for _, s := range d.Synonyms {
		b := registry[Broker].byName[s.Name]
		x := b.parsed
		if broker.vals != nil {
			x = broker.vals[b.index]
		}
		if x == nil {
			continue
		}
		return d.convert(x, s.Factor)
	}
	return d.parsed
}

// convert turns a broker key's value into the type of d. Any negative time means -1,
// for ever: that is what retention makes of it.
func (d *Def) convert(x any, factor int64) any {
	if d.Type != TypeLong {
		return x
	}
	n := int64(number(x))
	if l, ok := x.(int64); ok {
		n = l // a float would round large ones
	}
	if d.Name == "retention.ms" && n < 0 {
		return int64(-1)
	}
	if n > math.MaxInt64/factor {
		return int64(math.MaxInt64)
	}
	return n * factor
}

// With returns the values of a topic that set overrides. Overrides that cannot be,
// because another version stored them, are as if unset and returned as an error; the
// Values are good nevertheless.
func (b TopicBase) With(overrides map[string]string) (Values, error) {
	return overlay(b.v, overrides)
}

func overlay(base Values, overrides map[string]string) (Values, error) {
	if len(overrides) == 0 {
		return base, nil
	}
	v := Values{scope: base.scope, vals: slices.Clone(base.vals), set: make(map[string]bool, len(overrides)), text: maps.Clone(overrides)}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		d := registry[base.scope].byName[name]
		if d == nil {
			continue
		}
		x, err := d.Parse(overrides[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("stored value is ignored: %w", err))
			continue
		}
		v.vals[d.index], v.set[name] = x, true
	}
	return v, errors.Join(errs...)
}

// TopicValues returns the values of one topic: Node.Topics and TopicBase.With in one.
// Whoever has many topics keeps the TopicBase.
func TopicValues(static, dynamicBroker, dynamicDefault, overrides map[string]string) (Values, error) {
	return Node{Static: static, Default: dynamicDefault, PerBroker: dynamicBroker}.Topics().With(overrides)
}

// GroupValues returns the values of a group that set overrides, as With does for topics.
func (n Node) GroupValues(overrides map[string]string) (Values, error) {
	v, _ := n.Values()
	base := Values{scope: Group, vals: make([]any, len(registry[Group].defs))}
	for i, d := range registry[Group].defs {
		base.vals[i] = d.inherited(v)
	}
	return overlay(base, overrides)
}

// ClientMetricsValues returns the values of a client metrics subscription.
func ClientMetricsValues(overrides map[string]string) (Values, error) {
	base, _ := build(ClientMetrics, nil)
	return overlay(base, overrides)
}

// TransactionStateMinISR and the like are never more than the replicas there are.
func atMost(n int, brokers int) int { return min(n, max(brokers, 1)) }

// ReplicationFactor is the number of replicas that key asks for in a cluster of so many
// brokers: what was set, or the default but not more than there are brokers.
func ReplicationFactor(key Key[int], v Values, brokers int) int {
	if key.IsSet(v) {
		return key.Get(v)
	}
	return atMost(key.Get(v), brokers)
}

// BrokerResourceID reads the name of a broker resource: empty means all brokers.
func BrokerResourceID(name string) (id int32, all bool, err error) {
	if name == "" {
		return 0, true, nil
	}
	n, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return 0, false, fmt.Errorf("broker id must be an integer, but it is: %s", name)
	}
	return int32(n), false, nil
}
