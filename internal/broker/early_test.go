package broker

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
)

// Who connects while the broker is not yet let in waits: a topic is not refused for want
// of brokers. The cluster's log is slow here, so that there is time to come early.
func TestEarlyClientWaits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.wrap = func(disk *vfs.Mem) vfs.FS {
			return vfs.NewFaulty(disk, func(op vfs.Op, name string) error {
				if op == vfs.OpSync && strings.Contains(name, metadataFolder) {
					time.Sleep(300 * time.Millisecond)
				}
				return nil
			})
		}
		answered := make(chan error, 1)
		go func() {
			c := n.client()
			defer c.Close()
			for {
				_, err := kadm.NewClient(c).CreateTopic(t.Context(), 1, 1, nil, "early")
				if !errors.Is(err, syscall.ECONNREFUSED) {
					answered <- err
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		n.start()
		if err := <-answered; err != nil {
			t.Error(err)
		}
		n.end()
	})
}
