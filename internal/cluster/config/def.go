package config

import (
	"slices"
	"strings"
)

// Scope says what a key is set on.
type Scope int8

// The scopes. Loggers have no fixed names, so they have no keys here: see DescribeLoggers.
const (
	Broker Scope = iota
	Topic
	Group
	ClientMetrics
	numScopes
)

func (s Scope) String() string {
	return [...]string{"broker", "topic", "group", "client-metrics"}[s]
}

// Type is a value's type; the numbers are those of DescribeConfigs.
type Type int8

// The types.
const (
	TypeUnknown Type = iota
	TypeBoolean
	TypeString
	TypeInt
	TypeShort
	TypeLong
	TypeDouble
	TypeList
	TypeClass
	TypePassword
)

func (t Type) String() string {
	return [...]string{"unknown", "boolean", "string", "int", "short", "long", "double", "list", "class", "password"}[t]
}

// Mode says whether a broker key can change while the broker runs.
type Mode int8

// The modes.
const (
	ReadOnly    Mode = iota // only from file, environment or command line, at the start
	PerBroker               // for one broker id
	ClusterWide             // for one broker id or for all brokers
)

func (m Mode) String() string {
	return [...]string{"read-only", "per-broker", "cluster-wide"}[m]
}

// Importance is Kafka's own ranking.
type Importance int8

// The importances.
const (
	Medium Importance = iota
	High
	Low
)

func (i Importance) String() string { return [...]string{"medium", "high", "low"}[i] }

// Meaning says what setting a key does here.
type Meaning int8

// The meanings.
const (
	// Native keys do what they do in Kafka.
	Native Meaning = iota
	// Mapped keys steer something that is built differently here; Def.Note says what.
	Mapped
	// Inert keys are accepted and change nothing, because what they tune does not exist
	// here; Def.Note says why.
	Inert
	// Pending keys belong to a part of Kafka that this version does not have yet.
	Pending
)

func (m Meaning) String() string { return [...]string{"native", "mapped", "inert", "pending"}[m] }

// A Def describes one key. Defs are made when the package is initialised and never change.
type Def struct {
	Name  string
	Scope Scope
	Type  Type
	// Default in Kafka's text form; without meaning if Null.
	Default string
	Null    bool // no value unless set
	Range   string
	Importance
	Mode
	Meaning
	Note     string // why a key is mapped, inert or pending, in a few words
	Doc      string
	Aliases  []string // other names under which a file may set it, weaker than Name
	Synonyms []Synonym
	Internal bool // Kafka does not document it and DescribeConfigs leaves it out
	// Differs is not empty where the default is not Kafka's on purpose, and says why;
	// KafkaDefault is Kafka's then.
	Differs      string
	KafkaDefault string

	// Since is the release of Kafka that brought the key, if that is later than 4.2.
	Since string
	// DynamicOnly keys cannot be set before the broker runs.
	DynamicOnly bool

	index  int
	parsed any // the default, parsed; nil if Null
	check  func(v any) bool
}

// A Synonym is a broker key that gives a topic or group key its value when nobody set it
// there, and the factor that turns its unit into the key's own.
type Synonym struct {
	Name   string
	Factor int64
}

// Sensitive keys never show their value.
func (d *Def) Sensitive() bool { return d.Type == TypePassword }

// Own reports whether the key is Odradek's, not Kafka's.
func (d *Def) Own() bool { return strings.HasPrefix(d.Name, "odradek.") }

// Key is a Def whose values are of Go type T: bool, int (INT and SHORT), int64, float64,
// string (STRING and CLASS), []string or Secret.
type Key[T any] struct{ *Def }

// Secret is the value of a PASSWORD key. It prints as stars.
type Secret string

func (Secret) String() string   { return "[hidden]" }
func (Secret) GoString() string { return "[hidden]" }

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Get returns the key's value in v, or T's zero value if it has none.
func (k Key[T]) Get(v Values) T {
	t, _ := k.Lookup(v)
	return t
}

// Lookup returns the key's value in v, and whether it has one: keys without a default
// that nobody set have none.
func (k Key[T]) Lookup(v Values) (T, bool) {
	if v.scope != k.Scope {
		panic("bug: " + k.Scope.String() + " key " + k.Name + " read from " + v.scope.String() + " values")
	}
	x := k.parsed
	if v.vals != nil {
		x = v.vals[k.index]
	}
	t, ok := x.(T)
	return t, ok
}

// IsSet reports whether somebody gave the key a value, be it equal to the default.
func (k Key[T]) IsSet(v Values) bool { return v.set[k.Name] }

// Values are the values in force of all keys of one scope. They never change, and reading
// one costs an index and no allocation. The zero Values holds the broker defaults.
type Values struct {
	scope Scope
	vals  []any // by Def.index; nil for null; if the slice is nil, the defaults
	set   map[string]bool
	text  map[string]string // what was set, in text, also listener.name.… and unknown keys
}

// Defaults returns the scope's values when nobody set anything.
func Defaults(s Scope) Values { return Values{scope: s} }

// Text returns the text that name was set to, be the name known or not. That is how
// prefixed keys such as listener.name.X.… and plug-ins' own keys are read.
func (v Values) Text(name string) (string, bool) {
	s, ok := v.text[name]
	return s, ok
}

// Names returns the names that were set, sorted.
func (v Values) Names() []string {
	names := make([]string, 0, len(v.text))
	for n := range v.text {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
