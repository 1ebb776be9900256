package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/odradek/odradek/internal/cli/balance"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// mover carries out moves of a plan, some at a time, and tells how far it is. The cluster
// moves them by itself once they are asked for: who is interrupted leaves those to go on,
// and who starts again plans anew from where everything is then.
type mover struct {
	*App
	throttle string // bytes a second, with K, M or G; "" for none
	atOnce   int    // partitions that copy at a time
	wait     time.Duration

	cl   *kgo.Client
	adm  *kadm.Client
	rate int64
	told time.Time
}

func (m *mover) flags(c *cobra.Command) {
	c.Flags().StringVar(&m.throttle, "throttle", "", "bytes a second that each broker copies at most: 500K, 50M, 1G; default: no limit")
	c.Flags().IntVar(&m.atOnce, "at-once", 50, "how many partitions to copy at a time")
	c.Flags().DurationVar(&m.wait, "wait", 0, "how long to wait for the end; what moves goes on after that; 0 waits until it is done")
}

// with runs work with a connection, for as long as it takes: --timeout is for the
// requests, --wait for the whole.
func (m *mover) with(work func(context.Context, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) (err error) {
		if m.rate, err = parseBytes(m.throttle); err != nil {
			return usagef("--throttle: %v", err)
		}
		if m.atOnce < 1 {
			return usagef("--at-once %d: want at least 1", m.atOnce)
		}
		if m.cl, err = m.client(kgo.RequestRetries(5), fresh); err != nil {
			return err
		}
		defer m.cl.Close()
		m.adm = kadm.NewClient(m.cl)
		m.adm.SetTimeoutMillis(int32(m.conn.timeout.Milliseconds()))
		ctx := c.Context()
		if m.wait > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, m.wait)
			defer cancel()
		}
		return work(ctx, args)
	}
}

// parseBytes reads a number of bytes: 1000, 500K, 50M, 1G; "" is 0.
func parseBytes(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	shift := map[byte]int{'K': 10, 'k': 10, 'M': 20, 'm': 20, 'G': 30, 'g': 30}[text[len(text)-1]]
	number := text
	if shift > 0 {
		number = text[:len(text)-1]
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > 1<<62>>shift {
		return 0, fmt.Errorf("%q is no number of bytes such as 500K or 50M", text)
	}
	return n << shift, nil
}

// planned prints what would be moved.
func (a *App) planned(moves []balance.Move) error {
	l := &listing{kind: "MoveList", noun: "partition", columns: []string{"partition", "from", "to", "leader", "copies"}}
	var copied int64
	for _, m := range moves {
		name := partitionName(m.Topic, m.Partition.Partition)
		l.add(plannedMove{m.Topic, m.Partition.Partition, m.Replicas, m.To, m.Copied()}, name, ids(m.Replicas), ids(m.To), leaderWord(m), size(m.Copied()))
		copied += m.Copied()
	}
	l.text = func(w io.Writer) error {
		if len(moves) == 0 {
			_, err := fmt.Fprintln(w, "nothing is to be moved")
			return err
		}
		if err := a.out.table(w, l); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "\n%s, %s to copy\n", count(len(moves), "partition"), size(copied))
		return err
	}
	return a.print(l)
}

// plannedMove is a partition that a plan moves.
type plannedMove struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	From      []int32 `json:"from"`
	To        []int32 `json:"to"`
	Copied    int64   `json:"copiedBytes"`
}

func leaderWord(m balance.Move) string {
	if m.Replicas[0] == m.To[0] {
		return fmt.Sprint(m.To[0])
	}
	return fmt.Sprintf("%d->%d", m.Replicas[0], m.To[0])
}

// pace is how often the cluster is asked how far it is.
const pace = 500 * time.Millisecond

