package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { nouns = append(nouns, consumeCommand) }

// consumer is the consume command.
type consumer struct {
	*App
	topics     []string
	from, to   string
	span       string
	count      int
	exit       bool
	group      string
	format     string
	json       bool
	delimiter  string
	null       string
	grep       string
	isolation  string
	partitions []int32

	begin   position
	until   *position
	layout  layout
	match   *regexp.Regexp
	printed int
	out     *bufio.Writer
	buf     []byte
	left    pending
	joined  *atomic.Bool // of a group member: whether it has been given partitions
}

func consumeCommand(a *App) *cobra.Command {
	c := &consumer{App: a}
	cmd := &cobra.Command{
		Use: "consume TOPIC...", Aliases: []string{"c"},
		Short: "Consume records of topics, or of some part of them",
		Long: `Consume records. Without --from it begins at the end and waits for new ones; with an end
(--to, --range, -e) it begins at the start. In a group (-g) it begins where the group
stopped, and --from says where if it never did.

` + positionHelp + "\n\n" + formatHelp,
		Example: `  odradek consume greetings --from start
  odradek consume orders -e --format '%p %o %k %v'
  odradek consume orders --from -10 -e
  odradek consume orders --range -2h:-1h --grep 'customer-0[0-9]'
  odradek consume orders --range @2026-01-31:@2026-02-01 --json
  odradek consume orders -g billing`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completeTopics,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.topics = args
			return c.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.from, "from", "", "position to begin at")
	f.StringVar(&c.to, "to", "", "position to stop before")
	f.StringVar(&c.span, "range", "", "positions FROM:TO; an empty one is start or end")
	f.IntVarP(&c.count, "num", "n", 0, "stop after so many records")
	f.BoolVarP(&c.exit, "exit", "e", false, "stop at what is the end now")
	f.StringVarP(&c.group, "group", "g", "", "consume as a member of this group")
	f.StringVarP(&c.format, "format", "f", "%v", "how a record is printed")
	f.BoolVar(&c.json, "json", false, "print a record a line in JSON; the same as -o jsonl")
	f.StringVarP(&c.delimiter, "delimiter", "D", `\n`, "what is printed after each record")
	f.StringVar(&c.null, "null", "null", "what is printed for a null key or value")
	f.StringVar(&c.grep, "grep", "", "print only records with a key, value or header that matches")
	f.StringVar(&c.isolation, "isolation", "uncommitted", "of transactions: uncommitted or committed")
	f.Int32SliceVarP(&c.partitions, "partition", "p", nil, "only these partitions")
	a.completeFlag(cmd, "group", a.completeGroups)
	return cmd
}

func (c *consumer) run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	adm, err := c.admin()
	if err != nil {
		return err
	}
	defer adm.Close()
	if err := c.exist(ctx, adm); err != nil {
		return err
	}
	c.out = bufio.NewWriterSize(c.Stdout, 64<<10)
	if c.group != "" {
		return c.runGroup(ctx, adm)
	}
	r, err := resolve(ctx, adm, c.topics, c.partitions, c.begin, c.until, c.isolation == "committed")
	if err != nil {
		return err
	}
	if c.until != nil {
		c.left = newPending(r)
		if c.left.done() {
			return nil
		}
	}
	cl, err := c.client(append(c.options(), kgo.ConsumePartitions(r.offsets()))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	return c.loop(ctx, cl)
}

// check reads the flags.
func (c *consumer) check() (err error) {
	switch {
	case c.App.out.format == "yaml" || c.App.out.format == "name":
		return usagef("consume prints text or jsonl, not %s", c.App.out.format)
	case c.isolation != "committed" && c.isolation != "uncommitted":
		return usagef("unknown isolation %q: committed or uncommitted", c.isolation)
	case c.span != "" && (c.from != "" || c.to != ""):
		return usagef("--range says both --from and --to")
	case c.exit && c.to != "":
		return usagef("-e stops at the end and --to before: one of them")
	case c.group != "" && (c.to != "" || c.span != "" || len(c.partitions) > 0):
		return usagef("a group decides itself what its members read: -g goes with --from, -e and -n only")
	}
	c.json = c.json || c.App.out.format != "text"
	if c.layout, err = parseLayout(c.format, "kvhTtpo"); err != nil {
		return err
	}
	if c.delimiter, err = unescape(c.delimiter); err != nil {
		return err
	}
	if c.grep != "" {
		if c.match, err = regexp.Compile(c.grep); err != nil {
			return usage(err)
		}
	}
	return c.checkRange(time.Now())
}

func (c *consumer) checkRange(now time.Time) (err error) {
	from, to := c.from, c.to
	if c.span != "" {
		if from, to, err = cutRange(c.span); err != nil {
			return err
		}
	}
	if c.exit {
		to = "end"
	}
	if from == "" {
		from = "end"
		if to != "" {
			from = "start"
		}
	}
	if c.begin, err = parsePosition(from, now); err != nil || to == "" {
		return err
	}
	until, err := parsePosition(to, now)
	c.until = &until
	return err
}

