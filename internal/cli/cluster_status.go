package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// clusterStatusItem is the cluster as a person wants to see it.
type clusterStatusItem struct {
	ID         string         `json:"id"`
	Controller int32          `json:"controller"`
	Quorum     *quorumItem    `json:"quorum,omitempty"`
	Brokers    []brokerView   `json:"brokers"`
	Topics     int            `json:"topics"`
	Partitions int            `json:"partitions"`
	Troubles   map[string]int `json:"troubles"` // partitions by what is wrong with them
	Moving     []moveItem     `json:"moving"`
	Progress   *progressItem  `json:"progress,omitempty"`
}

// moveItem is a partition that moves, and how far it is.
type moveItem struct {
	reassignment
	Bytes  int64 `json:"bytes"`  // to copy; -1: not known
	Copied int64 `json:"copied"` // of these
}

// progressItem sums up what moves.
type progressItem struct {
	Bytes       int64 `json:"bytes"`
	Copied      int64 `json:"copied"`
	BytesPerSec int64 `json:"bytesPerSecond"`
	SecondsLeft int64 `json:"secondsLeft"` // -1: not known
}

func clusterStatus(a *App) *cobra.Command {
	var sample time.Duration
	c := &cobra.Command{
		Use:   "status",
		Short: "Show who leads, who is behind, and what moves",
		Long: `Show the cluster: its quorum, its brokers with what they lead, follow and are behind,
partitions in trouble, and what moves, how fast, and when it will be done. While something
moves, the cluster is looked at twice, --sample apart, to know the speed.`,
		Example: `  odradek cluster status
  odradek cluster status -o json --sample 5s`,
		Args: exactly(),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, _ []string) error {
			return a.showCluster(ctx, cl, sample)
		}),
	}
	c.Flags().DurationVar(&sample, "sample", time.Second, "how long to watch what moves")
	return c
}

func (a *App) showCluster(ctx context.Context, cl *kgo.Client, sample time.Duration) error {
	v, err := lookAround(ctx, cl)
	if err != nil {
		return err
	}
	minISR, err := minISRs(ctx, kadm.NewClient(cl), v.md.Topics.Names())
	if err != nil {
		return err
	}
	began := time.Now()
	p := v.progress()
	p.observe(began, v.copied(), 0)
	if len(v.moving) > 0 && sample > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sample):
		}
		later, err := lookAround(ctx, cl)
		if err != nil {
			return err
		}
		// Those that have arrived meanwhile are done.
		p.observe(time.Now(), later.copied()+v.arrived(later), len(v.moving)-len(later.moving))
		v = later
	}
	item := v.status(minISR, p)
	l := &listing{kind: "ClusterStatus", noun: "cluster"}
	l.add(item, item.ID)
	l.text = func(w io.Writer) error { return a.writeStatus(w, item, p) }
	return a.print(l)
}

func (v *view) status(minISR map[string]int, p *progress) clusterStatusItem {
	item := clusterStatusItem{
		ID: v.md.Cluster, Controller: v.md.Controller, Quorum: v.quorum, Brokers: v.brokers(),
		Topics: len(v.md.Topics), Troubles: map[string]int{}, Moving: []moveItem{},
	}
	if v.quorum != nil {
		item.Controller = v.quorum.Leader // metadata names any broker: each passes requests on
	}
	v.md.Topics.EachPartition(func(d kadm.PartitionDetail) {
		item.Partitions++
		if word, _ := partitionTrouble(d, minISR[d.Topic]); word != "" {
			item.Troubles[word]++
		}
		if len(d.Replicas) > 0 && d.Leader >= 0 && d.Leader != d.Replicas[0] {
			item.Troubles["not-preferred"]++
		}
	})
	for _, r := range v.moving {
		bytes, copied := v.moveBytes(r)
		item.Moving = append(item.Moving, moveItem{r, bytes, copied})
	}
	if len(item.Moving) > 0 {
		item.Progress = &progressItem{Bytes: p.total, Copied: p.done, BytesPerSec: int64(p.speed()), SecondsLeft: int64(p.left().Seconds())}
		if p.left() < 0 {
			item.Progress.SecondsLeft = -1
		}
	}
	return item
}

