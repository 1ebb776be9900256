package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/broker/settings"
	"github.com/odradek/odradek/internal/cli/compose"
	"github.com/odradek/odradek/internal/cli/local"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
)

func init() { nouns = append(nouns, upCommand) }

// upper is the up command: what was asked for, and the cluster it is about.
type upper struct {
	*App
	nodes     int
	base      int
	data      string
	compose   string
	overrides []string

	*local.Cluster
	draw  func(ctx context.Context, n int) ([]string, error) // free addresses
	fresh bool                                               // neither it nor the data of its nodes was there before
	began time.Time
}

func upCommand(a *App) *cobra.Command {
	u := &upper{App: a, draw: quietAddresses}
	c := &cobra.Command{
		Use:   "up",
		Short: "Start a cluster of several nodes on this machine",
		Long: `Start a cluster on this machine: each node is a process of its own, broker and voter,
with its own folder and ports, and outlives this command. The first five, or fewer if that
makes their number odd, vote. Nodes that run already are left alone, those that do not are
started, so up after a crash completes the cluster, and up with a greater -n lets it grow.

Clients are served on the base port and those after it, the nodes talk on the ports 100
higher, and metrics are 200 higher. Later nodes follow the quorum and can be given a vote
with odradek cluster voters add. With --from-compose the nodes are the brokers of a
docker-compose file: their ids, ports, settings and data folders, with the hosts of the
file on localhost and its folders inside the data folder.`,
		Example: `  odradek up
  odradek up -n 5 --base-port 19092 --data ./five
  odradek up --from-compose docker-compose.yml`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			return u.run(c.Context(), c.Flags().Changed("nodes"), c.Flags().Changed("base-port"))
		},
	}
	f := c.Flags()
	f.IntVarP(&u.nodes, "nodes", "n", 3, "how many nodes")
	f.IntVar(&u.base, "base-port", 9092, "the first node's port for clients; 0 takes free ones")
	f.StringVar(&u.compose, "from-compose", "", "file of Docker Compose whose brokers to run")
	f.StringArrayVar(&u.overrides, "override", nil, "a setting of every node, KEY=VALUE; may be repeated")
	dataFlag(c, &u.data)
	c.MarkFlagsMutuallyExclusive("nodes", "from-compose")
	return c
}

// dataFlag is the flag that says which cluster of this machine is meant.
func dataFlag(c *cobra.Command, data *string) {
	c.Flags().StringVar(data, "data", "", "the cluster's folder; default: odradek/cluster in the user's data folder")
}

// clusterDir is the folder of the cluster of this machine that is meant.
func (a *App) clusterDir(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	env := make(map[string]string)
	for _, kv := range a.Environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	dir := settings.DefaultDataDir(env)
	if dir == "" {
		return "", usagef("there is no home folder to keep data in: name one with --data")
	}
	return filepath.Join(filepath.Dir(dir), "cluster"), nil
}

func (u *upper) run(ctx context.Context, counted, based bool) (err error) {
	u.began = time.Now()
	dir, err := u.clusterDir(u.data)
	if err != nil {
		return err
	}
	if err := u.open(dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, u.Close()) }()
	u.fresh = len(u.State.Nodes) == 0
	if err := u.plan(ctx, counted, based); err != nil {
		return err
	}
	u.fresh = u.fresh && !slices.ContainsFunc(u.State.Nodes, u.wasStarted)
	ran := u.Running()
	if len(ran) == len(u.State.Nodes) {
		return u.tell(fmt.Sprintf("%s, running already", count(len(ran), "node")))
	}
	ctx, cancel := context.WithTimeout(ctx, u.conn.timeout)
	defer cancel()
	started, err := u.Up(ctx)
	for draws := 1; u.drewInVain(err) && draws < maxDraws; draws++ {
		started, err = u.drawAgain(ctx, counted, based)
	}
	if err == nil {
		err = u.awaitCluster(ctx)
	}
	if err != nil {
		return u.cannotUp(err)
	}
	if len(ran) > 0 {
		return u.tell(fmt.Sprintf("%s: %d ran, %d started", count(len(u.State.Nodes), "node"), len(ran), len(started)))
	}
	return u.tell(fmt.Sprintf("%s, ready in %d ms", count(len(started), "node"), time.Since(u.began).Milliseconds()))
}

func (u *upper) open(dir string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	c, err := local.Open(dir)
	if err != nil {
		return busy(err)
	}
	u.Cluster = c
	u.Program, u.Cluster.Environ = []string{exe, "start", "-o", "json", "--config"}, plainEnviron(u.App.Environ)
	return nil
}

// maxDraws is how often ports are drawn that others take before the nodes do.
const maxDraws = 3

// drewInVain says that a new cluster did not get a port that was drawn for it.
func (u *upper) drewInVain(err error) bool {
	_, lost := errors.AsType[*local.PortError](err)
	return lost && u.fresh && u.State.BasePort == 0 && u.compose == ""
}

