package group

import (
	"bytes"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Offsets of a group that runs are set by dropping its members in the same command: what
// they still commit is refused, and they read the new offsets when they have joined again
// (docs/decisions/0016-live-reset.md).

// fences reports whether a commit wants the members of the group fenced. Only who is no
// member may want that.
func fences(req *kmsg.OffsetCommitRequest) (bool, error) {
	if req.UnknownTags.Len() == 0 {
		return false, nil
	}
	value, asked := []byte(nil), false
	req.UnknownTags.Each(func(tag uint32, v []byte) {
		if tag == model.TagFenceMembers {
			value, asked = v, true
		}
	})
	if !asked {
		return false, nil
	}
	if !bytes.Equal(value, model.FenceMembers) || req.MemberID != "" || req.InstanceID != nil || req.Generation >= 0 {
		return false, kerr.InvalidRequest
	}
	return true, nil
}

// reset drops the members of a group and writes its offsets, if there is one that can be
// written. For each partition, in the request's order, it says why not.
func (st *state) reset(t *runtime.Turn, req *kmsg.OffsetCommitRequest) ([]error, error) {
	var offsets []runtime.Record
	errs := st.offsetsOf(t, req, func(r runtime.Record) { offsets = append(offsets, r) })
	if len(offsets) == 0 {
		return errs, nil
	}
	if err := st.dropAll(t, req.Group); err != nil {
		return nil, err
	}
	for _, r := range offsets {
		t.Write(r)
	}
	return errs, nil
}

// dropAll drops all members of a group of consumers, if there are any.
func (st *state) dropAll(t *runtime.Turn, id string) error {
	if g := st.consumers[id]; g != nil {
		st.log.Info("members are fenced from consumer group: its offsets are set", "group", id, "members", len(g.members))
		p := newPlan(t)
		st.fence(p, g, g.sorted())
		return p.carryOut()
	}
	if st.holder(id) != nil {
		return kerr.GroupIDNotFound
	}
	g := st.groups[id]
	switch {
	case g == nil || g.phase == empty:
		return nil
	case g.protocolType != consumerProtocol:
		return kerr.NonEmptyGroup
	}
	st.log.Info("members are dropped from group: its offsets are set", "group", id, "members", len(g.members))
	st.castOut(t, g)
	return nil
}
