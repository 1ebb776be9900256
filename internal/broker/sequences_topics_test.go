package broker_test

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topics that come and go; those that are written to stay.

func (w *walk) name() string { return fmt.Sprint("topic-", w.draw(3)) }

func (w *walk) createTopic() {
	name, n := w.name(), int32(1+w.draw(3))
	req, rt := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, n, 1
	req.TimeoutMillis, req.Topics = 5000, append(req.Topics, rt)
	got := w.says(int16(2+w.draw(6)), req).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode
	if w.topics[name] > 0 {
		w.wants("create what is there", got, kerr.TopicAlreadyExists.Code)
		return
	}
	w.wants("create "+name, got, 0)
	w.topics[name] = n
}

func (w *walk) dropTopic() {
	name := w.name()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis, req.TopicNames = 5000, []string{name}
	got := w.says(int16(1+w.draw(5)), req).(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode
	if w.topics[name] == 0 {
		w.wants("delete what is not there", got, kerr.UnknownTopicOrPartition.Code)
		return
	}
	w.wants("delete "+name, got, 0)
	delete(w.topics, name)
	delete(w.configs, name)
}

// grow asks for more partitions, or for no more than there are.
func (w *walk) grow() {
	name := w.name()
	n := w.topics[name] + int32(w.draw(3))
	req, rt := kmsg.NewPtrCreatePartitionsRequest(), kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = name, n
	req.TimeoutMillis, req.Topics = 5000, append(req.Topics, rt)
	got := w.says(int16(w.draw(4)), req).(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode
	switch {
	case w.topics[name] == 0 && n > 0:
		w.wants("grow what is not there", got, kerr.UnknownTopicOrPartition.Code)
	case w.topics[name] == 0: // two errors at once
		if got == 0 {
			w.t.Errorf("%s has no partitions, and is not there", name)
		}
	case n == w.topics[name]:
		w.wants("grow by nothing", got, kerr.InvalidPartitions.Code)
	default:
		w.wants("grow "+name, got, 0)
		w.topics[name] = n
	}
}

// configure sets a topic's retention, by either request, and reads it.
func (w *walk) configure() {
	name, value := w.name(), fmt.Sprint(1_000_000+w.draw(200))
	var got int16
	if w.draw(2) == 0 {
		req, rr := kmsg.NewPtrIncrementalAlterConfigsRequest(), kmsg.NewIncrementalAlterConfigsRequestResource()
		rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeTopic, name
		rr.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: &value}}
		req.Resources = append(req.Resources, rr)
		got = w.says(int16(w.draw(2)), req).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode
	} else {
		req, rr := kmsg.NewPtrAlterConfigsRequest(), kmsg.NewAlterConfigsRequestResource()
		rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeTopic, name
		rr.Configs = []kmsg.AlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: &value}}
		req.Resources = append(req.Resources, rr)
		got = w.says(int16(w.draw(3)), req).(*kmsg.AlterConfigsResponse).Resources[0].ErrorCode
	}
	if w.topics[name] == 0 {
		w.wants("configure what is not there", got, kerr.UnknownTopicOrPartition.Code)
		return
	}
	w.wants("configure "+name, got, 0)
	w.configs[name] = value
}

// list wants the topics that there are, their partitions and their settings.
func (w *walk) list() {
	for i := range 3 {
		name := fmt.Sprint("topic-", i)
		req, rt := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
		rt.Topic = &name
		req.Topics = append(req.Topics, rt)
		t := w.says(int16(4+w.draw(9)), req).(*kmsg.MetadataResponse).Topics[0]
		if w.topics[name] == 0 {
			w.wants(name+", which is not there", []int{int(t.ErrorCode), len(t.Partitions)}, []int{int(kerr.UnknownTopicOrPartition.Code), 0})
			continue
		}
		w.wants(name, []int{int(t.ErrorCode), len(t.Partitions)}, []int{0, int(w.topics[name])})
		conf, rr := kmsg.NewPtrDescribeConfigsRequest(), kmsg.NewDescribeConfigsRequestResource()
		rr.ResourceType, rr.ResourceName, rr.ConfigNames = kmsg.ConfigResourceTypeTopic, name, []string{"retention.ms"}
		conf.Resources = append(conf.Resources, rr)
		want := "604800000"
		if v, ok := w.configs[name]; ok {
			want = v
		}
		got := w.says(int16(1+w.draw(4)), conf).(*kmsg.DescribeConfigsResponse).Resources[0]
		if len(got.Configs) != 1 || got.Configs[0].Value == nil {
			w.t.Errorf("settings of %s: %+v", name, got)
			continue
		}
		w.wants("retention of "+name, *got.Configs[0].Value, want)
	}
}
