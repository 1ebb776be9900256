package load

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What the library sends again is a try, though it comes back but once: it may be done
// twice, and a refusal at last does not say that nothing was done.
func TestTriesOfTheLibrary(t *testing.T) {
	for _, c := range []struct {
		codes   []*kerr.Error // the answers, nil for none
		tries   int64
		refused bool
	}{
		{[]*kerr.Error{nil}, 1, false},
		{[]*kerr.Error{kerr.CoordinatorNotAvailable, nil}, 2, false},
		{[]*kerr.Error{kerr.GroupAuthorizationFailed}, 1, true},
		{[]*kerr.Error{kerr.CoordinatorNotAvailable, kerr.GroupAuthorizationFailed}, 2, false},
	} {
		f := &oneBroker{t: t, codes: c.codes}
		f.listen()
		s := NewSession(f, "", true)
		s.tries = 77
		err := s.Commit(t.Context(), "g", history.Place{Topic: "a"}, 5)
		if last := c.codes[len(c.codes)-1]; (err == nil) != (last == nil) || s.tries != c.tries || refused(err) != c.refused {
			t.Errorf("answers %v: %v after %d tries, refused: %v; want %d, %v", c.codes, err, s.tries, refused(err), c.tries, c.refused)
		}
		s.Close()
	}
}

// oneBroker coordinates all groups and answers their commits with what it is given.
type oneBroker struct {
	t     *testing.T
	ln    net.Listener
	codes []*kerr.Error
}

func (f *oneBroker) Client(opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(f.ln.Addr().String()),
		kgo.RetryBackoffFn(func(int) time.Duration { return time.Millisecond }))...)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *oneBroker) listen() {
	var err error
	if f.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { f.ln.Close() })
	go func() {
		for {
			conn, err := f.ln.Accept()
			if err != nil {
				return
			}
			go f.serve(conn)
		}
	}()
}

func (f *oneBroker) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, b); err != nil {
			return
		}
		req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(b)))
		req.SetVersion(int16(binary.BigEndian.Uint16(b[2:])))
		resp := f.answer(req)
		resp.SetVersion(req.GetVersion())
		out := append(make([]byte, 4), b[4:8]...)
		if resp.IsFlexible() && resp.Key() != kmsg.ApiVersions.Int16() {
			out = append(out, 0)
		}
		out = resp.AppendTo(out)
		binary.BigEndian.PutUint32(out, uint32(len(out)-4))
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

func (f *oneBroker) answer(req kmsg.Request) kmsg.Response {
	host, text, err := net.SplitHostPort(f.ln.Addr().String())
	port, _ := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	switch resp := req.ResponseKind().(type) {
	case *kmsg.ApiVersionsResponse:
		for key, most := range map[kmsg.Key]int16{kmsg.ApiVersions: 2, kmsg.Metadata: 9, kmsg.FindCoordinator: 3, kmsg.OffsetCommit: 8} {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MaxVersion = key.Int16(), most
			resp.ApiKeys = append(resp.ApiKeys, k)
		}
		return resp
	case *kmsg.MetadataResponse:
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = 1, host, int32(port)
		resp.Brokers = append(resp.Brokers, b)
		return resp
	case *kmsg.FindCoordinatorResponse:
		resp.NodeID, resp.Host, resp.Port = 1, host, int32(port)
		return resp
	case *kmsg.OffsetCommitResponse:
		p, t := kmsg.NewOffsetCommitResponseTopicPartition(), kmsg.NewOffsetCommitResponseTopic()
		if code := f.codes[0]; code != nil {
			p.ErrorCode = code.Code
		}
		f.codes = f.codes[1:]
		t.Topic, t.Partitions = "a", append(t.Partitions, p)
		resp.Topics = append(resp.Topics, t)
		return resp
	}
	panic("not asked for: " + kmsg.NameForKey(req.Key()))
}
