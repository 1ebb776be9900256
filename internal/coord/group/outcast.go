package group

import (
	"slices"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// outcast is a member that was dropped although it runs, so that it forgets where it was.
//
// Clients take UNKNOWN_MEMBER_ID for the loss of all their partitions, but not as an answer
// to JoinGroup: those of cooperative assignors keep their partitions while they join, and
// would go on where they are. So an outcast that joins and says that it has partitions is let
// into a generation of its own in which it is assigned nothing. It gives up what it has, and
// is told that it is not known when it has nothing any more. One that hears of it otherwise,
// by a heartbeat or a commit, is there sooner.
//
// Outcasts belong to this leadership: the log does not know of them.
type outcast struct {
	silence  time.Duration // after which it is forgotten
	protocol string        // of the generation that it was in, "" for none
}

// nothing is the assignment of no partitions: version 0, no topics, null.
var nothing = []byte{0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}

// castOut drops all members. Those that may have partitions are outcasts then.
func (st *state) castOut(t *runtime.Turn, g *group) {
	protocol := ""
	if g.protocol != nil {
		protocol = *g.protocol
	}
	g.generation++
	for _, m := range slices.Clone(g.members) {
		waits := m.joining != nil || m.syncing != nil // so it has what it said when it joined
		if waits && !claims(m.protocols) {
			g.drop(t, m, kerr.UnknownMemberID)
			continue
		}
		o := &outcast{silence: max(m.session, m.rebalance), protocol: protocol}
		g.answerJoin(t, m, o.join(g, m.id, m.protocols), nil)
		g.answerSync(t, m, o.sync(), nil)
		g.drop(t, m, kerr.UnknownMemberID)
		if g.outcasts == nil {
			g.outcasts = map[string]*outcast{}
		}
		g.outcasts[m.id] = o
		st.hearOutcast(t, g, m.id, o)
	}
	t.Disarm(timerKey{kind: joinTimer, group: g.id})
	t.Disarm(timerKey{kind: syncTimer, group: g.id})
	clear(g.unsynced)
	st.becomeEmpty(t, g)
}

// claims reports whether a consumer says that it has partitions.
func claims(protocols []kmsg.JoinGroupRequestProtocol) bool {
	return slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		s, err := parseSubscription(p.Metadata)
		return err == nil && len(s.owned) > 0
	})
}

// hearOutcast notes that an outcast lives.
func (st *state) hearOutcast(t *runtime.Turn, g *group, id string, o *outcast) {
	t.Arm(timerKey{sessionTimer, g.id, id}, t.Now.Add(o.silence))
}

// joinOutcast answers JoinGroup if it comes from an outcast that still has partitions. One
// that has none is an outcast no more, but unknown.
func (st *state) joinOutcast(t *runtime.Turn, g *group, req *kmsg.JoinGroupRequest, d *runtime.Deferred[joined]) bool {
	o := g.outcasts[req.MemberID]
	switch {
	case o == nil:
		return false
	case !claims(req.Protocols):
		delete(g.outcasts, req.MemberID)
		disarmSession(t, g, req.MemberID)
		return false
	}
	st.hearOutcast(t, g, req.MemberID, o)
	d.Give(t, o.join(g, req.MemberID, req.Protocols), nil)
	return true
}

// syncOutcast answers SyncGroup if an outcast sent it. g may be nil.
func (st *state) syncOutcast(t *runtime.Turn, g *group, id string, d *runtime.Deferred[synced]) bool {
	if g == nil || g.outcasts[id] == nil {
		return false
	}
	o := g.outcasts[id]
	st.hearOutcast(t, g, id, o)
	d.Give(t, o.sync(), nil)
	return true
}

// join is a generation in which somebody else leads.
func (o *outcast) join(g *group, id string, protocols []kmsg.JoinGroupRequestProtocol) joined {
	if !slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return p.Name == o.protocol }) && len(protocols) > 0 {
		o.protocol = protocols[0].Name
	}
	return joined{memberID: id, generation: g.generation, protocolType: consumerProtocol, protocol: o.protocol}
}

func (o *outcast) sync() synced {
	return synced{protocolType: consumerProtocol, protocol: o.protocol, assignment: nothing}
}
