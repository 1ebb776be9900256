package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/odradek/odradek/internal/base/heap"
	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/broker"
	"github.com/odradek/odradek/internal/broker/settings"
	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/spf13/cobra"
)

func init() { nouns = append(nouns, startCommand) }

// processStart is when the program began, as near as Go lets it be known.
var processStart = time.Now()

// garbage is how much may gather before it is collected: a node has little that lives.
const garbage = 32 << 20

// starter is the start command: what was asked for, and what came of it.
type starter struct {
	*App
	file       string
	overrides  []string
	data       string
	listen     []string
	ephemeral  bool
	print      bool
	withParent bool

	level slog.LevelVar
	log   *slog.Logger
}

func startCommand(a *App) *cobra.Command {
	s := &starter{App: a}
	c := &cobra.Command{
		Use:   "start [server.properties]",
		Short: "Start a node",
		Long: `Start a node: broker and quorum in one process. Without arguments it listens on
localhost:9092 and keeps its data in the user's own data folder. Settings are merged, the
later ones winning: defaults, the file, the environment (KAFKA_…, KAFKA_CFG_…, ODRADEK_…),
--override. A running node takes a changed odradek.log.level on SIGHUP.`,
		Example: `  odradek start
  odradek start --config server.properties --override num.partitions=6
  odradek start --ephemeral --listen localhost:0`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && s.file == "" {
				s.file = args[0]
			}
			return s.run(c.Context())
		},
	}
	f := c.Flags()
	f.StringVarP(&s.file, "config", "c", "", "file of settings, as Kafka's server.properties")
	f.StringArrayVar(&s.overrides, "override", nil, "a setting, KEY=VALUE; may be repeated")
	f.StringVar(&s.data, "data", "", "folder to keep data in")
	f.StringArrayVar(&s.listen, "listen", nil, "HOST:PORT to listen on, or NAME://HOST:PORT; port 0 takes a free one; may be repeated")
	f.BoolVar(&s.ephemeral, "ephemeral", false, "keep everything in memory; it is gone when the node stops")
	f.BoolVar(&s.print, "print-config", false, "print the settings that were read and stop")
	f.BoolVar(&s.withParent, "with-parent", false, "stop when standard input ends")
	_ = f.MarkHidden("with-parent")
	return c
}

func (s *starter) run(ctx context.Context) error {
	set, err := s.load()
	if err != nil {
		return err
	}
	if s.print {
		for _, line := range set.Dump() {
			fmt.Fprintln(s.Stdout, line)
		}
		return nil
	}
	s.logger(set)
	s.tell(set.Report)
	defer heap.Allow(garbage)()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// A second Ctrl-C, while the node stops, ends the process there and then.
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	go s.followHangups(ctx, hup)
	return s.serve(ctx, stop, set)
}

// load reads the settings. All that is wrong with them is printed, a line each.
func (s *starter) load() (*settings.Settings, error) {
	set, err := s.read()
	if err == nil {
		return set, nil
	}
	for _, p := range set.Report.Errors {
		s.warn("error: %s", p)
	}
	s.warn("The node was not started. %s config explain KEY tells what a setting means.", filepath.Base(s.Name))
	return nil, &codedError{errSilent, exitUsage}
}

// read reads file, environment and overrides, as they are now.
func (s *starter) read() (*settings.Settings, error) {
	in := settings.Input{
		File: s.file, Environ: s.Environ, Overrides: s.overrides,
		ReadFile: os.ReadFile, Hostname: os.Hostname,
	}
	var short []string // what the shorter flags stand for
	if s.data != "" {
		short = append(short, "log.dirs="+s.data, "metadata.log.dir="+s.data)
	}
	if len(s.listen) > 0 {
		without, _ := settings.Load(in)
		short = append(short, "listeners="+strings.Join(append(s.listenURLs(), controllerURLs(without)...), ","))
	}
	in.Overrides = append(short, s.overrides...)
	return settings.Load(in)
}

func (s *starter) listenURLs() []string {
	var urls []string
	for _, l := range s.listen {
		if !strings.Contains(l, "://") {
			l = "PLAINTEXT://" + l
		}
		urls = append(urls, l)
	}
	return urls
}

// controllerURLs are the listeners that are none for clients: --listen replaces the
// others only.
func controllerURLs(set *settings.Settings) []string {
	listeners, _ := set.Static.Lookup("listeners")
	names, _ := set.Static.Lookup("controller.listener.names")
	var urls []string
	for url := range strings.SplitSeq(listeners.Value, ",") {
		name, _, ok := strings.Cut(strings.TrimSpace(url), "://")
		if ok && slices.Contains(strings.Split(names.Value, ","), name) {
			urls = append(urls, strings.TrimSpace(url))
		}
	}
	return urls
}

func (s *starter) logger(set *settings.Settings) {
	s.level.Set(logLevel(set.LogLevel))
	opts := &slog.HandlerOptions{Level: &s.level}
	if set.LogFormat == "json" {
		s.log = slog.New(slog.NewJSONHandler(s.Stderr, opts))
	} else {
		s.log = slog.New(slog.NewTextHandler(s.Stderr, opts))
	}
}

func logLevel(name string) slog.Level {
	if name == "trace" {
		return slog.LevelDebug - 4
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		panic("bug: the range of odradek.log.level let through " + name)
	}
	return l
}

// tell logs what is worth knowing about the settings.
func (s *starter) tell(r config.Report) {
	for _, p := range r.Warnings {
		s.log.Warn("settings", "note", p.String())
	}
	for _, p := range r.Infos {
		s.log.Info("settings", "note", p.String())
	}
}

