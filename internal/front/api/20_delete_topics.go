package api

import (
	"context"

	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/controller"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteTopics, key 20, versions 1 to 6.
//
//	3  TOPIC_DELETION_DISABLED
//	4  flexible
//	5  error messages; THROTTLING_QUOTA_EXCEEDED (KIP-599)
//	6  topic ids (KIP-516)
func (s *Server) deleteTopics(ctx context.Context, r *Request, req *kmsg.DeleteTopicsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDeleteTopicsResponse()
	refs := deletedRefs(req)
	if !config.DeleteTopicEnable.Get(s.cfg.Settings()) {
		err := error(kerr.TopicDeletionDisabled)
		if r.Version < 3 {
			err = model.Explain(kerr.InvalidRequest, "This version does not support topic deletion.")
		}
		for _, ref := range refs {
			resp.Topics = append(resp.Topics, deleteResult(ref, err))
		}
		return resp, nil
	}
	asked, refused := r.checkDeleted(refs)
	resp.Topics = refused
	if len(asked) == 0 {
		return resp, nil
	}
	ctx, cancel := s.patience(ctx, req.TimeoutMillis)
	defer cancel()
	deleted, err := s.cfg.Controller.DeleteTopics(ctx, asked)
	if err != nil {
		return nil, err
	}
	for _, t := range deleted {
		resp.Topics = append(resp.Topics, deleteResult(controller.TopicRef{Name: t.Name, ID: t.ID}, t.Err))
	}
	return resp, nil
}

func failDeleteTopics(req *kmsg.DeleteTopicsRequest, err error) kmsg.Response {
	resp := kmsg.NewPtrDeleteTopicsResponse()
	for _, ref := range deletedRefs(req) {
		resp.Topics = append(resp.Topics, deleteResult(ref, err))
	}
	return resp
}

// deletedRefs are the topics as they are named: by name, by id, or (which is refused
// later) by both or by neither.
func deletedRefs(req *kmsg.DeleteTopicsRequest) []controller.TopicRef {
	var refs []controller.TopicRef
	for _, name := range req.TopicNames {
		refs = append(refs, controller.TopicRef{Name: name})
	}
	for _, t := range req.Topics {
		ref := controller.TopicRef{ID: t.TopicID}
		if t.Topic != nil {
			ref.Name = *t.Topic
		}
		refs = append(refs, ref)
	}
	return refs
}

var (
	errNeitherNameNorID = model.Explain(kerr.InvalidRequest, "Neither topic name nor id were specified.")
	errNameAndID        = model.Explain(kerr.InvalidRequest, "You may not specify both topic name and topic id.")
	errDuplicateID      = model.Explain(kerr.InvalidRequest, "Duplicate topic id.")
	errNameOfID         = model.Explain(kerr.InvalidRequest, "The provided topic name maps to an ID that was already supplied.")
)

// checkDeleted sorts out what is named badly or twice; each such topic is refused once.
// A name and the id of the same topic are twice as well.
func (r *Request) checkDeleted(refs []controller.TopicRef) (good []controller.TopicRef, refused []kmsg.DeleteTopicsResponseTopic) {
	count := counts(refs, func(ref controller.TopicRef) controller.TopicRef { return ref })
	clash := make(map[model.ID]bool)
	for _, ref := range refs {
		if t, ok := r.Image.Topic(ref.Name); ok && ref.ID.IsZero() {
			clash[t.ID] = count[controller.TopicRef{ID: t.ID}] > 0
		}
	}
	for _, ref := range refs {
		n := count[ref]
		named := controller.TopicRef{Name: ref.Name}
		if t, ok := r.Image.Topic(ref.Name); ok && ref.ID.IsZero() {
			named.ID = t.ID
		}
		var err error
		switch {
		case ref.Name == "" && ref.ID.IsZero():
			err = errNeitherNameNorID
		case ref.Name != "" && !ref.ID.IsZero():
			err = errNameAndID
		case n == 0, ref.Name == "" && clash[ref.ID]:
			continue // said already, or with the name
		case n > 1 && ref.Name != "":
			err, count[ref] = errDuplicateTopic, 0
		case n > 1:
			err, count[ref] = errDuplicateID, 0
		case ref.Name != "" && clash[named.ID]:
			ref, err = named, errNameOfID
		}
		if err != nil {
			refused = append(refused, deleteResult(ref, err))
			continue
		}
		good = append(good, ref)
	}
	return good, refused
}

func deleteResult(ref controller.TopicRef, err error) kmsg.DeleteTopicsResponseTopic {
	t := kmsg.NewDeleteTopicsResponseTopic()
	t.TopicID, t.ErrorCode, t.ErrorMessage = ref.ID, model.ErrorCode(err), model.ErrorMessage(err)
	if ref.Name != "" || ref.ID.IsZero() {
		t.Topic = &ref.Name
	}
	return t
}
