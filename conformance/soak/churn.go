package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Churn has clients come and go until ctx ends, and returns how many lives they led.
// Each life makes a topic, writes, reads in a group, leaves, and deletes both; between
// lives somebody sends bytes that are no request.
func Churn(ctx context.Context, addr string, clients int, seed uint64) (lives int, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards lives and err
	for i := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			for n := 0; ctx.Err() == nil; n++ {
				lerr := live(ctx, addr, fmt.Sprintf("soak-%d-%d", i, n))
				if lerr == nil {
					lerr = intrude(ctx, addr, rng)
				}
				mu.Lock()
				if !over(ctx) && lerr != nil {
					err = errors.Join(err, lerr)
				} else if lerr == nil {
					lives++
				}
				mu.Unlock()
				if lerr != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return lives, err
}

// over reports whether ctx has ended, or is to have ended: a connection that is given its
// deadline may say so before the context does.
func over(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(end)
}

const records = 20

// live is a client's life. What it made is deleted even if the soak ends meanwhile.
func live(ctx context.Context, addr, name string) (err error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(name), kgo.ConsumerGroup(name),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer c.CloseAllowingRebalance()
	admin := kadm.NewClient(c)
	// To its end even if the soak ends: a topic of which nobody knows would be in the way of the next.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := check(admin.CreateTopic(whole, 3, 1, nil, name)); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, erase(context.WithoutCancel(ctx), c, admin, name)) }()
	for i := range records {
		c.Produce(ctx, &kgo.Record{Topic: name, Key: []byte{byte(i)}, Value: make([]byte, 100)}, nil)
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	for read := 0; read < records; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		read += fetches.NumRecords()
	}
	return c.CommitUncommittedOffsets(ctx)
}

func check(t kadm.CreateTopicResponse, err error) error { return errors.Join(err, t.Err) }

// erase has the client leave and deletes its group and its topic.
func erase(ctx context.Context, c *kgo.Client, admin *kadm.Client, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := c.LeaveGroupContext(ctx); err != nil {
		return fmt.Errorf("leave %s: %w", name, err)
	}
	_, gone := admin.DeleteGroup(ctx, name) // one that was never joined is not there
	_, err := admin.DeleteTopic(ctx, name)
	if errors.Is(gone, context.DeadlineExceeded) {
		err = errors.Join(err, gone)
	}
	return err
}

// intrude sends what is no request: noise, a frame that is never finished, or a claim
// of more than is sent. The node may say nothing or hang up.
func intrude(ctx context.Context, addr string, rng *rand.Rand) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, 4+rng.IntN(4000))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	if rng.IntN(2) == 0 {
		binary.BigEndian.PutUint32(b, uint32(50<<20))
	}
	_, _ = c.Write(b) // the node may have hung up
	return nil
}