// followHangups takes over a changed log level on SIGHUP.
func (s *starter) followHangups(ctx context.Context, hup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		set, err := s.read()
		if err != nil {
			s.log.Error("settings were not read again", "error", err)
			continue
		}
		s.level.Set(logLevel(set.LogLevel))
		s.log.Warn("log level was read again", "level", set.LogLevel)
	}
}

// serve runs the node until ctx ends. stop ends it.
func (s *starter) serve(ctx context.Context, stop func(), set *settings.Settings) error {
	cfg := nodeConfig(set)
	cfg.Log, cfg.Level = s.log, &s.level
	if s.ephemeral {
		cfg.FS, cfg.LogDirs, cfg.MetadataDir = vfs.NewMem(), []string{"/odradek"}, ""
	}
	b, err := broker.New(cfg)
	if err != nil {
		return err
	}
	admin, err := s.listenAdmin(ctx, set)
	if err != nil {
		return s.cannotStart(err, set)
	}
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	select {
	case err := <-done:
		if err == nil {
			err = ctx.Err()
		}
		return s.cannotStart(err, set)
	case <-b.Ready():
	}
	adminCtx, stopAdmin := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAdmin() // health is told until the node has stopped
	if admin != nil {
		go func() {
			if err := b.ServeAdmin(adminCtx, admin); err != nil {
				s.log.Error("admin listener failed", "error", err)
			}
		}()
	}
	if err := s.welcome(newWelcome(b, cfg, admin, s.ephemeral)); err != nil {
		return err
	}
	if s.withParent {
		go func() {
			_, _ = io.Copy(io.Discard, s.Stdin)
			stop()
		}()
	}
	return <-done
}

// listenAdmin opens the admin listener. If its port is the default and taken, by another
// node most likely, a free one does.
func (s *starter) listenAdmin(ctx context.Context, set *settings.Settings) (net.Listener, error) {
	if set.Admin == "" {
		return nil, nil
	}
	ln, err := listenTCP(ctx, set.Admin)
	if err == nil {
		return ln, nil
	}
	if _, given := set.Static.Lookup("odradek.admin.listener"); !given {
		if ln, err := listenTCP(ctx, "localhost:0"); err == nil {
			s.log.Info("the default admin port is taken, a free one is used", "address", ln.Addr().String())
			return ln, nil
		}
	}
	return nil, fmt.Errorf("admin listener on %s: %w", set.Admin, err)
}

// cannotStart says what to do about what kept the node from starting.
func (s *starter) cannotStart(err error, set *settings.Settings) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		err = fmt.Errorf("%w. Another program listens there: stop it, or listen elsewhere: odradek start --listen localhost:9192 (odradek.admin.listener names the admin port)", err)
	case errors.Is(err, vfs.ErrLocked):
		err = fmt.Errorf("%w. Another node is running on this data: stop it, or start one beside it: odradek start --data FOLDER --listen localhost:9192", err)
	case errors.Is(err, os.ErrPermission):
		err = fmt.Errorf("%w. Keep the data elsewhere: odradek start --data FOLDER", err)
	}
	return &codedError{err, exitCodeOfStart(err)}
}

func exitCodeOfStart(err error) int {
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	return exitFailed
}

// welcome is what the first screen says; with -o json, a program reads it.
type welcome struct {
	ClusterID   string   `json:"clusterId"`
	NodeID      int32    `json:"nodeId"`
	Data        []string `json:"data"`
	Ephemeral   bool     `json:"ephemeral,omitempty"`
	Kafka       []string `json:"kafka"`
	ZooKeeper   string   `json:"zookeeper,omitempty"`
	Admin       string   `json:"admin,omitempty"`
	PID         int      `json:"pid"`
	ReadyMillis int64    `json:"readyMillis"`
}

func newWelcome(b *broker.Broker, cfg broker.Config, admin net.Listener, ephemeral bool) welcome {
	w := welcome{
		ClusterID: b.ClusterID(), NodeID: cfg.NodeID, Ephemeral: ephemeral, Data: cfg.LogDirs,
		ZooKeeper: cfg.ZooKeeper, PID: os.Getpid(), ReadyMillis: time.Since(processStart).Milliseconds(),
	}
	for _, l := range cfg.Listeners {
		w.Kafka = append(w.Kafka, reachable(l.Bind, b.Addr(l.Name)))
	}
	if admin != nil {
		w.Admin = "http://" + admin.Addr().String()
	}
	return w
}

// reachable is where a listener can be reached from this machine: the host as it was
// given and the port that was bound.
func reachable(bind string, addr net.Addr) string {
	host, _, err1 := net.SplitHostPort(bind)
	_, port, err2 := net.SplitHostPort(addr.String())
	if err1 != nil || err2 != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func (s *starter) welcome(w welcome) error {
	if s.out.format != "text" {
		return json.NewEncoder(s.Stdout).Encode(w)
	}
	var at string
	kafka := "none"
	if len(w.Kafka) > 0 {
		kafka = strings.Join(w.Kafka, "  ")
	}
	if len(w.Kafka) > 0 && w.Kafka[0] != defaultBroker {
		at = " -b " + w.Kafka[0]
	}
	data := strings.Join(w.Data, "  ")
	if w.Ephemeral {
		data = "in memory, gone when the node stops"
	}
	admin := "none"
	if w.Admin != "" {
		admin = w.Admin + "/metrics  /readyz  /debug/pprof/"
	}
	cmd := filepath.Base(s.Name)
	_, err := fmt.Fprintf(s.Stdout, `
  cluster  %s   node %d   ready in %d ms
  data     %s
  kafka    %s
  admin    %s

  try      echo hello | %[7]s produce greetings%[8]s
           %[7]s consume greetings --from start%[8]s
           %[7]s topic list%[8]s
  stop     Ctrl-C

`, w.ClusterID, w.NodeID, w.ReadyMillis, data, kafka, admin, cmd, at)
	return err
}