// cutRange cuts FROM:TO. A date has colons of its own, so that the cut is at the one that
// leaves two positions.
func cutRange(span string) (from, to string, err error) {
	for i := range len(span) {
		if span[i] != ':' {
			continue
		}
		from, to = span[:i], span[i+1:]
		if from == "" {
			from = "start"
		}
		if to == "" {
			to = "end"
		}
		_, err1 := parsePosition(from, time.Time{})
		_, err2 := parsePosition(to, time.Time{})
		if err1 == nil && err2 == nil {
			return from, to, nil
		}
	}
	return "", "", usagef("--range %q: want FROM:TO.\n%s", span, positionHelp)
}

// exist says which topics do not exist, instead of waiting for them.
func (c *consumer) exist(ctx context.Context, adm *kadm.Client) error {
	slices.Sort(c.topics)
	c.topics = slices.Compact(c.topics)
	found, err := adm.ListTopics(ctx, c.topics...)
	if err != nil {
		return err
	}
	for _, t := range c.topics {
		if err := found[t].Err; err != nil {
			return fmt.Errorf("topic %s: %w", t, err)
		}
		if !found.Has(t) {
			return fmt.Errorf("topic %s: %w", t, kerr.UnknownTopicOrPartition)
		}
	}
	return nil
}

func (c *consumer) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxPartitionBytes(4 << 20),
	}
	if c.isolation == "committed" {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	return opts
}

// gapPatience is how long nothing may come before the rest of a range counts as empty:
// compaction may have left nothing at its end, of which no record tells.
const gapPatience = 8 * time.Second // longer than a fetch waits for records

// loop prints records until it has all that was asked for.
func (c *consumer) loop(ctx context.Context, cl *kgo.Client) error {
	for {
		poll, stop := ctx, context.CancelFunc(func() {})
		if c.left != nil && (c.joined == nil || c.joined.Load()) {
			poll, stop = context.WithTimeout(ctx, gapPatience)
		}
		fetches := cl.PollFetches(poll)
		idle := poll.Err() != nil
		stop()
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return errors.Join(c.out.Flush(), ctx.Err())
		}
		if idle {
			c.warn("nothing came in %s: taken as the end of %s", gapPatience, c.left)
			return c.out.Flush()
		}
		for _, e := range fetches.Errors() {
			return errors.Join(c.out.Flush(), fmt.Errorf("topic %s partition %d: %w", e.Topic, e.Partition, e.Err))
		}
		enough, err := c.take(cl, fetches)
		cl.AllowRebalance()
		if err := errors.Join(err, c.out.Flush()); err != nil || enough {
			return err
		}
	}
}

// take prints records and marks them as consumed. It reports whether that is enough.
func (c *consumer) take(cl *kgo.Client, fetches kgo.Fetches) (bool, error) {
	for it := fetches.RecordIter(); !it.Done(); {
		r := it.Next()
		beyond := c.left.reached(r)
		if !beyond && !r.Attrs.IsControl() && c.wanted(r) {
			if err := c.print(r); err != nil {
				return true, err
			}
			c.printed++
		}
		if c.group != "" && !beyond {
			cl.MarkCommitRecords(r)
		}
		if c.count > 0 && c.printed == c.count {
			return true, nil
		}
	}
	return c.left != nil && c.left.done(), nil
}

func (c *consumer) wanted(r *kgo.Record) bool {
	if c.match == nil || c.match.Match(r.Key) || c.match.Match(r.Value) {
		return true
	}
	return slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool {
		return c.match.MatchString(h.Key) || c.match.Match(h.Value)
	})
}

func (c *consumer) print(r *kgo.Record) error {
	if c.json {
		enc := json.NewEncoder(c.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(toJSON(r))
	}
	c.buf = append(c.layout.write(c.buf[:0], r, c.null), c.delimiter...)
	_, err := c.out.Write(c.buf)
	return err
}

// pending is what is still to come of bounded partitions. A nil one knows no bounds.
type pending map[string]map[int32]int64

func newPending(r ranges) pending {
	p := make(pending)
	for t, ps := range r {
		for n, b := range ps {
			if b.from < b.to {
				p.expect(t, n, b.to)
			}
		}
	}
	return p
}

func (p pending) expect(topic string, partition int32, to int64) {
	if p[topic] == nil {
		p[topic] = make(map[int32]int64)
	}
	p[topic][partition] = to
}

// reached takes note of a record, and reports whether it is beyond what was asked for.
func (p pending) reached(r *kgo.Record) bool {
	if p == nil {
		return false
	}
	to, ok := p[r.Topic][r.Partition]
	if !ok {
		return true
	}
	if r.Offset >= to-1 {
		if delete(p[r.Topic], r.Partition); len(p[r.Topic]) == 0 {
			delete(p, r.Topic)
		}
	}
	return r.Offset >= to
}

func (p pending) done() bool { return len(p) == 0 }

func (p pending) String() string {
	var list []string
	for t, ps := range p {
		for n := range ps {
			list = append(list, fmt.Sprintf("%s-%d", t, n))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
