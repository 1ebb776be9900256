package link

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/memnet"
)

// Connections are told apart by their first bytes, of which none is lost; who says
// nothing, or ends early, is left to Kafka's side.
func TestSplit(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := memnet.New(0)
		ln, err := mem.Listen("tcp", "10.0.0.1:9093")
		if err != nil {
			t.Fatal(err)
		}
		links, kafka := Split(ln)
		for _, c := range []struct {
			say  []string // written one after the other, with time between
			side net.Listener
		}{
			{[]string{"ODRL", "\x01rest"}, links},
			{[]string{"O", "D", "R", "L\x01"}, links},
			{[]string{"\x00\x00\x00\x20kafka"}, kafka},
			{[]string{"\x16\x03\x01tls"}, kafka},
			{[]string{"OD", "xx and more"}, kafka},
			{[]string{"ODR"}, kafka},
			{nil, kafka},
		} {
			client, err := mem.Dial(t.Context(), "tcp", "10.0.0.1:9093")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for _, s := range c.say {
					if _, err := client.Write([]byte(s)); err != nil {
						t.Error(err)
					}
					time.Sleep(100 * time.Millisecond)
				}
			}()
			nc, err := c.side.Accept()
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(time.Second)
			if err := client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(nc)
			var want []byte
			for _, s := range c.say {
				want = append(want, s...)
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%q: read %q, %v", c.say, got, err)
			}
			nc.Close()
			client.Close()
		}
		// One side may close before the other.
		kafka.Close()
		if _, err := kafka.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept of a closed side: %v", err)
		}
		for _, first := range []string{"kafka", "ODRL"} {
			client, err := mem.Dial(t.Context(), "tcp", "10.0.0.1:9093")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Write([]byte(first)); err != nil {
				t.Fatal(err)
			}
			if first == "ODRL" {
				if _, err := links.Accept(); err != nil {
					t.Error(err)
				}
			} else if _, err := client.Read(make([]byte, 1)); err == nil {
				t.Error("a connection of a closed side is served")
			}
			client.Close()
		}
		links.Close()
		if _, err := mem.Dial(t.Context(), "tcp", "10.0.0.1:9093"); err == nil {
			t.Error("both sides are closed, and somebody listens")
		}
	})
}

// Connections that say nothing do not keep a node out for long, however many they are.
func TestSplitUnderAFlood(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		mem := memnet.New(0)
		ln, err := mem.Listen("tcp", "10.0.0.1:9093")
		if err != nil {
			t.Fatal(err)
		}
		links, kafka := Split(ln)
		var silent []net.Conn
		for range 2 * mostPeeked {
			nc, err := mem.Dial(t.Context(), "tcp", "10.0.0.1:9093")
			if err != nil {
				t.Fatal(err)
			}
			silent = append(silent, nc)
		}
		synctest.Wait()
		accepted := make(chan struct{})
		go func() {
			if nc, err := links.Accept(); err == nil {
				nc.Close()
				close(accepted)
			}
		}()
		go func() {
			for {
				nc, err := kafka.Accept()
				if err != nil {
					return
				}
				nc.Close()
			}
		}()
		began, in := time.Now(), false
		for !in && time.Since(began) < time.Minute {
			nc, err := mem.Dial(t.Context(), "tcp", "10.0.0.1:9093")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = nc.Write([]byte(Magic)) // it fails when it was turned away
			time.Sleep(20 * time.Millisecond)
			synctest.Wait()
			select {
			case <-accepted:
				in = true
			default:
			}
			nc.Close()
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("a node waited for %v", took)
		}
		for _, nc := range silent {
			nc.Close()
		}
		links.Close()
		kafka.Close()
	})
}
