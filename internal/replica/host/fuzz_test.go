package host

import (
	"maps"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

// FuzzCheckpoint reads the checkpoints of a log folder: what is taken says as many lines as
// it declares, and is the same when it is written and read again.
func FuzzCheckpoint(f *testing.F) {
	f.Add(string(checkpoint{}.text()))
	f.Add(string(checkpoint{model.TopicPartition{Topic: "orders", Partition: 3}: 1234, model.TopicPartition{Topic: "a", Partition: 0}: 0}.text()))
	f.Add("0\n1\n")
	f.Add("0\n-1\n")
	f.Add("1\n0\n")
	f.Add("0\n2\na -9 9\na 9 -9\n")
	f.Add("0\n1\na -1 99999999999999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCheckpoint(text)
		if err != nil {
			return
		}
		for tp, offset := range c {
			if tp.Partition < 0 || offset < 0 || tp.Topic == "" {
				t.Errorf("%s-%d is at %d", tp.Topic, tp.Partition, offset)
			}
		}
		again, err := parseCheckpoint(string(c.text()))
		if err != nil || !maps.Equal(c, again) {
			t.Errorf("%v became %v, %v", c, again, err)
		}
	})
}
