package config

import (
	"maps"
	"slices"
	"strings"
)

// Source says which layer a value in an answer comes from; the numbers are those of
// DescribeConfigs.
type Source int8

// The sources.
const (
	SourceUnknown              Source = 0
	SourceTopic                Source = 1 // altered for the topic
	SourceDynamicBroker        Source = 2 // altered for this broker
	SourceDynamicDefaultBroker Source = 3 // altered for all brokers
	SourceStaticBroker         Source = 4 // file, environment or command line
	SourceDefault              Source = 5
	SourceLogger               Source = 6
	SourceClientMetrics        Source = 7
	SourceGroup                Source = 8
)

func (s Source) String() string {
	names := [...]string{"UNKNOWN", "DYNAMIC_TOPIC_CONFIG", "DYNAMIC_BROKER_CONFIG", "DYNAMIC_DEFAULT_BROKER_CONFIG", "STATIC_BROKER_CONFIG",
		"DEFAULT_CONFIG", "DYNAMIC_BROKER_LOGGER_CONFIG", "DYNAMIC_CLIENT_METRICS_CONFIG", "DYNAMIC_GROUP_CONFIG"}
	if s < 0 || int(s) >= len(names) {
		return names[0]
	}
	return names[s]
}

// An Entry is one key in the answer to DescribeConfigs. Value is nil for null and for
// sensitive keys. Synonyms are all values that the key could have, the one in force first.
type Entry struct {
	Name      string
	Value     *string
	Source    Source
	ReadOnly  bool
	Sensitive bool
	Synonyms  []EntrySynonym
	Type      Type
	Doc       string // empty if the key is unknown
}

// An EntrySynonym is one of the values behind an Entry.
type EntrySynonym struct {
	Name   string
	Value  *string // nil if sensitive
	Source Source
}

// DescribeTopic returns every topic key in name order, and what else the topic holds.
func (n Node) DescribeTopic(overrides map[string]string) []Entry {
	v, _ := n.Topics().With(overrides)
	var entries []Entry
	for d := range All(Topic) {
		if d.Internal {
			continue
		}
		e := d.entry(v.vals[d.index])
		if len(d.Synonyms) > 0 {
			s := d.Synonyms[0].Name
			e.Synonyms = n.synonyms(s, brokerSynonyms(s), false)
		}
		e.own(overrides, SourceTopic)
		entries = append(entries, e)
	}
	return append(entries, strangers(Topic, overrides, SourceTopic)...)
}

// DescribeGroup returns every group key in name order.
func (n Node) DescribeGroup(overrides map[string]string) []Entry {
	v, _ := n.GroupValues(overrides)
	var entries []Entry
	for d := range All(Group) {
		e := d.entry(v.vals[d.index])
		if _, set := overrides[d.Name]; set {
			e.own(overrides, SourceGroup)
		} else {
			// Kafka shows the broker's value as the group's default.
			e.Synonyms = []EntrySynonym{{d.Name, e.Value, SourceDefault}}
		}
		entries = append(entries, e)
	}
	return append(entries, strangers(Group, overrides, SourceGroup)...)
}

// DescribeClientMetrics returns every key of a client metrics subscription.
func DescribeClientMetrics(overrides map[string]string) []Entry {
	v, _ := ClientMetricsValues(overrides)
	var entries []Entry
	for d := range All(ClientMetrics) {
		e := d.entry(v.vals[d.index])
		e.own(overrides, SourceClientMetrics)
		entries = append(entries, e)
	}
	return entries
}

// DescribeLoggers returns the levels of loggers by name.
func DescribeLoggers(levels map[string]string) []Entry {
	var entries []Entry
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		l := levels[name]
		entries = append(entries, Entry{Name: name, Value: &l, Source: SourceLogger})
	}
	return entries
}

