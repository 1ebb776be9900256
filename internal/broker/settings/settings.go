// Package settings turns what a person gave a node, a server.properties file, an
// environment and --override arguments, into one checked struct that a broker is built
// from. It knows where settings come from and what this version can run; it does not
// start anything, print anything or touch a disk: what it reads, it is given. It owns no
// goroutine.
package settings

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/cluster/config"
)

// Input is what the settings are made of.
type Input struct {
	File      string   // path of a server.properties file; empty for none
	Environ   []string // NAME=VALUE, as os.Environ gives it
	Overrides []string // KEY=VALUE
	// ReadFile reads File and what ${file:…}, ${dir:…} and NAME_FILE variables name.
	ReadFile func(path string) ([]byte, error)
	// Hostname is this machine's name, advertised for a listener on all interfaces.
	Hostname func() (string, error)
}

// Settings are what a node is built from.
type Settings struct {
	NodeID    int32
	ClusterID string // empty: what the data folder says, or a new one
	Rack      *string

	DataDirs    []string // at least one, distinct
	MetadataDir string   // empty: the first of DataDirs

	Broker, Controller bool // process.roles, at least one; or
	Observer           bool // alone

	Listeners   []Listener     // for clients and brokers, at least one on a broker
	InterBroker string         // the one of Listeners that brokers use
	Controllers []Listener     // for nodes, and tools that ask controllers; none on a node alone
	Voters      []config.Voter // controller.quorum.voters; none on a node alone
	Bootstrap   []string       // controller.quorum.bootstrap.servers, but for this node's own
	Admin       string         // HOST:PORT for metrics, health and profiles; empty for none

	ZooKeeper string // HOST:PORT for tools that look for ZooKeeper; empty for none

	CreateTopics []config.TopicSpec

	LogLevel  string // trace, debug, info, warn or error
	LogFormat string // text or json

	Static config.Static // what was set, and by whom
	Values config.Values
	Report config.Report // all that is wrong or worth telling, for the caller to print
}

// Listener is where a node listens and what clients are told of it.
type Listener struct {
	Name           string
	Protocol       config.Protocol
	Bind           string // HOST:PORT; an empty host is every interface, port 0 any free one
	AdvertisedHost string
	AdvertisedPort int // 0 is the port that was bound
}

// Load reads, merges and checks. The error names everything that is wrong, not the first
// thing; the Settings are returned beside it, so that a person can look at what was read.
func Load(in Input) (*Settings, error) {
	l := loader{in: in, s: &Settings{}, env: envMap(in.Environ)}
	l.merge()
	v, rep := l.s.Static.Resolve()
	l.s.Values = v
	l.s.Report.Add(rep)
	l.identity()
	l.dirs()
	l.listeners()
	l.quorum()
	l.topics()
	l.supported()
	return l.s, l.s.Report.Err()
}

type loader struct {
	in  Input
	s   *Settings
	env map[string]string
}

func envMap(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			m[k] = v
		}
	}
	return m
}

// fail adds an error about a key, with the place where it was set.
func (l *loader) fail(key, format string, args ...any) {
	set, _ := l.s.Static.Lookup(key)
	l.s.Report.Errors = append(l.s.Report.Errors, config.Problem{Name: key, Origin: set.Origin, Text: fmt.Sprintf(format, args...)})
}

func (l *loader) warn(key, format string, args ...any) {
	set, _ := l.s.Static.Lookup(key)
	l.s.Report.Warnings = append(l.s.Report.Warnings, config.Problem{Name: key, Origin: set.Origin, Text: fmt.Sprintf(format, args...)})
}

func (l *loader) info(key, format string, args ...any) {
	set, _ := l.s.Static.Lookup(key)
	l.s.Report.Infos = append(l.s.Report.Infos, config.Problem{Name: key, Origin: set.Origin, Text: fmt.Sprintf(format, args...)})
}

// merge lays file, environment and overrides over each other.
func (l *loader) merge() {
	from := config.Sources{
		ReadFile: l.in.ReadFile,
		Getenv:   func(n string) (string, bool) { v, ok := l.env[n]; return v, ok },
	}
	file := l.file(from)
	env, rep := config.ParseEnv(l.in.Environ, from)
	l.s.Report.Add(rep)
	over, err := config.ParseOverrides(l.in.Overrides)
	if err != nil {
		l.s.Report.Errors = append(l.s.Report.Errors, config.Problem{Text: err.Error()})
	}
	l.s.Static = config.Merge(file, env, over)
	implied, rep := l.s.Static.ImpliedListeners()
	l.s.Report.Add(rep)
	l.s.Static = l.s.Static.Extend(implied)
}

