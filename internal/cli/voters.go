package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func clusterVoters(a *App) *cobra.Command {
	return noun("voters", "Look at who votes in the metadata quorum, and change it",
		votersList(a), votersAdd(a), votersRemove(a), votersReplace(a))
}

// voterItem is a member of the quorum.
type voterItem struct {
	Node      int32   `json:"node"`
	Role      string  `json:"role"`      // leader, voter or observer
	Directory string  `json:"directory"` // id of its metadata folder; "" if not known
	End       int64   `json:"endOffset"`
	Behind    int64   `json:"behind"`       // entries that it does not have yet
	CaughtUp  float64 `json:"caughtUpSecs"` // how long ago it had everything; -1: not known
}

func votersList(a *App) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List voters and observers, and how far each is behind",
		Example: `  odradek cluster voters list
  odradek cluster voters list -o json`,
		Args: exactly(),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, _ []string) error {
			p, err := describeQuorum(ctx, cl)
			if err != nil {
				return err
			}
			l := &listing{kind: "VoterList", noun: "voter", columns: []string{"node", "role", "directory", "end", "behind", "caught-up"}}
			for _, v := range voterItems(p, time.Now()) {
				l.add(v, fmt.Sprint(v.Node), v.Role, orDash(v.Directory), fmt.Sprint(v.End), fmt.Sprint(v.Behind), ago(v.CaughtUp))
			}
			return a.print(l)
		}),
	}
}

func voterItems(p kmsg.DescribeQuorumResponseTopicPartition, now time.Time) []voterItem {
	states := append(append([]kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}, p.CurrentVoters...), p.Observers...)
	var out []voterItem
	for i, r := range newQuorumItem(p).Replicas {
		v := voterItem{Node: r.Node, Role: r.Role, End: r.End, Behind: r.Behind, CaughtUp: -1}
		if id := model.ID(states[i].ReplicaDirectoryID); !id.IsZero() {
			v.Directory = id.String()
		}
		switch at := states[i].LastCaughtUpTimestamp; {
		case r.Role == "leader":
			v.CaughtUp = 0
		case at >= 0:
			v.CaughtUp = max(0, now.Sub(time.UnixMilli(at)).Seconds())
		}
		out = append(out, v)
	}
	return out
}

// ago words how long ago something was.
func ago(seconds float64) string {
	switch {
	case seconds < 0:
		return "?"
	case seconds < 1:
		return "now"
	}
	return time.Duration(seconds*float64(time.Second)).Round(time.Second).String() + " ago"
}

// voter is whom a command is about.
type voter struct {
	directory string
	listeners []string
}

func (v *voter) flags(c *cobra.Command, listeners bool) {
	c.Flags().StringVar(&v.directory, "directory", "", "id of the node's metadata folder; default: the one that it registered")
	if listeners {
		c.Flags().StringArrayVar(&v.listeners, "listener", nil, "NAME://HOST:PORT at which it listens; default: what it registered; may be repeated")
	}
}

// directoryID reads --directory; without it, and if the quorum does not tell, it is zero,
// which means whichever the node has.
func (v *voter) directoryID(id int32, p kmsg.DescribeQuorumResponseTopicPartition) (out model.ID, err error) {
	if v.directory != "" {
		out, err = model.ParseID(v.directory)
		return out, usage(err)
	}
	for _, list := range [][]kmsg.DescribeQuorumResponseTopicPartitionReplicaState{p.CurrentVoters, p.Observers} {
		for _, s := range list {
			if s.ReplicaID == id {
				return model.ID(s.ReplicaDirectoryID), nil
			}
		}
	}
	return out, nil
}

func votersAdd(a *App) *cobra.Command {
	var v voter
	c := &cobra.Command{
		Use:   "add NODE",
		Short: "Give a node a vote",
		Long: `Give a node a vote in the metadata quorum. It must run with process.roles=controller
and know the cluster (controller.quorum.bootstrap.servers or controller.quorum.voters).
It gets its vote when it has caught up.`,
		Example: `  odradek cluster voters add 4
  odradek cluster voters add 4 --directory qeK3m0n9T2mJ0bZ3o0hXkA`,
		Args: exactly("NODE"),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
			id, err := brokerID(args[0])
			if err != nil {
				return err
			}
			p, err := describeQuorum(ctx, cl)
			if err != nil {
				return err
			}
			if err := a.addVoter(ctx, cl, id, &v, p); err != nil {
				return voterErr(id, err)
			}
			return a.voterChanged(id, "added")
		}),
	}
	v.flags(c, true)
	return c
}

