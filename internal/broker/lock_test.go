package broker

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
)

// A second node on the folders of a running one writes nothing there, not even to the
// cluster's log, and does not start.
func TestFoldersHaveOneNode(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.start()
		defer func() { n.stop(); <-n.done }()
		second, err := New(Config{
			NodeID: 1, LogDirs: []string{"/data"}, FS: n.disk, Random: func(p []byte) { clear(p) },
			Listeners: []Listener{{Name: "PLAINTEXT", Bind: "other:9092"}},
			Listen:    func(_ context.Context, a string) (net.Listener, error) { return n.net.Listen("tcp", a) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := second.Run(t.Context()); !errors.Is(err, vfs.ErrLocked) {
			t.Errorf("second node: %v", err)
		}
		if second.quorum != nil {
			t.Error("the second node opened the cluster's log")
		}
	})
}