// run carries out the moves and returns when all are done. Moves that were under way
// before are awaited too.
func (m *mover) run(ctx context.Context, moves []balance.Move) error {
	waiting := slices.Clone(moves)
	p := &progress{totalParts: len(moves)}
	for _, mv := range moves {
		p.total += mv.Copied()
	}
	switch err := m.setThrottle(ctx, moves); {
	case ctx.Err() != nil:
		return m.interrupted(ctx, len(waiting), 0)
	case err != nil:
		return err
	}
	failed := &listing{kind: "MoveList", noun: "partition"}
	m.told = time.Now()
	var asked []balance.Move
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		moving, err := listReassignments(ctx, m.cl)
		if err == nil {
			var more []balance.Move
			if room := m.atOnce - len(moving); room > 0 && len(waiting) > 0 {
				more, waiting = waiting[:min(room, len(waiting))], waiting[min(room, len(waiting)):]
			}
			if len(more) > 0 {
				err = m.ask(ctx, more, failed)
				asked = append(asked, more...)
			} else if len(moving) == 0 && len(waiting) == 0 {
				break
			}
		}
		if err != nil && ctx.Err() == nil && exitCode(err) != exitUnreachable && exitCode(err) != exitTimeout {
			return err
		}
		m.tell(ctx, p, asked, moving)
		select {
		case <-ctx.Done():
			return m.interrupted(ctx, len(waiting), len(moving))
		case <-tick.C:
		}
	}
	p.observe(time.Now(), p.total, p.totalParts-len(failed.errs))
	m.line(p, true)
	if err := m.elect(ctx, moves); err != nil {
		return err
	}
	if err := m.clearThrottle(ctx, moves); err != nil {
		return err
	}
	if len(failed.errs) > 0 {
		return m.print(failed)
	}
	return nil
}

// ask asks the cluster to move some. What it refuses is noted.
func (m *mover) ask(ctx context.Context, moves []balance.Move, failed *listing) error {
	var req kadm.AlterPartitionAssignmentsReq
	for _, mv := range moves {
		req.Assign(mv.Topic, mv.Partition.Partition, mv.To)
	}
	answers, err := m.adm.AlterPartitionAssignments(ctx, req)
	if err != nil {
		return err
	}
	for _, r := range answers.Sorted() {
		if r.Err != nil {
			failed.fail(partitionName(r.Topic, r.Partition), said(r.Err, r.ErrMessage))
		}
	}
	return nil
}

// tell tells how far it is: of those that were asked for, who no longer moves is done.
func (m *mover) tell(ctx context.Context, p *progress, asked []balance.Move, moving []reassignment) {
	dirs, _ := m.adm.DescribeAllLogDirs(ctx, nil) // beside an error, what was answered
	v := &view{dirs: dirs}
	var bytes int64
	parts := 0
	for _, mv := range asked {
		if !slices.ContainsFunc(moving, func(r reassignment) bool { return r.Topic == mv.Topic && r.Partition == mv.Partition.Partition }) {
			bytes += mv.Copied()
			parts++
			continue
		}
		for _, id := range mv.Added() {
			bytes += min(max(0, v.sizeOn(id, mv.Topic, mv.Partition.Partition)), mv.Bytes)
		}
	}
	p.observe(time.Now(), bytes, parts)
	m.line(p, false)
}

// line writes the progress: over itself for a person, now and then for a log.
func (m *mover) line(p *progress, last bool) {
	switch terminal := Terminal(m.Stderr); {
	case terminal && last:
		fmt.Fprintf(m.Stderr, "\r\033[K%s\n", p)
	case terminal:
		fmt.Fprintf(m.Stderr, "\r\033[K%s", p)
	case last || time.Since(m.told) > progressWindow:
		m.told = time.Now()
		fmt.Fprintln(m.Stderr, p)
	}
}

// interrupted says what goes on without the command.
func (m *mover) interrupted(ctx context.Context, waiting, moving int) error {
	if Terminal(m.Stderr) {
		fmt.Fprintln(m.Stderr)
	}
	m.warn("%s in motion go on by themselves, %d more were not begun. The same command goes on where it was; odradek partition cancel stops what moves", count(moving, "partition"), waiting)
	if m.rate > 0 {
		m.warn("the limit of speed stays until the command has run to its end")
	}
	return context.Cause(ctx)
}

// elect makes the preferred replicas lead, which may have changed.
func (m *mover) elect(ctx context.Context, moves []balance.Move) error {
	set := make(kadm.TopicsSet)
	for _, mv := range moves {
		set.Add(mv.Topic, mv.Partition.Partition)
	}
	if len(set) == 0 {
		return nil
	}
	answers, err := m.adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, set)
	if err != nil {
		return err
	}
	for _, parts := range answers {
		for _, r := range parts {
			// One that is not there yet will be elected by the cluster itself, later.
			if r.Err != nil && r.Err != kerr.ElectionNotNeeded && r.Err != kerr.PreferredLeaderNotAvailable { //nolint:errorlint // kadm returns the sentinels
				m.warn("partition %s keeps its leader for now: %v", partitionName(r.Topic, r.Partition), r.Err)
			}
		}
	}
	return nil
}