func (a *App) addVoter(ctx context.Context, cl *kgo.Client, id int32, v *voter, p kmsg.DescribeQuorumResponseTopicPartition) error {
	req := kmsg.NewPtrAddRaftVoterRequest()
	req.VoterID, req.TimeoutMillis = id, int32(a.conn.timeout.Milliseconds())
	dir, err := v.directoryID(id, p)
	if err != nil {
		return err
	}
	req.VoterDirectoryID = dir
	for _, text := range v.listeners {
		l, err := parseListener(text)
		if err != nil {
			return err
		}
		req.Listeners = append(req.Listeners, l)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return answered(resp.ErrorCode, resp.ErrorMessage)
}

func parseListener(text string) (l kmsg.AddRaftVoterRequestListener, err error) {
	name, address, ok := strings.Cut(text, "://")
	host, port, err := net.SplitHostPort(address)
	n, err2 := strconv.ParseUint(port, 10, 16)
	if !ok || name == "" || host == "" || err != nil || err2 != nil {
		return l, usagef("--listener %s: want NAME://HOST:PORT", text)
	}
	l.Name, l.Host, l.Port = strings.ToUpper(name), host, uint16(n)
	return l, nil
}

// answered is the error that a response bears, in the broker's own words.
func answered(code int16, message *string) error {
	err := kerr.ErrorForCode(code)
	if err == nil || message == nil {
		return err
	}
	return said(err, *message)
}

func votersRemove(a *App) *cobra.Command {
	var v voter
	c := &cobra.Command{
		Use:   "remove NODE",
		Short: "Take a node's vote",
		Long: `Take a node's vote in the metadata quorum. It may run on as an observer; if it is gone
for good, the quorum no longer waits for it.`,
		Example: `  odradek cluster voters remove 4`,
		Args:    exactly("NODE"),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
			id, err := brokerID(args[0])
			if err != nil {
				return err
			}
			p, err := describeQuorum(ctx, cl)
			if err != nil {
				return err
			}
			if len(p.CurrentVoters) <= 1 && isVoter(p, id) {
				return &codedError{fmt.Errorf("voter %d is the only one: without it the cluster could decide nothing", id), exitFailed}
			}
			if err := removeVoter(ctx, cl, id, &v, p); err != nil {
				return voterErr(id, err)
			}
			return a.voterChanged(id, "removed")
		}),
	}
	v.flags(c, false)
	return c
}

func isVoter(p kmsg.DescribeQuorumResponseTopicPartition, id int32) bool {
	for _, s := range p.CurrentVoters {
		if s.ReplicaID == id {
			return true
		}
	}
	return false
}

func removeVoter(ctx context.Context, cl *kgo.Client, id int32, v *voter, p kmsg.DescribeQuorumResponseTopicPartition) error {
	req := kmsg.NewPtrRemoveRaftVoterRequest()
	req.VoterID = id
	dir, err := v.directoryID(id, p)
	if err != nil {
		return err
	}
	req.VoterDirectoryID = dir
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return answered(resp.ErrorCode, resp.ErrorMessage)
}

func votersReplace(a *App) *cobra.Command {
	var with int32
	c := &cobra.Command{
		Use:   "replace NODE",
		Short: "Replace a voter that is lost, or has lost its disk",
		Long: `Take the vote of a node that lost its metadata folder, wait until it runs again, with an
empty folder, and give it a new vote when it has caught up; or give it to another node, --with. A majority of the voters must be there.
The order is remove, then add: a node with an empty folder must not vote with its old vote,
since it has forgotten what it promised.`,
		Example: `  odradek cluster voters replace 3
  odradek cluster voters replace 3 --with 4`,
		Args: exactly("NODE"),
		RunE: a.withClient(func(ctx context.Context, cl *kgo.Client, args []string) error {
			id, err := brokerID(args[0])
			if err != nil {
				return err
			}
			if with < 0 {
				with = id
			}
			return a.replaceVoter(ctx, cl, id, with)
		}),
	}
	c.Flags().Int32Var(&with, "with", -1, "the node that votes instead; -1 is the same, with its new folder")
	return c
}

// replaceVoter takes one vote and gives another. If it was interrupted between the two, it
// goes on where it was.
func (a *App) replaceVoter(ctx context.Context, cl *kgo.Client, id, with int32) error {
	p, err := describeQuorum(ctx, cl)
	if err != nil {
		return err
	}
	if isVoter(p, id) {
		if err := removeVoter(ctx, cl, id, &voter{}, p); err != nil && !errors.Is(err, kerr.VoterNotFound) {
			return voterErr(id, err)
		}
		a.warn("voter %d is removed; waiting for %d to join", id, with)
	}
	// A node whose folder is new is known by it only after it has come back.
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		err := a.addVoter(ctx, cl, with, &voter{}, kmsg.DescribeQuorumResponseTopicPartition{})
		if err == nil || errors.Is(err, kerr.DuplicateVoter) {
			return a.voterChanged(with, "replaced")
		}
		if ctx.Err() == nil && !errors.Is(err, kerr.InvalidRequest) && !errors.Is(err, kerr.NotController) && !errors.Is(err, kerr.RequestTimedOut) {
			return voterErr(with, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("voter %d is removed and %d is not added yet: start it, then odradek cluster voters add %d: %w", id, with, with, err)
		case <-tick.C:
		}
	}
}

func voterErr(id int32, err error) error { return fmt.Errorf("voter %d: %w", id, err) }

// voterChange is what was done to a voter.
type voterChange struct {
	Node   int32  `json:"node"`
	Status string `json:"status"`
}

func (a *App) voterChanged(id int32, status string) error {
	l := &listing{kind: "VoterChange", noun: "voter", columns: []string{"voter", "status"}}
	l.add(voterChange{id, status}, fmt.Sprint(id), status)
	return a.print(l)
}
