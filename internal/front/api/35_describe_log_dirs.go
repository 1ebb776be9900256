package api

import (
	"context"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LogDir is a folder of logs and what is in it. Err is why it is offline; then nothing
// else is known of it.
type LogDir struct {
	Path          string // absolute
	Err           error
	Total, Usable int64 // bytes of the disk, -1 if they are not known
	Partitions    []LogDirPartition
}

// LogDirPartition is the log of one partition. Lag is what it has yet to catch up with:
// the high watermark, or, if it is to replace another (Future), that one's end.
type LogDirPartition struct {
	model.TopicPartition
	Size   int64
	Lag    int64
	Future bool
}

// DescribeLogDirs, key 35, versions 1 to 4.
//
//	2  flexible
//	3  an error of the whole request
//	4  bytes of the disk (KIP-827)
//
// Null asks for every partition.
func (s *Server) describeLogDirs(_ context.Context, _ *Request, req *kmsg.DescribeLogDirsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	wanted := make(map[model.TopicPartition]bool)
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			wanted[model.TopicPartition{Topic: t.Topic, Partition: p}] = true
		}
	}
	for _, d := range s.cfg.LogDirs() {
		rd := kmsg.NewDescribeLogDirsResponseDir()
		rd.Dir, rd.ErrorCode, rd.TotalBytes, rd.UsableBytes = d.Path, model.ErrorCode(d.Err), -1, -1
		if d.Err == nil {
			rd.TotalBytes, rd.UsableBytes = d.Total, d.Usable
			rd.Topics = dirTopics(d, func(tp model.TopicPartition) bool { return req.Topics == nil || wanted[tp] })
		}
		resp.Dirs = append(resp.Dirs, rd)
	}
	return resp, nil
}

func dirTopics(d LogDir, wanted func(model.TopicPartition) bool) []kmsg.DescribeLogDirsResponseDirTopic {
	list := slices.SortedFunc(slices.Values(d.Partitions), func(a, b LogDirPartition) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition) - int(b.Partition)
	})
	var topics []kmsg.DescribeLogDirsResponseDirTopic
	for _, p := range list {
		if !wanted(p.TopicPartition) {
			continue
		}
		if len(topics) == 0 || topics[len(topics)-1].Topic != p.Topic {
			topics = append(topics, kmsg.DescribeLogDirsResponseDirTopic{Topic: p.Topic})
		}
		last := &topics[len(topics)-1]
		last.Partitions = append(last.Partitions, kmsg.DescribeLogDirsResponseDirTopicPartition{
			Partition: p.Partition, Size: p.Size, OffsetLag: p.Lag, IsFuture: p.Future})
	}
	return topics
}
