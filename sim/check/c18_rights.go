package check

import (
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/sim/history"
)

// C18: nothing is done that the rules deny at every moment in which it may have been
// decided, and nothing is refused that they allow at every such moment. The rules are
// Kafka's: a rule that forbids beats all that allow; without a rule nothing is allowed; to
// READ, WRITE, DELETE or ALTER includes to DESCRIBE, and ALTER_CONFIGS to DESCRIBE_CONFIGS.
// A change of rules holds for a broker at some moment between its request and Lag after its
// answer.

// Rights are what C18 needs to know beside the rules in the history.
type Rights struct {
	// Super users may do everything.
	Super []string
	// Lag is how late a broker may hear of a rule.
	Lag time.Duration
	// OpenByDefault: what has no rule at all is allowed.
	OpenByDefault bool
}

func checkRights(f *facts, r *report) {
	var rules []rule
	byKey := make(map[string]int)
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		switch {
		case op.Outcome == history.Fail:
		case op.Kind == history.Allow || op.Kind == history.Forbid:
			byKey[op.Key] = len(rules)
			rules = append(rules, newRule(op, f.o.Rights.Lag))
		case op.Kind == history.Remove:
			if n, ok := byKey[op.Key]; ok {
				rules[n].end(op, f.o.Rights.Lag)
			}
		}
	}
	for i := range f.h.Ops {
		op := &f.h.Ops[i]
		if op.Kind != history.Access || op.Outcome == history.Info || slices.Contains(f.o.Rights.Super, op.Principal) {
			continue
		}
		may, mayNot := f.decisions(rules, op)
		switch {
		case op.Outcome == history.OK && !may:
			r.add(f.ops(0, otherRef(i)), "%s was let %s %s, which nothing allowed", op.Principal, op.Operation, op.Resource)
		case op.Outcome == history.Fail && !mayNot:
			r.add(f.ops(0, otherRef(i)), "%s was not let %s %s, which is allowed", op.Principal, op.Operation, op.Resource)
		}
	}
}

// rule is a rule, and when it holds: surely in [sure, unsure), possibly in [may, over).
type rule struct {
	history.Op
	may, sure, unsure, over int64
}

func newRule(op *history.Op, lag time.Duration) rule {
	r := rule{*op, op.Invoke, history.Never, history.Never, history.Never}
	if op.Outcome == history.OK {
		r.sure = op.Return + int64(lag)
	}
	return r
}

func (r *rule) end(op *history.Op, lag time.Duration) {
	r.unsure = min(r.unsure, op.Invoke)
	if op.Outcome == history.OK {
		r.over = op.Return + int64(lag)
	}
}

// decisions tells whether there is a moment at which an access may have been allowed, and
// one at which it may have been refused. Between the times at which a rule changes nothing
// does, so that a moment after each of them is all there is to look at.
func (f *facts) decisions(rules []rule, op *history.Op) (may, mayNot bool) {
	moments := []int64{op.Invoke}
	for i := range rules {
		for _, at := range []int64{rules[i].may, rules[i].sure, rules[i].unsure, rules[i].over} {
			if op.Invoke < at && at <= op.Return {
				moments = append(moments, at)
			}
		}
	}
	for _, at := range moments {
		// With lag, a broker may decide by rules of any moment since: every rule that is
		// neither sure nor over counts either way.
		allowed, surelyAllowed, denied, surelyDenied, any := false, false, false, false, false
		for i := range rules {
			r := &rules[i]
			if !r.about(op) || at < r.may || at >= r.over {
				continue
			}
			sure := at >= r.sure && at < r.unsure
			any = any || sure
			if r.Kind == history.Forbid {
				if r.covers(op, false) {
					denied, surelyDenied = true, surelyDenied || sure
				}
			} else if r.covers(op, true) {
				allowed, surelyAllowed = true, surelyAllowed || sure
			}
		}
		open := f.o.Rights.OpenByDefault && !any
		may = may || (allowed || open) && !surelyDenied
		mayNot = mayNot || denied || !surelyAllowed && !open
	}
	return may, mayNot
}

// about tells whether a rule is about what an access asks for.
func (r *rule) about(op *history.Op) bool {
	kind, name, _ := strings.Cut(op.Resource, ":")
	of, pattern, _ := strings.Cut(r.Resource, ":")
	how, text, _ := strings.Cut(pattern, ":")
	switch {
	case kind != of:
		return false
	case how == "prefixed":
		return strings.HasPrefix(name, text)
	}
	return text == name || text == "*"
}

// covers tells whether a rule is about who asks, and what.
func (r *rule) covers(op *history.Op, allow bool) bool {
	return (r.Principal == op.Principal || r.Principal == "User:*") && (r.Host == op.Host || r.Host == "*") &&
		(r.Operation == op.Operation || r.Operation == "ALL" || allow && implies(r.Operation, op.Operation))
}

func implies(has, asks string) bool {
	switch asks {
	case "DESCRIBE":
		return has == "READ" || has == "WRITE" || has == "DELETE" || has == "ALTER"
	case "DESCRIBE_CONFIGS":
		return has == "ALTER_CONFIGS"
	}
	return false
}
