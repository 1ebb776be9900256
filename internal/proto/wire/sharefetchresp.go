package wire

import "github.com/twmb/franz-go/pkg/kmsg"

// ShareFetch answers a ShareFetch request, version 1 and 2, without copying records, as
// Fetch does: the bytes of partition p of topic t are records(t, p).
func ShareFetch(r *Request, resp *kmsg.ShareFetchResponse, records func(t, p int) Part, released func()) Reply {
	e := fetchEncoder{encoder: encoder{flexible: true}, version: r.Version, records: records}
	e.shareResponse(resp)
	return &Parts{List: e.parts(nil), Released: released}
}

// shareResponse writes
//
//	throttle int32 | error int16 | message | lock int32 | topics | endpoints | tags
//	topic: id | partitions | tags
//	partition: index int32 | error int16 | message | acknowledge error int16 | message
//	  | leader int32, epoch int32, tags | records | acquired | tags
//	acquired: first int64 | last int64 | deliveries int16 | tags
func (e *fetchEncoder) shareResponse(resp *kmsg.ShareFetchResponse) {
	n := 64
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			n += 80 + 19*len(resp.Topics[i].Partitions[j].AcquiredRecords)
		}
	}
	e.b = make([]byte, 0, n)
	e.int32(resp.ThrottleMillis)
	e.int16(resp.ErrorCode)
	e.nullableString(resp.ErrorMessage)
	e.int32(resp.AcquisitionLockTimeoutMillis)
	e.count(len(resp.Topics))
	for i := range resp.Topics {
		t := &resp.Topics[i]
		e.b = append(e.b, t.TopicID[:]...)
		e.count(len(t.Partitions))
		for j := range t.Partitions {
			e.sharePartition(&t.Partitions[j], e.records(i, j))
		}
		e.noTags()
	}
	e.count(len(resp.NodeEndpoints))
	for i := range resp.NodeEndpoints {
		node := &resp.NodeEndpoints[i]
		e.int32(node.NodeID)
		e.string(node.Host)
		e.int32(node.Port)
		e.nullableString(node.Rack)
		e.noTags()
	}
	e.noTags()
}

func (e *fetchEncoder) sharePartition(p *kmsg.ShareFetchResponseTopicPartition, records Part) {
	e.int32(p.Partition)
	e.int16(p.ErrorCode)
	e.nullableString(p.ErrorMessage)
	e.int16(p.AcknowledgeErrorCode)
	e.nullableString(p.AcknowledgeErrorMessage)
	e.int32(p.CurrentLeader.LeaderID)
	e.int32(p.CurrentLeader.LeaderEpoch)
	e.noTags()
	n := records.size()
	e.length(n)
	if n > 0 {
		e.slices = append(e.slices, slice{len(e.b), records})
	}
	e.count(len(p.AcquiredRecords))
	for i := range p.AcquiredRecords {
		a := &p.AcquiredRecords[i]
		e.int64(a.FirstOffset)
		e.int64(a.LastOffset)
		e.int16(a.DeliveryCount)
		e.noTags()
	}
	e.noTags()
}
