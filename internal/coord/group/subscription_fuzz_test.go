package group

import (
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzSubscription reads what consumers say of themselves inside of group requests, and what
// their leaders assign: nothing panics, both readers of a subscription agree, and what kmsg
// reads too is the same.
func FuzzSubscription(f *testing.F) {
	for version := range int16(4) {
		m := kmsg.ConsumerMemberMetadata{Version: version, Topics: []string{"b", "a"}, UserData: []byte("u"), Generation: 3, Rack: kmsg.StringPtr("r"),
			OwnedPartitions: []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: "a", Partitions: []int32{0, 7}}}}
		f.Add(m.AppendTo(nil))
		a := kmsg.ConsumerMemberAssignment{Version: version, Topics: []kmsg.ConsumerMemberAssignmentTopic{{Topic: "a", Partitions: []int32{1}}}, UserData: []byte("u")}
		f.Add(a.AppendTo(nil))
	}
	f.Add([]byte("\x00\x00\x7f\xff\xff\xff"))
	f.Add([]byte("\x00\x01\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x01\x00\x01a\x7f\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		topics, err := subscription(b)
		whole, werr := parseSubscription(b)
		if werr == nil && (err != nil || !slices.Equal(topics, whole.topics)) {
			t.Errorf("topics %q, %v; and %q", topics, err, whole.topics)
		}
		if werr == nil && !slices.IsSorted(whole.names()) {
			t.Errorf("names %q", whole.names())
		}
		var theirs kmsg.ConsumerMemberMetadata
		if werr == nil && theirs.ReadFrom(b) == nil && len(theirs.Topics)+len(whole.topics) > 0 && !reflect.DeepEqual(theirs.Topics, whole.topics) {
			t.Errorf("kmsg reads %q, not %q", theirs.Topics, whole.topics)
		}
		if a, err := parseAssignment(b); err == nil {
			var theirs kmsg.ConsumerMemberAssignment
			if theirs.ReadFrom(b) == nil && len(theirs.Topics) != len(a.partitions) {
				t.Errorf("kmsg reads %v, not %v", theirs.Topics, a.partitions)
			}
		}
	})
}
