package history

import (
	"fmt"
	"slices"
)

// The names that JSON lines have for what Go has numbers for.
var (
	kindNames = []string{
		"", "send", "poll", "seek", "drain", "beginTxn", "endTxn", "initProducer",
		"commitOffset", "fetchOffset", "deleteOffset", "listOffset", "deleteRecords",
		"assign", "revoke", "lost", "heartbeat", "shareAcquire", "shareAck",
		"put", "create", "remove", "get", "getStale", "metadataOffset",
		"allow", "forbid", "access", "fault", "heal",
	}
	outcomeNames   = []string{"info", "ok", "fail"}
	isolationNames = []string{"uncommitted", "committed"}
	specNames      = []string{"latest", "earliest", "maxTimestamp", "other"}
	ackNames       = []string{"accept", "release", "reject", "renew"}
	rulesNames     = []string{"eager", "cooperative", "consumer"}
)

func (k Kind) String() string      { return name(kindNames, k) }
func (o Outcome) String() string   { return name(outcomeNames, o) }
func (i Isolation) String() string { return name(isolationNames, i) }
func (s Spec) String() string      { return name(specNames, s) }
func (a Ack) String() string       { return name(ackNames, a) }
func (r Rules) String() string     { return name(rulesNames, r) }

// UnmarshalText reads a name.
func (k *Kind) UnmarshalText(b []byte) error { return number(kindNames, b, k) }

// UnmarshalText reads a name.
func (o *Outcome) UnmarshalText(b []byte) error { return number(outcomeNames, b, o) }

// UnmarshalText reads a name.
func (i *Isolation) UnmarshalText(b []byte) error { return number(isolationNames, b, i) }

// UnmarshalText reads a name.
func (s *Spec) UnmarshalText(b []byte) error { return number(specNames, b, s) }

// UnmarshalText reads a name.
func (a *Ack) UnmarshalText(b []byte) error { return number(ackNames, b, a) }

// UnmarshalText reads a name.
func (r *Rules) UnmarshalText(b []byte) error { return number(rulesNames, b, r) }

func name[T ~uint8](names []string, n T) string {
	if int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("%d?", n)
}

func number[T ~uint8](names []string, text []byte, to *T) error {
	i := slices.Index(names, string(text))
	if i < 0 || len(text) == 0 {
		return fmt.Errorf("%q is none of %q", text, names)
	}
	*to = T(i)
	return nil
}