// moveBytes is how much a reassignment must copy and has copied, -1 if not known.
func (v *view) moveBytes(r reassignment) (bytes, copied int64) {
	whole := int64(-1)
	for _, id := range r.Replicas {
		if !slices.Contains(r.Adding, id) {
			whole = max(whole, v.sizeOn(id, r.Topic, r.Partition))
		}
	}
	if whole < 0 {
		return -1, 0
	}
	for _, id := range r.Adding {
		bytes += whole
		copied += min(max(0, v.sizeOn(id, r.Topic, r.Partition)), whole)
	}
	return bytes, copied
}

// progress begins a progress of everything that moves.
func (v *view) progress() *progress {
	p := &progress{totalParts: len(v.moving)}
	for _, r := range v.moving {
		bytes, _ := v.moveBytes(r)
		p.total += max(0, bytes)
	}
	return p
}

func (v *view) copied() (sum int64) {
	for _, r := range v.moving {
		_, copied := v.moveBytes(r)
		sum += copied
	}
	return sum
}

// arrived is what those copied that moved at v and no longer do.
func (v *view) arrived(later *view) (sum int64) {
	for _, r := range v.moving {
		if !slices.ContainsFunc(later.moving, func(o reassignment) bool { return o.Topic == r.Topic && o.Partition == r.Partition }) {
			bytes, _ := v.moveBytes(r)
			sum += max(0, bytes)
		}
	}
	return sum
}

// troubleWords are what can be wrong with partitions, the worst first.
var troubleWords = []string{"offline", "under-min-isr", "under-replicated", "not-preferred"}

func (a *App) writeStatus(w io.Writer, c clusterStatusItem, p *progress) error {
	fmt.Fprintf(w, "cluster     %s\ncontroller  %s%s\n", c.ID, orNone(c.Controller), quorumWords(c.Quorum))
	fmt.Fprintf(w, "partitions  %d in %s%s\n\n", c.Partitions, count(c.Topics, "topic"), troubleText(c.Troubles))
	t := &listing{columns: []string{"broker", "address", "rack", "state", "quorum", "leads", "preferred", "replicas", "out-of-sync", "behind", "size"}}
	for _, b := range c.Brokers {
		t.add(nil, fmt.Sprint(b.ID), cmp.Or(addressOf(b), "-"), rackOf(b), b.State, roleIn(c.Quorum, b.ID), fmt.Sprint(b.Leads), fmt.Sprint(b.Preferred),
			fmt.Sprint(b.Replicas), fmt.Sprint(b.OutOfSync), known(b.Behind), knownSize(b.Bytes))
	}
	if err := a.out.table(w, t); err != nil || len(c.Moving) == 0 {
		return err
	}
	fmt.Fprintf(w, "\nmoving      %s\n\n", p)
	return a.out.table(w, movingTable(c.Moving))
}

func movingTable(moving []moveItem) *listing {
	t := &listing{kind: "MovingList", noun: "partition", columns: []string{"partition", "replicas", "adding", "removing", "copied", "of"}}
	for _, m := range moving {
		t.add(m, partitionName(m.Topic, m.Partition), ids(m.Replicas), orDash(ids(m.Adding)), orDash(ids(m.Removing)), size(m.Copied), knownSize(m.Bytes))
	}
	return t
}

func addressOf(b brokerView) string {
	if b.Host == "" {
		return ""
	}
	return b.address()
}

func rackOf(b brokerView) string {
	if b.Rack == nil {
		return "-"
	}
	return orDash(*b.Rack)
}

func roleIn(q *quorumItem, id int32) string { return (&view{quorum: q}).role(id) }

// quorumWords sums the quorum up: how many vote, and who is behind.
func quorumWords(q *quorumItem) string {
	if q == nil {
		return "   the quorum does not answer"
	}
	voters, observers, behind := 0, 0, ""
	for _, r := range q.Replicas {
		switch r.Role {
		case "observer":
			observers++
		default:
			voters++
		}
		if r.Behind > 0 {
			behind += fmt.Sprintf(", %d is %d behind", r.Node, r.Behind)
		}
	}
	text := fmt.Sprintf("   epoch %d, %s", q.Epoch, count(voters, "voter"))
	if observers > 0 {
		text += ", " + count(observers, "observer")
	}
	return text + behind
}

func troubleText(troubles map[string]int) string {
	text := ""
	for _, word := range troubleWords {
		if n := troubles[word]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, word)
		}
	}
	return text
}
