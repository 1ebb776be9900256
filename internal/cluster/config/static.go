package config

import (
	"maps"
	"slices"
	"strings"
)

// A Layer is a place that static settings come from; a higher one wins.
type Layer int8

// The layers.
const (
	LayerDefault Layer = iota
	LayerFile
	LayerEnv
	LayerOverride
)

func (l Layer) String() string {
	return [...]string{"default", "file", "environment", "command line"}[l]
}

// Origin says where a setting was made.
type Origin struct {
	Layer Layer
	Where string // server.properties:12, KAFKA_LOG_DIRS, --override log.dirs
}

// A Setting is a key, its text and where that was found. Raw is the text before
// references such as ${env:HOME} were replaced, if there were any.
type Setting struct {
	Name, Value string
	Raw         string
	Origin      Origin
}

// Static is what was set before the node started. It never changes.
type Static struct {
	settings map[string][]Setting // the strongest first
}

// Merge lays layers over each other. Within and between layers, a later setting wins
// over an earlier one, except that a lower Layer never wins over a higher one.
func Merge(layers ...[]Setting) Static {
	s := Static{settings: make(map[string][]Setting)}
	for _, l := range layers {
		for _, set := range l {
			s.settings[set.Name] = append(s.settings[set.Name], set)
		}
	}
	for _, chain := range s.settings {
		slices.Reverse(chain)
		slices.SortStableFunc(chain, func(a, b Setting) int { return int(b.Origin.Layer) - int(a.Origin.Layer) })
	}
	s.sameID()
	return s
}

// sameID makes node.id of broker.id and the other way round, as Kafka does. broker.id
// -1 means that nobody chose an id.
func (s Static) sameID() {
	if c := s.settings["broker.id"]; len(c) > 0 && strings.TrimSpace(c[0].Value) == "-1" {
		delete(s.settings, "broker.id")
	}
	for _, p := range [][2]string{{"node.id", "broker.id"}, {"broker.id", "node.id"}} {
		if c := s.settings[p[0]]; len(c) > 0 && len(s.settings[p[1]]) == 0 {
			same := c[0]
			same.Name = p[1]
			s.settings[p[1]] = []Setting{same}
		}
	}
}

// Lookup returns the setting of name that wins.
func (s Static) Lookup(name string) (Setting, bool) {
	if c := s.settings[name]; len(c) > 0 {
		return c[0], true
	}
	return Setting{}, false
}

// Chain returns all settings of name, the winner first.
func (s Static) Chain(name string) []Setting { return slices.Clone(s.settings[name]) }

// Names returns the names that were set, sorted.
func (s Static) Names() []string { return slices.Sorted(maps.Keys(s.settings)) }

// Map returns the winning texts.
func (s Static) Map() map[string]string {
	m := make(map[string]string, len(s.settings))
	for n, c := range s.settings {
		m[n] = c[0].Value
	}
	return m
}

// Resolve parses and checks everything that was set, and says all that is wrong or
// worth knowing.
func (s Static) Resolve() (Values, Report) {
	var rep Report
	v, errs := build(Broker, s.Map())
	for _, err := range errs {
		e := err.(*InvalidError)
		set, _ := s.Lookup(e.Key.Name)
		rep.Errors = append(rep.Errors, Problem{e.Key.Name, set.Origin, e.Error()})
	}
	s.names(&rep)
	if len(errs) == 0 { // relations between values that were not read say nothing
		s.relations(v, &rep)
	}
	return v, rep
}

// names judges the keys themselves: unknown, without meaning, not there yet.
func (s Static) names(rep *Report) {
	quiet := map[string][]string{}
	for _, name := range s.Names() {
		set, _ := s.Lookup(name)
		d, ok := findBroker(name)
		switch {
		case !ok:
			if why := legacy(name); why != "" {
				quiet[why] = append(quiet[why], name)
			} else if near := nearest(name); near != "" {
				rep.warnf(name, set.Origin, "unknown key %s: did you mean %s?", name, near)
			} else {
				rep.warnf(name, set.Origin, "unknown key %s", name)
			}
		case d.DynamicOnly:
			rep.warnf(name, set.Origin, "%s can only be set while the broker runs, by altering the broker's configuration", name)
		case d.Meaning == Inert:
			quiet[d.Note] = append(quiet[d.Note], name)
		case d.Meaning == Pending && sameAsDefault(d, set.Value):
		case d.Meaning == Pending && !slices.Contains(guarding, d.Note):
			why := "this version does not have " + d.Note
			quiet[why] = append(quiet[why], name)
		case d.Meaning == Pending:
			rep.warnf(name, set.Origin, "%s has no effect: this version does not have %s", name, d.Note)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(quiet)) {
		rep.infof("", Origin{}, "without effect here, because %s: %s", why, strings.Join(quiet[why], ", "))
	}
}

func sameAsDefault(d *Def, text string) bool {
	v, err := d.Parse(text)
	return err == nil && !d.Null && d.Format(v) == d.Format(d.parsed)
}

// findBroker knows broker keys, also behind a listener's prefix.
func findBroker(name string) (*Def, bool) {
	if d, ok := Find(Broker, name); ok {
		return d, true
	}
	return Find(Broker, baseOfListenerKey(name))
}

// baseOfListenerKey strips listener.name.X. and, of the keys that have one, the SASL
// mechanism; it is empty if name is not such a key.
func baseOfListenerKey(name string) string {
	rest, ok := strings.CutPrefix(name, "listener.name.")
	if !ok {
		return ""
	}
	_, base, ok := strings.Cut(rest, ".")
	if !ok {
		return ""
	}
	for _, m := range mechanismKeys {
		if strings.HasSuffix(base, m) {
			return m
		}
	}
	return base
}

// mechanismKeys may be set per listener and SASL mechanism.
var mechanismKeys = []string{"sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.login.class",
	"sasl.server.callback.handler.class", "connections.max.reauth.ms"}
