package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func init() { nouns = append(nouns, brokerCommand) }

func brokerCommand(a *App) *cobra.Command {
	return noun("broker", "Look at brokers, their settings and folders, and empty them",
		brokerList(a), brokerDescribe(a), brokerConfig(a), brokerLogDirs(a),
		brokerDrain(a), brokerUndrain(a), brokerUnregister(a))
}

type brokerItem struct {
	ID         int32   `json:"id"`
	Host       string  `json:"host"`
	Port       int32   `json:"port"`
	Rack       *string `json:"rack"`
	Controller bool    `json:"controller"`
	Leads      int     `json:"leads"`    // partitions
	Replicas   int     `json:"replicas"` // partitions, led or followed
}

func (b brokerItem) address() string {
	return net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
}

func brokerItems(md kadm.Metadata) []brokerItem {
	out := []brokerItem{}
	for _, b := range md.Brokers {
		item := brokerItem{ID: b.NodeID, Host: b.Host, Port: b.Port, Rack: b.Rack, Controller: b.NodeID == md.Controller}
		md.Topics.EachPartition(func(p kadm.PartitionDetail) {
			if p.Leader == b.NodeID {
				item.Leads++
			}
			if slices.Contains(p.Replicas, b.NodeID) {
				item.Replicas++
			}
		})
		out = append(out, item)
	}
	slices.SortFunc(out, func(x, y brokerItem) int { return int(x.ID) - int(y.ID) })
	return out
}

func brokerTable(brokers []brokerItem) *listing {
	l := &listing{kind: "BrokerList", noun: "broker", columns: []string{"broker", "address", "rack", "controller", "leads", "replicas"}}
	for _, b := range brokers {
		rack := "-"
		if b.Rack != nil {
			rack = orDash(*b.Rack)
		}
		l.add(b, fmt.Sprint(b.ID), b.address(), rack, yesNo(b.Controller), fmt.Sprint(b.Leads), fmt.Sprint(b.Replicas))
	}
	return l
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func brokerList(a *App) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List brokers",
		Example: `  odradek broker list
  odradek broker list -o name`,
		Args: exactly(),
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, _ []string) error {
			md, err := adm.Metadata(ctx)
			if err != nil {
				return err
			}
			return a.print(brokerTable(brokerItems(md)))
		}),
	}
}

type brokerDescription struct {
	brokerItem
	Configs []configItem `json:"configs"` // those that were altered while it runs
	Dirs    []logDirItem `json:"logDirs"`
}

func brokerDescribe(a *App) *cobra.Command {
	return &cobra.Command{
		Use:   "describe BROKER...",
		Short: "Show brokers, their altered settings and folders",
		Example: `  odradek broker describe 1
  odradek broker describe 1 -o json`,
		Args:              names(1, "BROKER"),
		ValidArgsFunction: a.completeBrokers,
		RunE: a.withAdmin(func(ctx context.Context, adm *kadm.Client, args []string) error {
			md, err := adm.Metadata(ctx)
			if err != nil {
				return err
			}
			l := &listing{kind: "BrokerDescription", noun: "broker"}
			var described []brokerDescription
			for _, arg := range uniq(args) {
				id, err := brokerID(arg)
				if err != nil {
					return err
				}
				i := slices.IndexFunc(md.Brokers, func(b kadm.BrokerDetail) bool { return b.NodeID == id })
				if i < 0 {
					l.fail(arg, &codedError{kerr.BrokerIDNotRegistered, exitNotFound})
					continue
				}
				d, err := describeBroker(ctx, adm, md, id)
				if err != nil {
					return err
				}
				described = append(described, d)
				l.add(d, arg)
			}
			l.text = func(w io.Writer) error { return a.writeBrokers(w, described) }
			return a.print(l)
		}),
	}
}

func brokerID(arg string) (int32, error) {
	id, err := strconv.ParseInt(arg, 10, 32)
	if err != nil || id < 0 {
		return 0, usagef("%q is no broker id: want a number", arg)
	}
	return int32(id), nil
}

func describeBroker(ctx context.Context, adm *kadm.Client, md kadm.Metadata, id int32) (brokerDescription, error) {
	d := brokerDescription{Configs: []configItem{}, Dirs: []logDirItem{}}
	for _, b := range brokerItems(md) {
		if b.ID == id {
			d.brokerItem = b
		}
	}
	configs, err := adm.DescribeBrokerConfigs(ctx, id)
	if err != nil {
		return d, err
	}
	for _, rc := range configs {
		d.Configs = append(d.Configs, onlyChanged(rc.Configs)...)
	}
	dirs, err := adm.DescribeBrokerLogDirs(ctx, id, nil)
	if err != nil {
		return d, err
	}
	for _, dir := range dirs.Sorted() {
		d.Dirs = append(d.Dirs, newLogDirItem(dir, false))
	}
	return d, nil
}

func (a *App) writeBrokers(w io.Writer, brokers []brokerDescription) error {
	for i, b := range brokers {
		if i > 0 {
			fmt.Fprintln(w)
		}
		rack := "-"
		if b.Rack != nil {
			rack = orDash(*b.Rack)
		}
		fmt.Fprintf(w, "broker      %d\naddress     %s\nrack        %s\ncontroller  %s\nleads       %d\nreplicas    %d\n",
			b.ID, b.address(), rack, yesNo(b.Controller), b.Leads, b.Replicas)
		for _, c := range b.Configs {
			fmt.Fprintf(w, "config      %s=%s\n", c.Key, c.shown())
		}
		fmt.Fprintln(w)
		if err := a.out.table(w, logDirTable(b.Dirs)); err != nil {
			return err
		}
	}
	return nil
}