// DescribeBroker returns every broker key in name order, and every other name that was
// set, whose value is hidden because nobody knows whether it is a secret.
func (n Node) DescribeBroker() []Entry {
	text, _ := n.effective()
	v, _ := build(Broker, text)
	names := slices.Collect(maps.Keys(text))
	for d := range All(Broker) {
		if _, set := text[d.Name]; !set && !d.Internal && !d.DynamicOnly {
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	var entries []Entry
	for _, name := range names {
		e := n.brokerEntry(name, text[name])
		if d, ok := Find(Broker, name); ok {
			e.Value = d.shown(v.vals[d.index])
		}
		e.Synonyms = n.synonyms(name, describedSynonyms(name), e.Sensitive)
		e.Source = first(e.Synonyms)
		entries = append(entries, e)
	}
	return entries
}

// DescribeDefaultBroker returns what was altered for all brokers.
func (n Node) DescribeDefaultBroker() []Entry {
	var entries []Entry
	for _, name := range slices.Sorted(maps.Keys(n.Default)) {
		e := n.brokerEntry(name, n.Default[name])
		for _, s := range n.synonyms(name, describedSynonyms(name), e.Sensitive) {
			if s.Source == SourceDynamicDefaultBroker {
				e.Synonyms = append(e.Synonyms, s)
			}
		}
		e.Source = first(e.Synonyms)
		entries = append(entries, e)
	}
	return entries
}

// brokerEntry is name with a text; the caller adds synonyms and source.
func (n Node) brokerEntry(name, text string) Entry {
	e := Entry{Name: name, ReadOnly: true, Sensitive: true}
	if d, ok := findBroker(name); ok {
		e.Type, e.Sensitive = d.Type, d.Sensitive()
		if d.Name == name {
			e.Doc, e.ReadOnly = d.Doc, d.Mode == ReadOnly || d.DynamicOnly
		}
	}
	if !e.Sensitive {
		e.Value = &text
	}
	return e
}

// describedSynonyms are brokerSynonyms, and for a listener's key also the key without
// the listener.
func describedSynonyms(name string) []string {
	if base := baseOfListenerKey(name); base != "" {
		return []string{name, base}
	}
	return brokerSynonyms(name)
}

// synonyms looks names up in all layers, the strongest layer first, and drops what is
// stronger than name itself: the answer is about name.
func (n Node) synonyms(name string, names []string, sensitive bool) []EntrySynonym {
	var all []EntrySynonym
	add := func(s Source, lookup func(string) (string, bool)) {
		for _, nm := range names {
			if v, ok := lookup(nm); ok {
				syn := EntrySynonym{Name: nm, Source: s}
				if !sensitive {
					syn.Value = &v
				}
				all = append(all, syn)
			}
		}
	}
	in := func(m map[string]string) func(string) (string, bool) {
		return func(k string) (string, bool) { v, ok := m[k]; return v, ok }
	}
	add(SourceDynamicBroker, in(n.PerBroker))
	add(SourceDynamicDefaultBroker, in(n.Default))
	add(SourceStaticBroker, in(n.Static))
	add(SourceDefault, func(k string) (string, bool) {
		d, ok := Find(Broker, k)
		return d.defaultText(), ok && !d.Null && !d.DynamicOnly
	})
	i := slices.IndexFunc(all, func(s EntrySynonym) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return all[i:]
}

func (d *Def) defaultText() string {
	if d == nil || d.Null {
		return ""
	}
	return d.Format(d.parsed)
}

// entry is d with a parsed value, which comes from no layer yet.
func (d *Def) entry(v any) Entry {
	return Entry{Name: d.Name, Value: d.shown(v), Source: SourceDefault, Sensitive: d.Sensitive(), Type: d.Type, Doc: d.Doc}
}

func (d *Def) shown(v any) *string {
	if v == nil || d.Sensitive() {
		return nil
	}
	s := d.Format(v)
	return &s
}

// own puts the resource's own setting before the inherited ones and settles the source.
func (e *Entry) own(overrides map[string]string, s Source) {
	if _, set := overrides[e.Name]; set {
		e.Synonyms = append([]EntrySynonym{{e.Name, e.Value, s}}, e.Synonyms...)
	}
	e.Source = first(e.Synonyms)
}

func first(s []EntrySynonym) Source {
	if len(s) == 0 {
		return SourceDefault
	}
	return s[0].Source
}

// strangers are names that a resource holds and this version does not know.
func strangers(s Scope, overrides map[string]string, src Source) []Entry {
	var entries []Entry
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if _, ok := Find(s, name); !ok && strings.TrimSpace(name) != "" {
			entries = append(entries, Entry{Name: name, Source: src, Sensitive: true, Synonyms: []EntrySynonym{{name, nil, src}}})
		}
	}
	return entries
}

// Only keeps the entries that were asked for; no names means all.
func Only(entries []Entry, names []string) []Entry {
	if len(names) == 0 {
		return entries
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return !slices.Contains(names, e.Name) })
}
