package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

type logDirItem struct {
	Broker     int32     `json:"broker"`
	Dir        string    `json:"dir"`
	Total      int64     `json:"totalBytes"` // of the volume; -1: not known
	Usable     int64     `json:"usableBytes"`
	Used       int64     `json:"usedBytes"` // by partitions
	Partitions int       `json:"partitions"`
	Error      string    `json:"error,omitempty"`
	List       []dirPart `json:"partitionList,omitempty"`
}

type dirPart struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Size      int64  `json:"sizeBytes"`
	Lag       int64  `json:"offsetLag"`
	Future    bool   `json:"future"`
}

func newLogDirItem(d kadm.DescribedLogDir, parts bool) logDirItem {
	item := logDirItem{Broker: d.Broker, Dir: d.Dir, Total: d.TotalBytes, Usable: d.UsableBytes, Used: d.Topics.Size()}
	if d.Err != nil {
		item.Error = explain(d.Err)
	}
	for _, p := range d.Topics.Sorted() {
		item.Partitions++
		if parts {
			item.List = append(item.List, dirPart{p.Topic, p.Partition, p.Size, p.OffsetLag, p.IsFuture})
		}
	}
	return item
}

func logDirTable(dirs []logDirItem) *listing {
	l := &listing{kind: "LogDirList", noun: "folder", columns: []string{"dir", "broker", "partitions", "used-bytes", "usable-bytes", "total-bytes", "error"}}
	for _, d := range dirs {
		l.add(d, d.Dir, fmt.Sprint(d.Broker), fmt.Sprint(d.Partitions), fmt.Sprint(d.Used), unknown(d.Usable), unknown(d.Total), orDash(d.Error))
	}
	return l
}

func brokerLogDirs(a *App) *cobra.Command {
	var parts bool
	c := &cobra.Command{
		Use:   "log-dirs [BROKER...]",
		Short: "Show the folders in which brokers keep partitions, and what they hold",
		Example: `  odradek broker log-dirs
  odradek broker log-dirs 1 --partitions`,
		ValidArgsFunction: a.completeBrokers,
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			dirs, err := logDirs(ctx, adm, args, parts)
			if err != nil {
				return err
			}
			l := logDirTable(dirs)
			if parts {
				byPartition(l, dirs)
			}
			return a.print(l)
		}),
	}
	c.Flags().BoolVar(&parts, "partitions", false, "show a line a partition")
	return c
}

func logDirs(ctx context.Context, adm *kadm.Client, args []string, parts bool) ([]logDirItem, error) {
	var out []logDirItem
	if len(args) == 0 {
		all, err := adm.DescribeAllLogDirs(ctx, nil)
		if err != nil {
			return nil, err
		}
		for _, d := range all.Sorted() {
			out = append(out, newLogDirItem(d, parts))
		}
		return out, nil
	}
	for _, arg := range uniq(args) {
		id, err := brokerID(arg)
		if err != nil {
			return nil, err
		}
		dirs, err := adm.DescribeBrokerLogDirs(ctx, id, nil)
		if err != nil {
			return nil, brokerErr(arg, err)
		}
		for _, d := range dirs.Sorted() {
			out = append(out, newLogDirItem(d, parts))
		}
	}
	return out, nil
}

// byPartition makes the rows of l partitions; the items stay folders.
func byPartition(l *listing, dirs []logDirItem) {
	l.columns = []string{"dir", "broker", "topic", "partition", "size-bytes", "lag"}
	l.rows = nil
	for _, d := range dirs {
		for _, p := range d.List {
			l.rows = append(l.rows, []string{d.Dir, fmt.Sprint(d.Broker), p.Topic, fmt.Sprint(p.Partition), fmt.Sprint(p.Size), fmt.Sprint(p.Lag)})
		}
	}
}
