package load

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/odradek/odradek/bench/load/raw"
)

// idleConns are connections that have asked for the versions and say nothing any more.
type idleConns []*raw.Stream

func ping(c net.Conn) *raw.Stream {
	request := raw.Ping()
	return &raw.Stream{Conn: c, Request: func(int64) []byte { return request },
		Check: func(_ int64, answer []byte) error { return raw.CheckPing(answer) }}
}

// openIdle opens the connections that stand beside the load, some at a time, one broker
// after the other.
func openIdle(ctx context.Context, s *Spec) (list idleConns, err error) {
	brokers := strings.Split(s.Bootstrap, ",")
	var mu sync.Mutex // over list and err
	var all sync.WaitGroup
	atOnce := make(chan struct{}, 32)
	for i := range s.Idle {
		atOnce <- struct{}{}
		all.Go(func() {
			defer func() { <-atOnce }()
			c, failed := new(net.Dialer).DialContext(ctx, "tcp", brokers[i%len(brokers)])
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = fmt.Errorf("idle connection %d: %w", i, failed)
				return
			}
			list = append(list, ping(c))
		})
	}
	all.Wait()
	if err == nil {
		err = list.check()
	}
	return list, err
}

// check says whether each connection is still served.
func (l idleConns) check() error {
	for i, s := range l {
		s.Conn.SetDeadline(time.Now().Add(patience))
		if _, err := s.Run(raw.Limit{Requests: 1}); err != nil {
			return fmt.Errorf("idle connection %d of %d: %w", i, len(l), err)
		}
	}
	return nil
}

func (l idleConns) close() {
	for _, s := range l {
		s.Conn.Close()
	}
}

// idleLoad is nothing but the connections beside.
type idleLoad struct{ spec *Spec }

func (l idleLoad) prepare(context.Context) error { return nil }

func (l idleLoad) run(ctx context.Context, _ *Result) error {
	select {
	case <-ctx.Done():
	case <-time.After(seconds(l.spec.Seconds)):
	}
	return nil
}

func (l idleLoad) check(context.Context, *Result) error { return nil }
func (l idleLoad) close()                               {}
