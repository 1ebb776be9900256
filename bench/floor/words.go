package floor

import (
	"encoding/binary"

	"github.com/odradek/odradek/bench/load/raw"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// words are what the two processes say to each other, from one Spec.
type words struct {
	batch    []byte // with records records
	records  int64
	request  []byte
	offsetAt int    // of a Fetch, in request
	answer   []byte // with its length; of a Fetch, up to the batch, which the length counts
}

const topic = "floor"

func wordsOf(s Spec) (w words, err error) {
	var body kmsg.Response
	switch s.Op {
	case Ping:
		r := kmsg.NewPtrApiVersionsResponse()
		r.Version = 2
		for key := range int16(64) { // about as many as brokers have
			r.ApiKeys = append(r.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MaxVersion: 9})
		}
		w.request, body = raw.Ping(), r
	case Produce:
		if err := w.makeBatch(s.Batch); err != nil {
			return w, err
		}
		w.request = raw.Produce(topic, []int32{0}, -1, w.batch)
		body = produced()
	case Fetch:
		if err := w.makeBatch(s.Batch); err != nil {
			return w, err
		}
		w.request, w.offsetAt = raw.Fetch(topic, 0, int32(s.Batch))
		body = fetched()
	}
	w.answer = body.AppendTo(make([]byte, 8)) // length and correlation id
	if s.Op == Fetch {
		binary.BigEndian.PutUint32(w.answer[len(w.answer)-4:], uint32(s.Batch))
		binary.BigEndian.PutUint32(w.answer, uint32(len(w.answer)-4+s.Batch))
		return w, nil
	}
	binary.BigEndian.PutUint32(w.answer, uint32(len(w.answer)-4))
	return w, nil
}

func (w *words) makeBatch(size int) error {
	batch, n, err := raw.Batch(size, 1000)
	w.batch, w.records = batch, int64(n)
	return err
}

func produced() kmsg.Response {
	r := kmsg.NewPtrProduceResponse()
	r.Version = 8
	p := kmsg.NewProduceResponseTopicPartition()
	t := kmsg.NewProduceResponseTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

// fetched ends with the length of the records.
func fetched() kmsg.Response {
	r := kmsg.NewPtrFetchResponse()
	r.Version = 11
	p := kmsg.NewFetchResponseTopicPartition()
	p.RecordBatches = []byte{}
	t := kmsg.NewFetchResponseTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

// check says what is wrong with the answer to the request for the batch at offset.
func (w *words) check(op string, answer []byte, offset int64) error {
	switch op {
	case Ping:
		return raw.CheckPing(answer)
	case Produce:
		return raw.CheckProduce(answer, 1)
	}
	return raw.CheckFetch(answer, offset, len(w.batch))
}
