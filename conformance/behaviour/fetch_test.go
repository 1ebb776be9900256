package behaviour

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchRequest asks for partition 0 of topic, outside of any session, and for an answer
// at once.
func fetchRequest(topic string, from int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes, req.SessionEpoch = 1, 50<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = from, 1<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func (c *conn) fetch(topic string, from int64) kmsg.FetchResponseTopicPartition {
	c.t.Helper()
	return ask[*kmsg.FetchResponse](c, 12, fetchRequest(topic, from)).Topics[0].Partitions[0]
}

// batches are the batches of an answer.
func batches(c *conn, b []byte) []kmsg.RecordBatch {
	c.t.Helper()
	var out []kmsg.RecordBatch
	for len(b) > 0 {
		rb := kmsg.NewRecordBatch()
		if err := rb.ReadFrom(b); err != nil {
			c.t.Fatalf("batch: %v", err)
		}
		out = append(out, rb)
		b = b[12+rb.Length:]
	}
	return out
}
