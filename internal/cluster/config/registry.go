package config

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// registry holds all Defs, by scope. It is filled by the key declarations, which are
// package variables, and sealed by init; from then on it is only read.
var registry [numScopes]struct {
	defs   []*Def // in name order after sealing
	byName map[string]*Def
}

// null as a default means that the key has no value unless somebody sets one.
const null = "\x00null"

type option func(*Def)

func (s Scope) def(t Type, name, def, doc string, opts []option) *Def {
	d := &Def{Name: name, Scope: s, Type: t, Default: def, Doc: doc}
	if def == null {
		d.Default, d.Null = "", true
	}
	for _, o := range opts {
		o(d)
	}
	registry[s].defs = append(registry[s].defs, d)
	return d
}

func (s Scope) boolean(name, def, doc string, opts ...option) Key[bool] {
	return Key[bool]{s.def(TypeBoolean, name, def, doc, opts)}
}
func (s Scope) string(name, def, doc string, opts ...option) Key[string] {
	return Key[string]{s.def(TypeString, name, def, doc, opts)}
}
func (s Scope) class(name, def, doc string, opts ...option) Key[string] {
	return Key[string]{s.def(TypeClass, name, def, doc, opts)}
}
func (s Scope) int(name, def, doc string, opts ...option) Key[int] {
	return Key[int]{s.def(TypeInt, name, def, doc, opts)}
}
func (s Scope) short(name, def, doc string, opts ...option) Key[int] {
	return Key[int]{s.def(TypeShort, name, def, doc, opts)}
}
func (s Scope) long(name, def, doc string, opts ...option) Key[int64] {
	return Key[int64]{s.def(TypeLong, name, def, doc, opts)}
}
func (s Scope) double(name, def, doc string, opts ...option) Key[float64] {
	return Key[float64]{s.def(TypeDouble, name, def, doc, opts)}
}
func (s Scope) list(name, def, doc string, opts ...option) Key[[]string] {
	return Key[[]string]{s.def(TypeList, name, def, doc, opts)}
}
func (s Scope) password(name, def, doc string, opts ...option) Key[Secret] {
	return Key[Secret]{s.def(TypePassword, name, def, doc, opts)}
}

func high(d *Def)        { d.Importance = High }
func low(d *Def)         { d.Importance = Low }
func perBroker(d *Def)   { d.Mode = PerBroker }
func clusterWide(d *Def) { d.Mode = ClusterWide }
func internal(d *Def)    { d.Internal = true }

// dynamicOnly is for keys that have no place in a file.
func dynamicOnly(d *Def) { d.Mode, d.DynamicOnly = ClusterWide, true }

// mapped, inert and pending say what became of a key that does not do Kafka's thing.
func mapped(note string) option  { return func(d *Def) { d.Meaning, d.Note = Mapped, note } }
func inert(note string) option   { return func(d *Def) { d.Meaning, d.Note = Inert, note } }
func pending(note string) option { return func(d *Def) { d.Meaning, d.Note = Pending, note } }

// since names the release of Kafka that has the key, if 4.2 does not.
func since(release string) option { return func(d *Def) { d.Since = release } }

// differs marks a default that is not Kafka's, on purpose.
func differs(kafkaDefault, why string) option {
	return func(d *Def) {
		if kafkaDefault == null {
			kafkaDefault = "(none)"
		}
		d.KafkaDefault, d.Differs = kafkaDefault, why
	}
}

func alias(names ...string) option { return func(d *Def) { d.Aliases = names } }

// from names the broker keys that stand behind a topic or group key, in Kafka's order.
func from(names ...string) option {
	return func(d *Def) {
		for _, n := range names {
			f := int64(1)
			switch {
			case strings.HasSuffix(n, ".hours"):
				f = 3600_000
			case strings.HasSuffix(n, ".minutes"):
				f = 60_000
			}
			d.Synonyms = append(d.Synonyms, Synonym{n, f})
		}
	}
}

func init() {
	for s := range numScopes {
		r := &registry[s]
		slices.SortFunc(r.defs, func(a, b *Def) int { return strings.Compare(a.Name, b.Name) })
		r.byName = make(map[string]*Def, len(r.defs))
		for i, d := range r.defs {
			d.index = i
			if r.byName[d.Name] != nil {
				panic("bug: config key declared twice: " + d.Name)
			}
			r.byName[d.Name] = d
			if !d.Null {
				v, err := d.Parse(d.Default)
				if err != nil {
					panic(fmt.Sprintf("bug: default of %s: %v", d.Name, err))
				}
				d.parsed = v
			}
		}
	}
	for _, s := range []Scope{Topic, Group} {
		for _, d := range registry[s].defs {
			for _, syn := range d.Synonyms {
				if registry[Broker].byName[syn.Name] == nil {
					panic("bug: " + d.Name + " has an unknown synonym " + syn.Name)
				}
			}
		}
	}
}

// Find returns the key called name in scope s.
func Find(s Scope, name string) (*Def, bool) {
	d := registry[s].byName[name]
	return d, d != nil
}

// All returns the keys of scope s in name order.
func All(s Scope) iter.Seq[*Def] {
	return func(yield func(*Def) bool) {
		for _, d := range registry[s].defs {
			if !yield(d) {
				return
			}
		}
	}
}

// Count returns the number of keys of scope s.
func Count(s Scope) int { return len(registry[s].defs) }
