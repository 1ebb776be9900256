package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
)

// DeleteTopics decides which topics can be removed.
func (s State) DeleteTopics(topics []TopicRef) ([]DeletedTopic, []metadata.Record) {
	results := make([]DeletedTopic, len(topics))
	times := map[TopicRef]int{}
	for _, ref := range topics {
		times[ref]++
	}
	removed := map[*metadata.Topic]bool{}
	var recs []metadata.Record
	for i, ref := range topics {
		r := &results[i]
		r.Name, r.ID = ref.Name, ref.ID
		var t *metadata.Topic
		if t, r.Err = s.findTopic(ref, times[ref] > 1); r.Err != nil {
			continue
		}
		r.Name, r.ID = t.Name, t.ID
		if !removed[t] { // once by name and once by id is one topic
			removed[t] = true
			recs = append(recs, metadata.RemoveTopic{ID: t.ID})
		}
	}
	return results, recs
}

func (s State) findTopic(ref TopicRef, twice bool) (*metadata.Topic, error) {
	switch {
	case ref.Name == "" && ref.ID.IsZero():
		return nil, explainf(kerr.InvalidRequest, "Neither topic name nor id were specified.")
	case ref.Name != "" && !ref.ID.IsZero():
		return nil, explainf(kerr.InvalidRequest, "You may not specify both topic name and topic id.")
	case twice && ref.Name != "":
		return nil, explainf(kerr.InvalidRequest, "Duplicate topic name.")
	case twice:
		return nil, explainf(kerr.InvalidRequest, "Duplicate topic id.")
	}
	if ref.Name != "" {
		if t, ok := s.Image.Topic(ref.Name); ok {
			return t, nil
		}
		return nil, kerr.UnknownTopicOrPartition
	}
	if t, ok := s.Image.TopicByID(ref.ID); ok {
		return t, nil
	}
	return nil, kerr.UnknownTopicID
}
