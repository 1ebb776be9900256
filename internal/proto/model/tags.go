package model

// Tagged fields of requests that Kafka does not have. It passes over them.

// TagFenceMembers is a tagged field of OffsetCommit: with the value FenceMembers the
// offsets are stored although the group has members, and every one of those is fenced in
// the same moment (docs/decisions/0016-live-reset.md).
const TagFenceMembers uint32 = 20292

// FenceMembers is the value of TagFenceMembers.
var FenceMembers = []byte{1}
