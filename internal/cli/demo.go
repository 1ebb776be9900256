package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { nouns = append(nouns, demoCommand) }

const (
	demoTopic      = "orders"
	demoGroup      = "billing"
	demoPartitions = 6
	demoCustomers  = 500
)

// demo is one run of the story.
type demo struct {
	*App
	orders  int
	dir     string
	address string
	node    *childNode
	ledger  *ledger
	sent    atomic.Int64
	burst   chan struct{} // told after each burst, if somebody waits
	began   time.Time
	members []*demoMember
	readers sync.WaitGroup
	result  demoResult
}

// demoStep is a line of the story.
type demoStep struct {
	What   string `json:"step"`
	Note   string `json:"note"`
	Millis int64  `json:"millis"`
}

func demoCommand(a *App) *cobra.Command {
	d := &demo{App: a}
	c := &cobra.Command{
		Use: "demo", Short: "Show a node at work, kill it and count what was lost",
		Long: `Show the main job on a throw-away node, in a folder that is removed afterwards: create a
topic, produce orders by customer, read them with a group of two, kill the node with
kill -9 in the middle and start it again, and count. It fails if anything that was
acknowledged is lost, doubled or out of order.`,
		Example: `  odradek demo
  odradek demo --orders 100000`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return d.run(c.Context()) },
	}
	c.Flags().IntVar(&d.orders, "orders", 50_000, "how many orders to produce")
	return c
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.orders < 2 {
		return usagef("--orders %d: want at least 2", d.orders)
	}
	ctx, stop := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("the demo took longer than two minutes"))
	defer stop()
	if d.dir, err = os.MkdirTemp("", "odradek-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
	d.began = time.Now()
	d.ledger, d.burst = newLedger(d.orders, d.orders/2), make(chan struct{})
	defer func() {
		stop()
		d.readers.Wait()
		if d.node != nil {
			d.node.kill()
		}
	}()
	if err := d.story(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		return err
	}
	return d.verdict()
}

// story is the demo from beginning to end, a line a step.
func (d *demo) story(ctx context.Context) error {
	d.say("A node of its own, in a folder that is removed afterwards.\n\n")
	if err := d.step("start a node", func() (string, error) { return d.startNode(ctx) }); err != nil {
		return err
	}
	producer, err := d.connect(kgo.DefaultProduceTopic(demoTopic))
	if err != nil {
		return err
	}
	defer producer.Close()
	wait := func(c <-chan struct{}, note func() string) func() (string, error) {
		return func() (string, error) {
			select {
			case <-c:
				return note(), nil
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		}
	}
	produced := make(chan struct{})
	steps := []struct {
		what string
		do   func() (string, error)
	}{
		{"create topic " + demoTopic, func() (string, error) { return d.createTopic(ctx, producer) }},
		{"two consumers join group " + demoGroup, func() (string, error) { return d.join(ctx) }},
		{"produce by customer", func() (string, error) {
			d.produce(ctx, producer, produced)
			return wait(d.ledger.half, func() string {
				return fmt.Sprintf("%s of %s orders acknowledged so far", thousands(d.ledger.acknowledged()), thousands(d.orders))
			})()
		}},
		{"kill -9 the node", func() (string, error) {
			select {
			case <-d.burst:
			case <-produced:
			}
			d.node.kill()
			return thousands(int(d.sent.Load())-d.ledger.acknowledged()) + " orders on their way", nil
		}},
		{"start it again, on the same data", func() (string, error) { return d.startNode(ctx) }},
		{"the producer goes on by itself", wait(produced, func() string {
			return thousands(d.ledger.acknowledged()) + " orders acknowledged"
		})},
		{"the consumers reach the end", func() (string, error) { return d.readAll(ctx) }},
		{"they commit and leave", func() (string, error) { return d.leave(ctx) }},
		{"stop the node", func() (string, error) { return "in order", d.stopNode() }},
	}
	for _, s := range steps {
		if err := d.step(s.what, s.do); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) step(what string, do func() (string, error)) error {
	began := time.Now()
	note, err := do()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s := demoStep{what, note, time.Since(began).Milliseconds()}
	d.result.Steps = append(d.result.Steps, s)
	d.say("  %2d  %-36s %-48s %5d ms\n", len(d.result.Steps), s.What, s.Note, s.Millis)
	return nil
}

// say tells the story to a person.
func (d *demo) say(format string, args ...any) {
	if d.out.format == "text" {
		fmt.Fprintf(d.Stdout, format, args...)
	}
}

func (d *demo) startNode(ctx context.Context) (string, error) {
	var err error
	if d.address == "" {
		if d.address, err = quietAddress(ctx); err != nil {
			return "", err
		}
	}
	d.node, err = d.startChild(ctx, d.dir, d.address, "group.initial.rebalance.delay.ms=200")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, ready in %d ms", d.address, d.node.ReadyMillis), nil
}

func (d *demo) stopNode() error {
	n := d.node
	d.node = nil
	return n.stop()
}

// connect makes a client that is quick to come back, as one on the same machine may be.
func (d *demo) connect(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(d.address), kgo.ClientID("odradek-demo"),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(50 * time.Millisecond),
	}, more...)...)
}

func (d *demo) createTopic(ctx context.Context, c *kgo.Client) (string, error) {
	res, err := kadm.NewClient(c).CreateTopic(ctx, demoPartitions, 1, nil, demoTopic)
	return fmt.Sprintf("%d partitions", demoPartitions), errors.Join(err, res.Err)
}

// produce sends all orders, a hundredth every ten milliseconds as a busy shop would, and
// closes done when each has its answer.
func (d *demo) produce(ctx context.Context, c *kgo.Client, done chan<- struct{}) {
	var answers sync.WaitGroup
	orders := makeOrders(d.orders, demoCustomers)
	answers.Add(len(orders))
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		burst := len(orders)/100 + 1
		for i, o := range orders {
			if i%burst == 0 {
				<-tick.C
			}
			d.sent.Add(1)
			c.Produce(ctx, o.record(demoTopic), func(_ *kgo.Record, err error) {
				if err == nil {
					d.ledger.ack(o)
				}
				answers.Done()
			})
			if i%burst == burst-1 {
				select {
				case d.burst <- struct{}{}: // the killer waits for orders on their way
				default:
				}
			}
		}
		answers.Wait()
		close(done)
	}()
}
