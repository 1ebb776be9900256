package api

import (
	"context"

	"github.com/odradek/odradek/internal/coord/group"
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Groups is the group coordinator: group.Service. Its methods block as long as the
// client has to wait and answer errors in the response.
type Groups interface {
	PartitionFor(group string) int32
	JoinGroup(context.Context, group.Caller, *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse
	SyncGroup(context.Context, group.Caller, *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse
	Heartbeat(context.Context, group.Caller, *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse
	LeaveGroup(context.Context, group.Caller, *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse
	OffsetCommit(context.Context, group.Caller, *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse
	OffsetFetch(context.Context, group.Caller, *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse
	// TxnOffsetCommit is told what the partition of the group gave for the transaction.
	TxnOffsetCommit(context.Context, group.Caller, *kmsg.TxnOffsetCommitRequest, runtime.Guard) *kmsg.TxnOffsetCommitResponse
	// CompleteTxn ends a producer's transaction on a partition of __consumer_offsets.
	CompleteTxn(ctx context.Context, partition int32, p runtime.Producer, m record.EndTxnMarker, txnVersion int16) error
	OffsetDelete(context.Context, group.Caller, *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse
	DescribeGroups(context.Context, group.Caller, *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse
	ListGroups(context.Context, group.Caller, *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse
	DeleteGroups(context.Context, group.Caller, *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse
	ConsumerGroupHeartbeat(context.Context, group.Caller, *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse
	ConsumerGroupDescribe(context.Context, group.Caller, *kmsg.ConsumerGroupDescribeRequest) *kmsg.ConsumerGroupDescribeResponse
	ShareGroupHeartbeat(context.Context, group.Caller, *kmsg.ShareGroupHeartbeatRequest) *kmsg.ShareGroupHeartbeatResponse
	ShareGroupDescribe(context.Context, group.Caller, *kmsg.ShareGroupDescribeRequest) *kmsg.ShareGroupDescribeResponse
	DescribeShareGroupOffsets(context.Context, group.Caller, *kmsg.DescribeShareGroupOffsetsRequest) *kmsg.DescribeShareGroupOffsetsResponse
	AlterShareGroupOffsets(context.Context, group.Caller, *kmsg.AlterShareGroupOffsetsRequest) *kmsg.AlterShareGroupOffsetsResponse
	DeleteShareGroupOffsets(context.Context, group.Caller, *kmsg.DeleteShareGroupOffsetsRequest) *kmsg.DeleteShareGroupOffsetsResponse
}

// caller is the client as the coordinator knows and shows it.
func (r *Request) caller() group.Caller {
	return group.Caller{ClientID: r.ClientID, ClientHost: "/" + r.Conn.Host()}
}
