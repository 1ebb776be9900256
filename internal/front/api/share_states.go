package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ShareStates is the share coordinator: share.Service. Its methods block until what they
// answer is committed, and answer errors in the response.
type ShareStates interface {
	PartitionFor(key string) int32
	InitializeState(context.Context, *kmsg.InitializeShareGroupStateRequest) *kmsg.InitializeShareGroupStateResponse
	ReadState(context.Context, *kmsg.ReadShareGroupStateRequest) *kmsg.ReadShareGroupStateResponse
	WriteState(context.Context, *kmsg.WriteShareGroupStateRequest) *kmsg.WriteShareGroupStateResponse
	DeleteState(context.Context, *kmsg.DeleteShareGroupStateRequest) *kmsg.DeleteShareGroupStateResponse
	ReadStateSummary(context.Context, *kmsg.ReadShareGroupStateSummaryRequest) *kmsg.ReadShareGroupStateSummaryResponse
}