func (l *loader) file(from config.Sources) []config.Setting {
	if l.in.File == "" {
		return nil
	}
	bad := func(err error) {
		l.s.Report.Errors = append(l.s.Report.Errors, config.Problem{Text: err.Error()})
	}
	if l.in.ReadFile == nil {
		panic("bug: settings.Input has a File and no ReadFile")
	}
	data, err := l.in.ReadFile(l.in.File)
	if err != nil {
		bad(fmt.Errorf("read %s: %w", l.in.File, err))
		return nil
	}
	raw, err := config.ParseProperties(filepath.Base(l.in.File), data)
	if err != nil {
		bad(err)
		return nil
	}
	file, rep := config.Expand(raw, from)
	l.s.Report.Add(rep)
	return file
}

// identity settles who the node is. Without an id it is node 1, always: an id that was
// drawn anew would not find its data again.
func (l *loader) identity() {
	v := l.s.Values
	l.s.NodeID = int32(config.NodeID.Get(v))
	l.s.ClusterID = config.ClusterID.Get(v)
	if rack, ok := config.BrokerRack.Lookup(v); ok && rack != "" {
		l.s.Rack = &rack
	}
	l.s.Admin = config.AdminListener.Get(v)
	l.s.ZooKeeper = config.ZooKeeperListener.Get(v)
	l.s.LogLevel = strings.ToLower(config.LogLevel.Get(v))
	l.s.LogFormat = config.LogFormat.Get(v)
}

// dirs settles where data is. The default depends on nothing but the user, so that the
// data is found again whatever the machine or container is called today.
func (l *loader) dirs() {
	v := l.s.Values
	l.s.MetadataDir = config.MetadataLogDir.Get(v)
	switch {
	case config.LogDirs.IsSet(v):
		l.s.DataDirs = config.LogDirs.Get(v)
	case config.LogDir.IsSet(v):
		l.s.DataDirs = config.LogDir.Get(v)
	case config.DataDir.IsSet(v):
		l.s.DataDirs = []string{config.DataDir.Get(v)}
	default:
		if dir := DefaultDataDir(l.env); dir != "" {
			l.s.DataDirs = []string{dir}
		} else {
			l.fail("log.dirs", "there is no home folder to keep data in: set log.dirs")
		}
	}
	seen := map[string]bool{}
	for _, d := range l.s.DataDirs {
		if clean := filepath.Clean(d); seen[clean] {
			l.fail("log.dirs", "log.dirs names %s twice", clean)
		} else {
			seen[clean] = true
		}
		if strings.HasPrefix(filepath.ToSlash(d), "/tmp/") {
			l.warn("log.dirs", "data is kept in %s, and many systems empty /tmp when they start", d)
		}
	}
}

// DefaultDataDir is where data is kept when nobody said where, from an environment;
// empty if that has no home.
func DefaultDataDir(env map[string]string) string {
	switch {
	case filepath.IsAbs(env["XDG_DATA_HOME"]):
		return filepath.Join(env["XDG_DATA_HOME"], "odradek", "data")
	case env["HOME"] != "":
		return filepath.Join(env["HOME"], ".local", "share", "odradek", "data")
	case env["LOCALAPPDATA"] != "":
		return filepath.Join(env["LOCALAPPDATA"], "odradek", "data")
	}
	return ""
}

func (l *loader) topics() {
	seen := map[string]bool{}
	for _, s := range config.CreateTopics.Get(l.s.Values) {
		t, err := config.ParseTopicSpec(s)
		if err != nil {
			panic("bug: the range of odradek.create.topics let through " + s)
		}
		if seen[t.Name] {
			l.fail("odradek.create.topics", "odradek.create.topics names topic %s twice", t.Name)
			continue
		}
		seen[t.Name] = true
		l.s.CreateTopics = append(l.s.CreateTopics, t)
	}
}

// StaticMap is what was set, by key, as DescribeConfigs and the dynamic layers want it.
func (s *Settings) StaticMap() map[string]string { return s.Static.Map() }

// Dump returns every key that was set and its value, sorted, with secrets hidden: what
// --print-config shows.
func (s *Settings) Dump() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(s.Static.Map())) {
		if e := s.Static.Explain(name); e.Value != nil {
			lines = append(lines, name+"="+*e.Value)
		}
	}
	return lines
}
