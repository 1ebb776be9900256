package config

import (
	"fmt"
	"strings"
)

// An Explanation is all there is to say about one key on one node.
type Explanation struct {
	Name   string
	Def    *Def    // nil if the key is unknown
	Value  *string // in force by static settings; nil if none or hidden
	Origin Origin  // of the value in force; Layer is LayerDefault if nobody set it
	Chain  []Setting
	Notes  []string // an unknown key's nearest match, a meaning, a difference from Kafka
}

// Explain says what name is, what its value is before anything was altered at run time,
// and who set it to what. Secrets are hidden.
func (s Static) Explain(name string) Explanation {
	e := Explanation{Name: name, Chain: s.Chain(name)}
	d, ok := findBroker(name)
	if !ok {
		e.unknown()
	} else {
		e.Def = d
		if !d.Null {
			v := d.defaultText()
			e.Value = &v
		}
		e.known(d)
	}
	if len(e.Chain) > 0 {
		e.Value, e.Origin = &e.Chain[0].Value, e.Chain[0].Origin
	}
	if ok && d.Sensitive() {
		hidden := "[hidden]"
		for i := range e.Chain {
			e.Chain[i].Value = hidden
		}
		if e.Value != nil {
			e.Value = &hidden
		}
	}
	return e
}

func (e *Explanation) unknown() {
	if why := legacy(e.Name); why != "" {
		e.Notes = append(e.Notes, "without effect here, because "+why)
		return
	}
	if t, ok := Find(Topic, e.Name); ok {
		e.Notes = append(e.Notes, "a key of topics, not of brokers: "+t.Doc)
	}
	if near := nearest(e.Name); near != "" {
		e.Notes = append(e.Notes, "not a broker key: did you mean "+near+"?")
	}
}

func (e *Explanation) known(d *Def) {
	switch d.Meaning {
	case Mapped:
		e.Notes = append(e.Notes, "here: "+d.Note)
	case Inert:
		e.Notes = append(e.Notes, "without effect here, because "+d.Note)
	case Pending:
		e.Notes = append(e.Notes, "no effect yet: this version does not have "+d.Note)
	}
	if d.Differs != "" {
		e.Notes = append(e.Notes, d.differsText())
	}
	for t := range All(Topic) {
		for _, syn := range t.Synonyms {
			if syn.Name == d.Name {
				e.Notes = append(e.Notes, "topics can set their own: "+t.Name)
			}
		}
	}
}

// differsText says how a default differs from Kafka's and why.
func (d *Def) differsText() string {
	switch d.KafkaDefault {
	case d.Default:
		return d.Differs
	case "":
		return "Kafka's default is empty; " + d.Differs
	}
	return "Kafka's default is " + d.KafkaDefault + "; " + d.Differs
}

// String is the explanation for people.
func (e Explanation) String() string {
	var b strings.Builder
	value := "(none)"
	if e.Value != nil {
		value = *e.Value
	}
	fmt.Fprintf(&b, "%s=%s\n", e.Name, value)
	if e.Def != nil {
		fmt.Fprintf(&b, "  %s\n", e.Def.Doc)
		fmt.Fprintf(&b, "  type %s, %s, default %s", e.Def.Type, e.Def.Mode, e.Def.shownDefault())
		if e.Def.Range != "" {
			fmt.Fprintf(&b, ", %s", e.Def.Range)
		}
		b.WriteByte('\n')
	}
	for _, n := range e.Notes {
		fmt.Fprintf(&b, "  %s\n", n)
	}
	for i, c := range e.Chain {
		verb := "set by"
		if i > 0 {
			verb = "hidden:"
		}
		fmt.Fprintf(&b, "  %s %s (%s): %s\n", verb, c.Origin.Where, c.Origin.Layer, c.Value)
	}
	if len(e.Chain) == 0 && e.Def != nil {
		b.WriteString("  nobody set it\n")
	}
	return b.String()
}

func (d *Def) shownDefault() string {
	switch {
	case d.Null:
		return "(none)"
	case d.Default == "":
		return "(empty)"
	case d.Sensitive():
		return "[hidden]"
	}
	return d.Default
}
