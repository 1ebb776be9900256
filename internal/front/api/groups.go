package api

import (
	"context"

	"github.com/odradek/odradek/internal/coord/group"
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
	OffsetDelete(context.Context, group.Caller, *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse
	DescribeGroups(context.Context, group.Caller, *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse
	ListGroups(context.Context, group.Caller, *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse
	DeleteGroups(context.Context, group.Caller, *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse
}

// caller is the client as the coordinator knows and shows it.
func (r *Request) caller() group.Caller {
	return group.Caller{ClientID: r.ClientID, ClientHost: "/" + r.Conn.Host()}
}
