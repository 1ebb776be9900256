package group

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/base/planted"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeGroups describes groups of the classic protocol. Authorized operations are
// left to whoever knows them.
func (s *Service) DescribeGroups(ctx context.Context, _ Caller, req *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, id := range model.Once(req.Groups) {
		g, err := do(ctx, s, id, runtime.Alone, func(st *state, _ *runtime.Turn) (kmsg.DescribeGroupsResponseGroup, error) {
			return st.describe(id, req.Version), nil
		})
		if err != nil {
			g = kmsg.NewDescribeGroupsResponseGroup()
			g.Group, g.ErrorCode = id, code(err)
		}
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}

func (st *state) describe(id string, version int16) kmsg.DescribeGroupsResponseGroup {
	d := kmsg.NewDescribeGroupsResponseGroup()
	d.Group = id
	g := st.groups[id]
	if g == nil {
		d.State = "Dead"
		if version >= 6 {
			message := "Group " + id + " not found."
			if st.holder(id) != nil {
				message = "Group " + id + " is not a classic group."
			}
			d.ErrorCode, d.ErrorMessage = kerr.GroupIDNotFound.Code, &message
		}
		return d
	}
	d.State, d.ProtocolType = g.phase.String(), g.protocolType
	settled := g.phase == stable
	if settled {
		d.Protocol = *g.protocol
	}
	for _, m := range g.members {
		one := kmsg.NewDescribeGroupsResponseGroupMember()
		one.MemberID, one.InstanceID, one.ClientID, one.ClientHost = m.id, m.instanceID, m.clientID, m.clientHost
		one.MemberAssignment = m.assignment
		if settled {
			one.ProtocolMetadata = m.metadata(*g.protocol)
		}
		d.Members = append(d.Members, one)
	}
	return d
}

// ListGroups lists the groups that are led here, by name, of the states and types that
// are asked for; none means all.
func (s *Service) ListGroups(ctx context.Context, _ Caller, req *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse {
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	if s.cfg.Partitions() <= 0 {
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp
	}
	for _, p := range s.runtime.Led() {
		groups, err := runtime.Do(ctx, s.runtime, p, runtime.Alone, func(st *state, _ *runtime.Turn) ([]kmsg.ListGroupsResponseGroup, error) {
			return st.list(req), nil
		})
		if err != nil && !errors.Is(err, kerr.NotCoordinator) {
			resp.ErrorCode, resp.Groups = code(err), nil
			return resp
		}
		resp.Groups = append(resp.Groups, groups...)
	}
	slices.SortFunc(resp.Groups, func(a, b kmsg.ListGroupsResponseGroup) int { return strings.Compare(a.Group, b.Group) })
	return resp
}

const classicType = "classic"

func (st *state) list(req *kmsg.ListGroupsRequest) []kmsg.ListGroupsResponseGroup {
	var groups []kmsg.ListGroupsResponseGroup
	for _, id := range st.holders() {
		h := st.holder(id)
		if wanted(req.TypesFilter, h.groupType()) && wanted(req.StatesFilter, h.stateName()) {
			groups = append(groups, listed(id, h))
		}
	}
	if !wanted(req.TypesFilter, classicType) {
		return groups
	}
	for _, id := range slices.Sorted(maps.Keys(st.groups)) {
		g := st.groups[id]
		if wanted(req.StatesFilter, g.phase.String()) {
			groups = append(groups, kmsg.ListGroupsResponseGroup{
				Group: id, ProtocolType: g.protocolType, GroupState: g.phase.String(), GroupType: classicType,
			})
		}
	}
	return groups
}

// wanted reports whether a filter, in any case, names a value; an empty one names all.
func wanted(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool {
		return strings.EqualFold(strings.TrimSpace(f), value)
	})
}

// DeleteGroups deletes groups without members, with their offsets.
func (s *Service) DeleteGroups(ctx context.Context, _ Caller, req *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse {
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	seen := map[string]bool{}
	for _, id := range req.Groups {
		if seen[id] {
			continue
		}
		seen[id] = true
		err := s.forgetShareGroup(ctx, id)
		if err == nil {
			_, err = do(ctx, s, id, runtime.Alone, func(st *state, t *runtime.Turn) (struct{}, error) {
				return struct{}{}, st.deleteGroup(t, id)
			})
		}
		resp.Groups = append(resp.Groups, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: code(err)})
	}
	return resp
}

func (st *state) deleteGroup(t *runtime.Turn, id string) error {
	if h := st.holder(id); h != nil {
		return st.deleteHolder(t, id, h)
	}
	g := st.groups[id]
	switch {
	case g == nil:
		return kerr.GroupIDNotFound
	case g.phase != empty:
		return kerr.NonEmptyGroup
	}
	g.forgetPending(t)
	write := t.Write
	if planted.Is(planted.GroupDeletionNotLogged) {
		write = func(r runtime.Record) { _ = st.Replay(runtime.Entry{Key: r.Key}) } // here it is gone
	}
	for _, tp := range st.offsets.all(id) {
		write(offsetTombstone(id, tp.Topic, tp.Partition))
	}
	write(groupTombstone(id))
	return nil
}

// deleteHolder deletes a group of a newer kind.
func (st *state) deleteHolder(t *runtime.Turn, id string, h holder) error {
	if !h.empty() {
		return kerr.NonEmptyGroup
	}
	p := newPlan(t)
	for _, tp := range st.offsets.all(id) {
		p.write(offsetTombstone(id, tp.Topic, tp.Partition))
	}
	h.remove(p)
	return p.carryOut()
}
