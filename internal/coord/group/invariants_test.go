package group

import (
	"testing"
	"time"
)

var epochStart = time.Unix(1700000000, 0)

// verify checks what must hold of a group between commands.
func (g *group) verify(t testing.TB) {
	t.Helper()
	if len(g.byID) != len(g.members) {
		t.Fatalf("group %s has %d members and %d ids", g.id, len(g.members), len(g.byID))
	}
	waiting, static := 0, 0
	supported := map[string]int{}
	for _, m := range g.members {
		if g.byID[m.id] != m {
			t.Fatalf("group %s: %s is not found by its id", g.id, m.id)
		}
		if g.pending[m.id] {
			t.Fatalf("group %s: member %s is pending", g.id, m.id)
		}
		if m.joining != nil {
			waiting++
		}
		if m.instanceID != nil {
			static++
			if g.static[*m.instanceID] != m {
				t.Fatalf("group %s: %s is not found by its instance", g.id, m.id)
			}
		}
		for name := range m.names() {
			supported[name]++
		}
		if m.syncing != nil && g.phase != completing {
			t.Fatalf("group %s is %v and %s waits for an assignment", g.id, g.phase, m.id)
		}
		if m.joining != nil && g.phase != preparing {
			t.Fatalf("group %s is %v and %s waits for a generation", g.id, g.phase, m.id)
		}
	}
	if waiting != g.waiting || static != len(g.static) {
		t.Fatalf("group %s counts %d waiting and %d static, there are %d and %d", g.id, g.waiting, len(g.static), waiting, static)
	}
	for name, n := range supported {
		if g.supported[name] != n {
			t.Fatalf("group %s counts %d for protocol %s, there are %d", g.id, g.supported[name], name, n)
		}
	}
	if len(supported) != len(g.supported) {
		t.Fatalf("group %s counts protocols that nobody supports: %v", g.id, g.supported)
	}
	if len(g.members) > 0 && g.byID[g.leader] == nil {
		t.Fatalf("group %s: leader %q is not a member", g.id, g.leader)
	}
	if (g.phase == completing || g.phase == stable) && (len(g.members) == 0 || g.protocol == nil) {
		t.Fatalf("group %s is %v with %d members", g.id, g.phase, len(g.members))
	}
	if g.phase == empty && len(g.members) > 0 {
		t.Fatalf("group %s is empty with %d members", g.id, len(g.members))
	}
	for id := range g.unsynced {
		if g.byID[id] == nil {
			t.Fatalf("group %s waits for the sync of %s, which is gone", g.id, id)
		}
	}
}