func (u *upper) drawAgain(ctx context.Context, counted, based bool) ([]int32, error) {
	dir := u.Dir
	if err := u.discard(); err != nil {
		return nil, err
	}
	if err := u.open(dir); err != nil {
		return nil, err
	}
	if err := u.plan(ctx, counted, based); err != nil {
		return nil, err
	}
	return u.Up(ctx)
}

// discard deletes a cluster that never was whole, so nobody can have used it.
func (u *upper) discard() error {
	for _, n := range u.Running() {
		if _, err := u.Down(n.ID, stopPatience); err != nil {
			return err
		}
	}
	return u.Reset()
}

// busy words that another command holds the cluster.
func busy(err error) error {
	if errors.Is(err, local.ErrBusy) {
		return fmt.Errorf("%w: try again when it has ended", err)
	}
	return err
}

// cannotUp says what to do about what kept nodes from starting.
func (u *upper) cannotUp(err error) error {
	if port, ok := errors.AsType[*local.PortError](err); ok {
		fix := "stop it, or take other ports: odradek up --base-port 19092"
		if !u.fresh {
			fix = "stop it; or, if the data is not needed, odradek reset and odradek up with another --base-port"
		} else if err := u.discard(); err != nil {
			return err
		}
		return &codedError{fmt.Errorf("%w. Another program listens there: %s", port, fix), exitFailed}
	}
	if len(u.Running()) > 0 {
		err = fmt.Errorf("%w. Other nodes keep running: odradek status shows them, odradek up completes them, odradek down stops them", err)
	}
	return err
}

// plan settles which nodes the cluster has and writes their settings.
func (u *upper) plan(ctx context.Context, counted, based bool) error {
	switch {
	case u.compose != "":
		return u.planCompose(ctx)
	case u.State.From != "" && !counted:
		u.compose = u.State.From // as it was started before
		return u.planCompose(ctx)
	case u.State.From != "":
		return usagef("the cluster in %s comes from %s: -n cannot change it. Another one goes elsewhere: --data FOLDER", u.Dir, u.State.From)
	}
	want := u.nodes
	if have := len(u.State.Nodes); !counted && have > 0 {
		want = have
	}
	return u.planNodes(ctx, want, based)
}

// maxNodes is more than one machine has a use for.
const maxNodes = 100

func (u *upper) planNodes(ctx context.Context, want int, based bool) error {
	have := len(u.State.Nodes)
	switch {
	case want < 1 || want > maxNodes:
		return usagef("-n %d: want 1 to %d nodes", want, maxNodes)
	case want < have:
		return usagef("the cluster in %s has %d nodes. To take some away, empty them (odradek broker drain ID) first; odradek reset deletes all", u.Dir, have)
	case !u.fresh && based && u.base != u.State.BasePort:
		return usagef("the cluster in %s has base port %d, which stays", u.Dir, u.State.BasePort)
	case u.base < 0 || u.base+200+want > 65_535:
		return usagef("--base-port %d: the nodes' ports would end above 65535", u.base)
	}
	if u.fresh {
		u.State.ClusterID, u.State.BasePort = drawClusterID(), u.base
	}
	addrs, err := u.addresses(ctx, have, want)
	if err != nil {
		return err
	}
	for i := have; i < want; i++ {
		u.State.Nodes = append(u.State.Nodes, u.newNode(i, addrs[3*(i-have):]))
	}
	return u.writeSettings(func(n local.Node) map[string]string { return nodeSettings(u.Cluster, n) })
}

// writeSettings writes the nodes' settings with the overrides, and the state. What
// changed for a node that runs is told.
func (u *upper) writeSettings(of func(local.Node) map[string]string) error {
	over, err := keyValues(u.overrides)
	if err != nil {
		return err
	}
	for _, n := range u.State.Nodes {
		if n.Alive() && len(over) == 0 && u.compose == "" {
			continue // it keeps what it was started with
		}
		s := of(n)
		for k, v := range over {
			s[k] = *v
		}
		changed, err := u.WriteSettings(n, s)
		if err != nil {
			return err
		}
		if changed && n.Alive() {
			u.warn("node %d runs with its former settings: odradek down and up make it take the new ones", n.ID)
		}
	}
	return u.Save()
}

func drawClusterID() string {
	var id model.ID
	rand.Read(id[:])
	id[0] &= 0x7f // does not begin with -, which would look like an option
	return id.String()
}

// addresses are three for each node from have to want: for clients, for controllers and
// for the admin port.
func (u *upper) addresses(ctx context.Context, have, want int) ([]string, error) {
	if u.State.BasePort == 0 {
		return u.draw(ctx, 3*(want-have))
	}
	var addrs []string
	for i := have; i < want; i++ {
		for _, offset := range []int{0, 100, 200} {
			addrs = append(addrs, fmt.Sprintf("localhost:%d", u.State.BasePort+offset+i))
		}
	}
	return addrs, nil
}

