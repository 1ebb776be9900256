package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/internal/proto/memnet"
	"github.com/odradek/odradek/internal/proto/model"
)

// versioned answers ApiVersions with all that the schemas know, and hands on the rest.
func versioned(next handlerFunc) handlerFunc {
	return func(c *Conn, r *Request) Pending {
		if r.Key != keyAPIVersions {
			return next(c, r)
		}
		resp := kmsg.NewPtrApiVersionsResponse()
		for key := int16(0); key <= MaxKey; key++ {
			if s, ok := Lookup(key); ok {
				resp.ApiKeys = append(resp.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: key, MinVersion: s.Min, MaxVersion: s.Max})
			}
		}
		return r.Ready(Message(resp))
	}
}

func dialClient(t *testing.T, n *memnet.Network) *Client {
	t.Helper()
	c, err := Dial(t.Context(), ClientConfig{Dial: n.Host("client").Dial, Address: "s:1", ClientID: "c"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func find(key string) *kmsg.FindCoordinatorRequest {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKeys = []string{key}
	return req
}

func coordinatorFor(r *Request) Reply {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.SetVersion(r.Version)
	if err := req.ReadFrom(r.Body); err != nil {
		panic(err)
	}
	resp := kmsg.NewPtrFindCoordinatorResponse()
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key = req.CoordinatorKeys[0]
	resp.Coordinators = append(resp.Coordinators, c)
	return Message(resp)
}

// Many goroutines share one connection, and each gets its own answer; one that waits no
// more leaves the others theirs.
func TestClientPipelines(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := start(t, &Server{Handler: versioned(func(_ *Conn, r *Request) Pending {
			reply := coordinatorFor(r)
			return func(ctx context.Context) (Reply, error) { return reply, sleep(ctx, time.Second) }
		})})
		c := dialClient(t, b.net)
		impatient, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		results := make(chan error)
		for i := range 10 {
			ctx := t.Context()
			if i == 3 {
				ctx = impatient
			}
			go func() {
				key := fmt.Sprint(i)
				resp, err := c.Do(ctx, find(key))
				if err == nil && resp.(*kmsg.FindCoordinatorResponse).Coordinators[0].Key != key {
					err = fmt.Errorf("%s: answer of another request: %+v", key, resp)
				}
				results <- err
			}()
		}
		late := 0
		for range 10 {
			if err := <-results; errors.Is(err, context.DeadlineExceeded) {
				late++
			} else if err != nil {
				t.Error(err)
			}
		}
		if late != 1 {
			t.Errorf("%d requests were given up, want 1", late)
		}
		c.Close()
		if _, err := c.Do(t.Context(), find("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		b.stop()
	})
}

// raw is a peer that is played by hand: it answers ApiVersions in version 0 and then
// runs play.
func raw(t *testing.T, play func(nc net.Conn)) *Client {
	t.Helper()
	n := memnet.New(0)
	ln, err := n.Listen("tcp", "s:1")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		for i := range 2 { // version 3 is not known here
			var size [4]byte
			if _, err := io.ReadFull(nc, size[:]); err != nil {
				return
			}
			io.CopyN(io.Discard, nc, int64(binary.BigEndian.Uint32(size[:])))
			body := []byte{0, 0, 0, byte(i), 0, 35, 0, 0, 0, 0}
			if i == 1 {
				body = []byte{0, 0, 0, byte(i), 0, 0, 0, 0, 0, 1, 0, 10, 0, 4, 0, 4}
			}
			nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
		}
		play(nc)
		io.Copy(io.Discard, nc) // until the client closes
		nc.Close()
		ln.Close()
	}()
	return dialClient(t, n)
}

// A broker that is older, silent, gone, or talks nonsense.
func TestClientOfAStrangePeer(t *testing.T) {
	frame := func(b ...byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	for _, c := range []struct {
		name  string
		play  func(nc net.Conn)
		wants error
	}{
		{"silent", func(net.Conn) {}, nil},
		{"gone", func(nc net.Conn) { nc.Close() }, nil},
		{"another id", func(nc net.Conn) { nc.Write(frame(0, 0, 0, 9, 0)) }, errProtocol},
		{"too long", func(nc net.Conn) { nc.Write([]byte{0x7f, 0, 0, 0, 0, 0, 0, 2}) }, errProtocol},
		{"negative", func(nc net.Conn) { nc.Write([]byte{0x80, 0, 0, 0, 0, 0, 0, 2}) }, errProtocol},
		{"half an answer", func(nc net.Conn) { nc.Write([]byte{0, 0, 0, 99, 0, 0, 0, 2, 0, 1}) }, nil},
		{"not an answer", func(nc net.Conn) { nc.Write(frame(0, 0, 0, 2, 0, 1, 2, 3)) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				cl := raw(t, c.play)
				if v, ok := cl.Version(10, 0, 9); !ok || v != 4 {
					t.Errorf("version %d, %t", v, ok)
				}
				if _, err := cl.Do(t.Context(), kmsg.NewPtrListGroupsRequest()); !errors.Is(err, kerr.UnsupportedVersion) {
					t.Errorf("a request that the broker does not know: %v", err)
				}
				resp, err := cl.Do(t.Context(), find("k"))
				if err == nil || c.wants != nil && !errors.Is(err, c.wants) {
					t.Errorf("%+v, %v", resp, err)
				}
				<-cl.Done()
				if cl.Err() == nil {
					t.Error("Done without a reason")
				}
			})
		})
	}
}

// What a follower asks and is told survives the way through a server of every version.
func TestClientFetch(t *testing.T) {
	id := func(t byte, p int32) model.IDPartition {
		return model.IDPartition{Topic: model.ID{t}, Partition: p}
	}
	for version := oldestFetch; version <= newestFetch; version++ {
		t.Run(fmt.Sprint("v", version), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				var asked *kmsg.FetchRequest
				b := start(t, &Server{Handler: versioned(func(_ *Conn, r *Request) Pending {
					asked = kmsg.NewPtrFetchRequest()
					asked.SetVersion(r.Version)
					if err := asked.ReadFrom(append([]byte(nil), r.Body...)); err != nil {
						t.Error(err)
					}
					return r.Ready(Fetch(r, fetchAnswer(), func(_, p int) Part { return Part{Bytes: []byte("records" + fmt.Sprint(p))} }, nil))
				})})
				c := dialClient(t, b.net)
				c.versions[keyFetch].to = version
				req := FetchRequest{
					Replica: 3, ReplicaEpoch: 44, MaxWaitMillis: 500, MinBytes: 1, MaxBytes: 1 << 20, SessionID: 7, SessionEpoch: 8,
					Partitions: []FetchPartition{{id(1, 0), 5, 100, 4, 10, 1000}, {id(1, 1), 5, 101, 4, 11, 1001}, {id(2, 9), 6, 102, -1, 12, 1002}},
					Forgotten:  []model.IDPartition{id(3, 1), id(3, 2), id(4, 1)},
				}
				var resp FetchResponse
				if err := c.FetchRaw(t.Context(), &req, &resp); err != nil {
					t.Fatal(err)
				}
				replica, epoch := asked.ReplicaID, int64(44)
				if version >= fetchState {
					replica, epoch = asked.ReplicaState.ID, asked.ReplicaState.Epoch
				}
				if replica != 3 || epoch != 44 || asked.SessionID != 7 || asked.SessionEpoch != 8 || asked.MaxWaitMillis != 500 ||
					len(asked.Topics) != 2 || len(asked.Topics[0].Partitions) != 2 || len(asked.ForgottenTopics) != 2 ||
					fmt.Sprint(asked.ForgottenTopics[0].Partitions) != "[1 2]" || asked.Topics[1].TopicID != [16]byte{2} {
					t.Errorf("asked %+v", asked)
				}
				if p := asked.Topics[0].Partitions[1]; p.Partition != 1 || p.FetchOffset != 101 || p.CurrentLeaderEpoch != 5 ||
					p.LastFetchedEpoch != 4 || p.LogStartOffset != 11 || p.PartitionMaxBytes != 1001 {
					t.Errorf("asked %+v", p)
				}
				want := []FetchedPartition{
					{id(1, 0), 0, 20, 2, -1, -1, -1, -1, []byte("records0")},
					{id(1, 1), 6, -1, -1, 3, 50, 2, 9, []byte("records1")},
				}
				if resp.SessionID != 7 || fmt.Sprint(resp.Partitions) != fmt.Sprint(want) {
					t.Errorf("answer %+v\nwant   %+v", resp.Partitions, want)
				}
				resp.Release()
				c.Close()
				b.stop()
			})
		})
	}
}

func fetchAnswer() *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	resp.SessionID = 7
	t := kmsg.NewFetchResponseTopic()
	t.TopicID = [16]byte{1}
	for i := range int32(2) {
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition = i
		if p.HighWatermark, p.LogStartOffset = 20, 2; i == 1 {
			p.ErrorCode, p.HighWatermark, p.LogStartOffset = 6, -1, -1
			p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = 3, 50
			p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = 2, 9
			p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 1, FirstOffset: 2}}
		}
		t.Partitions = append(t.Partitions, p)
	}
	resp.Topics = append(resp.Topics, t)
	return resp
}

// Every answer that is cut short is an error, and none is a panic, whatever byte is
// changed.
func FuzzFetchResponse(f *testing.F) {
	resp := fetchAnswer()
	resp.SetVersion(16)
	f.Add(resp.AppendTo(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r FetchResponse
		if err := r.decode(16, body); err == nil && len(body) > 0 {
			if err := r.decode(16, body[:len(body)-1]); err == nil {
				t.Error("an answer without its last byte is taken")
			}
		}
	})
}
