package api

import (
	"context"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetFetch, key 9, versions 1 to 10.
//
//	2   null asks for all topics; an error of the whole group
//	5   leader epochs (KIP-320)
//	6   flexible
//	7   RequireStable (KIP-447)
//	8   many groups (KIP-709)
//	9   the new consumer protocol (KIP-848)
//	10  topic ids in place of names (KIP-848)
//
// The coordinator is asked in the form of version 9, whatever the client speaks.
func (s *Server) offsetFetch(ctx context.Context, r *Request, req *kmsg.OffsetFetchRequest) (kmsg.Response, error) {
	ask := kmsg.NewPtrOffsetFetchRequest()
	ask.Version, ask.RequireStable, ask.Groups = 9, req.RequireStable, req.Groups
	unknown := make([][]kmsg.OffsetFetchResponseGroupTopic, len(req.Groups))
	switch {
	case r.Version < 8:
		ask.Groups = []kmsg.OffsetFetchRequestGroup{groupOfOld(req)}
	case r.Version >= 10:
		for i := range ask.Groups {
			ask.Groups[i].Topics, unknown[i] = r.namedOffsets(ask.Groups[i].Topics)
		}
	}
	resp := s.cfg.Groups.OffsetFetch(ctx, r.caller(), ask)
	if r.Version < 8 {
		return oldOffsets(r.Version, req, resp), nil
	}
	for i := range resp.Groups {
		g := &resp.Groups[i]
		if r.Version >= 10 {
			g.Topics = r.offsetsByID(g.Topics)
		}
		if g.ErrorCode == 0 && i < len(unknown) {
			g.Topics = append(g.Topics, unknown[i]...)
		}
	}
	return resp, nil
}

// groupOfOld is the only group of a request below version 8.
func groupOfOld(req *kmsg.OffsetFetchRequest) kmsg.OffsetFetchRequestGroup {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = req.Group
	if req.Topics == nil {
		return g
	}
	g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	for _, t := range req.Topics {
		g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	return g
}

// namedOffsets gives topics their names; those whose ids nobody knows are answered
// apart. Null, which is all topics, stays null.
func (r *Request) namedOffsets(topics []kmsg.OffsetFetchRequestGroupTopic) (known []kmsg.OffsetFetchRequestGroupTopic, unknown []kmsg.OffsetFetchResponseGroupTopic) {
	if topics == nil {
		return nil, nil
	}
	known = []kmsg.OffsetFetchRequestGroupTopic{}
	for _, t := range topics {
		if t.Topic = r.topicName(t.TopicID); t.Topic != "" {
			known = append(known, t)
			continue
		}
		e := kmsg.OffsetFetchResponseGroupTopic{TopicID: t.TopicID}
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata = p, -1, -1, kmsg.StringPtr("")
			rp.ErrorCode = kerr.UnknownTopicID.Code
			e.Partitions = append(e.Partitions, rp)
		}
		unknown = append(unknown, e)
	}
	return known, unknown
}

// offsetsByID gives topics their ids; one that was deleted since has none and cannot
// be told.
func (r *Request) offsetsByID(topics []kmsg.OffsetFetchResponseGroupTopic) []kmsg.OffsetFetchResponseGroupTopic {
	var named []kmsg.OffsetFetchResponseGroupTopic
	for _, t := range topics {
		if it, ok := r.Image.Topic(t.Topic); ok {
			t.TopicID = it.ID
			named = append(named, t)
		}
	}
	return named
}

// oldOffsets words the answer for one group below version 8. Version 1 has no place
// for an error of the group: each partition says it.
func oldOffsets(version int16, req *kmsg.OffsetFetchRequest, from *kmsg.OffsetFetchResponse) kmsg.Response {
	resp := kmsg.NewPtrOffsetFetchResponse()
	if len(from.Groups) != 1 {
		resp.ErrorCode = kerr.UnknownServerError.Code
		return resp
	}
	g := from.Groups[0]
	if resp.ErrorCode = g.ErrorCode; g.ErrorCode != 0 {
		if version < 2 {
			resp.Topics = oldOffsetErrors(req, g.ErrorCode)
		}
		return resp
	}
	for _, t := range g.Topics {
		rt := kmsg.OffsetFetchResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, kmsg.OffsetFetchResponseTopicPartition{Partition: p.Partition,
				Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata, ErrorCode: p.ErrorCode})
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func oldOffsetErrors(req *kmsg.OffsetFetchRequest, code int16) []kmsg.OffsetFetchResponseTopic {
	var topics []kmsg.OffsetFetchResponseTopic
	for _, t := range req.Topics {
		rt := kmsg.OffsetFetchResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, kmsg.OffsetFetchResponseTopicPartition{Partition: p,
				Offset: -1, LeaderEpoch: model.NoEpoch, Metadata: kmsg.StringPtr(""), ErrorCode: code})
		}
		topics = append(topics, rt)
	}
	return topics
}