// newNode is the node after the i nodes that there are, at the first three addresses. A
// node that comes to a cluster that ran before does not vote, but could: odradek cluster
// voters add.
func (u *upper) newNode(i int, addrs []string) local.Node {
	return local.Node{
		ID: int32(i + 1), Name: fmt.Sprintf("node-%d", i+1),
		Kafka: addrs[0], Controller: addrs[1], Admin: addrs[2],
		Waits: i >= compose.Voters(u.nodes) || slices.ContainsFunc(u.State.Nodes, u.wasStarted),
	}
}

func (u *upper) wasStarted(n local.Node) bool {
	_, err := os.Stat(u.DataDir(n))
	return err == nil
}

// nodeSettings are the settings of a node of a cluster that comes from no file.
func nodeSettings(c *local.Cluster, n local.Node) map[string]string {
	var voters []string
	for _, v := range c.State.Nodes {
		if v.Controller != "" && !v.Waits {
			voters = append(voters, fmt.Sprintf("%d@%s", v.ID, v.Controller))
		}
	}
	copies := min(3, len(c.State.Nodes))
	s := map[string]string{
		"node.id":                          fmt.Sprint(n.ID),
		"process.roles":                    "broker",
		"listeners":                        "PLAINTEXT://" + n.Kafka,
		"controller.listener.names":        "CONTROLLER",
		"controller.quorum.voters":         strings.Join(voters, ","),
		"log.dirs":                         c.DataDir(n),
		"odradek.admin.listener":           n.Admin,
		"odradek.cluster.id":               c.State.ClusterID,
		"default.replication.factor":       fmt.Sprint(copies),
		"min.insync.replicas":              fmt.Sprint(max(1, copies-1)),
		"offsets.topic.replication.factor": fmt.Sprint(copies),
	}
	if n.Controller != "" {
		s["process.roles"] = "broker,controller"
		s["listeners"] += ",CONTROLLER://" + n.Controller
	}
	return s
}

// bootstrap are the addresses at which clients find the cluster.
func bootstrap(c *local.Cluster) []string {
	var out []string
	for _, n := range c.State.Nodes {
		if n.Kafka != "" {
			out = append(out, n.Kafka)
		}
	}
	return out
}

// at is the app with another cluster to ask.
func (a *App) at(brokers []string) *App {
	other := *a
	other.conn.brokers = strings.Join(brokers, ",")
	return &other
}

// awaitCluster returns when the quorum has a leader and all brokers are in its service.
func (u *upper) awaitCluster(ctx context.Context) error {
	adm, err := u.at(bootstrap(u.Cluster)).admin()
	if err != nil {
		return err
	}
	defer adm.Close()
	// The library remembers the brokers that it was told of when no topic is asked for, however
	// old that is, unless it is asked what the client may do as well.
	ctx = kadm.WithAuthorizedOps(ctx)
	want := len(bootstrap(u.Cluster))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		md, err := adm.BrokerMetadata(ctx)
		if err == nil && md.Controller >= 0 && len(md.Brokers) >= want {
			return nil
		}
		select {
		case <-ctx.Done():
			return notTogether(md, want, err)
		case <-tick.C:
		}
	}
}

func notTogether(md kadm.Metadata, want int, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("the nodes run, but do not answer: %w", err)
	case md.Controller < 0:
		return errors.New("the nodes run, but have not agreed on a leader")
	}
	return fmt.Errorf("%d of %d brokers are in service", len(md.Brokers), want)
}

// tell prints the first screen: where everything is and what to type next.
func (u *upper) tell(headline string) error {
	l := &listing{kind: "LocalCluster", noun: "node"}
	for _, n := range u.State.Nodes {
		l.add(newLocalNode(u.Cluster, n), n.Kafka)
	}
	l.text = func(w io.Writer) error { return u.screen(w, headline) }
	return u.print(l)
}

func (u *upper) screen(w io.Writer, headline string) error {
	servers, cmd := strings.Join(bootstrap(u.Cluster), ","), filepath.Base(u.Name)
	var data, at string
	if u.data != "" {
		data = " --data " + u.data
	}
	if !slices.Contains(bootstrap(u.Cluster), defaultBroker) {
		at = "export ODRADEK_BOOTSTRAP_SERVERS=" + servers + "\n           "
	}
	fmt.Fprintf(w, "\n  cluster  %s   %s\n  data     %s\n", u.State.ClusterID, headline, u.Dir)
	for _, n := range u.State.Nodes {
		fmt.Fprintf(w, "  node     %-3d  %s   pid %d%s\n", n.ID, firstOf(n.Kafka, n.Controller, n.ZooKeeper), n.PID, adminOf(n))
	}
	_, err := fmt.Fprintf(w, `  kafka    %s

  try      %s%s topic create orders -p 6
           echo hello | %[3]s produce orders
           %[3]s consume orders --from start
           %[3]s cluster status
  look     %[3]s status%[4]s
  stop     %[3]s down%[4]s

`, servers, at, cmd, data)
	return err
}

func adminOf(n local.Node) string {
	if n.Admin == "" {
		return ""
	}
	return "   http://" + n.Admin + "/metrics"
}
