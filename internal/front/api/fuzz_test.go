package api

import (
	"context"
	"encoding/binary"
	"io"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/coord/group"
	coord "github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/odradek/odradek/internal/store/producers"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzServe sends one frame of any bytes behind a good header. Whatever it says, the
// server answers or ends the connection, and spends memory by its size and not by its
// claims. Requests that need replicas have targets of their own; those to coordinators meet
// real ones.
func FuzzServe(f *testing.F) {
	for _, a := range Table() {
		for v := max(a.Min, a.Floor); v <= a.Max; v++ {
			req := kmsg.RequestForKey(a.Key)
			req.SetVersion(v)
			f.Add(a.Key, v, req.AppendTo(nil))
		}
	}
	for _, fill := range fillings {
		for _, a := range Table() {
			req := kmsg.RequestForKey(a.Key)
			if req.SetVersion(a.Max); !slices.Contains(coordinatorKeys, a.Key) || !req.IsFlexible() || fill.name == "long" {
				continue
			}
			fill.fill(reflect.ValueOf(req).Elem())
			f.Add(a.Key, a.Max, req.AppendTo(nil))
		}
	}
	f.Add(int16(18), int16(99), []byte{1, 2, 3})
	f.Add(int16(3), int16(9), []byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add(int16(32), int16(4), (&kmsg.DescribeConfigsRequest{Version: 4, Resources: make([]kmsg.DescribeConfigsRequestResource, 999)}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		switch key {
		case 0, 1, 2, 21, 23, 34:
			return
		}
		switch {
		case len(body) > 1<<14:
		case slices.Contains(coordinatorKeys, key):
			withCoordinators(t, func(d *desk) { d.serveOne(key, version, body) })
		default:
			bubble.Test(t, func(t *testing.T) {
				d := newDesk(t, func(_ *desk, c *Config) { c.Groups = emptyGroups{} })
				d.topic("a", 1, []int32{1})
				d.serveOne(key, version, body)
			})
		}
	})
}

func (d *desk) serveOne(key, version int16, body []byte) {
	frame := binary.BigEndian.AppendUint32(nil, uint32(10+len(body)))
	frame = binary.BigEndian.AppendUint16(frame, uint16(key))
	frame = binary.BigEndian.AppendUint16(frame, uint16(version))
	frame = append(frame, 0, 0, 0, 7, 0, 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go d.conn.Write(append(frame, body...))
	answered := make(chan int64)
	go func() { n, _ := io.Copy(io.Discard, d.conn); answered <- n }()
	synctest.Wait()
	runtime.ReadMemStats(&after)
	d.conn.Close()
	<-answered
	if spent, most := after.TotalAlloc-before.TotalAlloc, uint64(32<<20+2000*len(body)); spent > most {
		d.t.Errorf("key %d version %d with %d bytes took %d bytes of memory", key, version, len(body), spent)
	}
	if d.line.Panics() != 0 {
		d.t.Errorf("key %d version %d: the handler panicked", key, version)
	}
}

// emptyGroups knows no group.
type emptyGroups struct{}

func (emptyGroups) PartitionFor(string) int32 { return 0 }
func (emptyGroups) JoinGroup(context.Context, group.Caller, *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	return kmsg.NewPtrJoinGroupResponse()
}
func (emptyGroups) SyncGroup(context.Context, group.Caller, *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	return kmsg.NewPtrSyncGroupResponse()
}
func (emptyGroups) Heartbeat(context.Context, group.Caller, *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse {
	return kmsg.NewPtrHeartbeatResponse()
}
func (emptyGroups) LeaveGroup(context.Context, group.Caller, *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse {
	return kmsg.NewPtrLeaveGroupResponse()
}
func (emptyGroups) OffsetCommit(context.Context, group.Caller, *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	return kmsg.NewPtrOffsetCommitResponse()
}
func (emptyGroups) OffsetFetch(context.Context, group.Caller, *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	return kmsg.NewPtrOffsetFetchResponse()
}
func (emptyGroups) TxnOffsetCommit(context.Context, group.Caller, *kmsg.TxnOffsetCommitRequest, producers.Guard) *kmsg.TxnOffsetCommitResponse {
	return kmsg.NewPtrTxnOffsetCommitResponse()
}
func (emptyGroups) CompleteTxn(context.Context, int32, coord.Producer, record.EndTxnMarker, int16) error {
	return nil
}
func (emptyGroups) OffsetDelete(context.Context, group.Caller, *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse {
	return kmsg.NewPtrOffsetDeleteResponse()
}
func (emptyGroups) DescribeGroups(context.Context, group.Caller, *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse {
	return kmsg.NewPtrDescribeGroupsResponse()
}
func (emptyGroups) ListGroups(context.Context, group.Caller, *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse {
	return kmsg.NewPtrListGroupsResponse()
}
func (emptyGroups) ConsumerGroupHeartbeat(context.Context, group.Caller, *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	return kmsg.NewPtrConsumerGroupHeartbeatResponse()
}
func (emptyGroups) ConsumerGroupDescribe(context.Context, group.Caller, *kmsg.ConsumerGroupDescribeRequest) *kmsg.ConsumerGroupDescribeResponse {
	return kmsg.NewPtrConsumerGroupDescribeResponse()
}
func (emptyGroups) ShareGroupHeartbeat(context.Context, group.Caller, *kmsg.ShareGroupHeartbeatRequest) *kmsg.ShareGroupHeartbeatResponse {
	return kmsg.NewPtrShareGroupHeartbeatResponse()
}
func (emptyGroups) ShareGroupDescribe(context.Context, group.Caller, *kmsg.ShareGroupDescribeRequest) *kmsg.ShareGroupDescribeResponse {
	return kmsg.NewPtrShareGroupDescribeResponse()
}
func (emptyGroups) DescribeShareGroupOffsets(context.Context, group.Caller, *kmsg.DescribeShareGroupOffsetsRequest) *kmsg.DescribeShareGroupOffsetsResponse {
	return kmsg.NewPtrDescribeShareGroupOffsetsResponse()
}
func (emptyGroups) AlterShareGroupOffsets(context.Context, group.Caller, *kmsg.AlterShareGroupOffsetsRequest) *kmsg.AlterShareGroupOffsetsResponse {
	return kmsg.NewPtrAlterShareGroupOffsetsResponse()
}
func (emptyGroups) DeleteShareGroupOffsets(context.Context, group.Caller, *kmsg.DeleteShareGroupOffsetsRequest) *kmsg.DeleteShareGroupOffsetsResponse {
	return kmsg.NewPtrDeleteShareGroupOffsetsResponse()
}
func (emptyGroups) DeleteGroups(context.Context, group.Caller, *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse {
	return kmsg.NewPtrDeleteGroupsResponse()
}
