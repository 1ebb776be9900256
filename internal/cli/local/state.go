package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	stateName = "cluster.json"
	lockName  = ".cluster.lock"
	// stateVersion is that of the state file's form.
	stateVersion = 1
	maxState     = 4 << 20
)

// State is what a cluster's folder remembers.
type State struct {
	Version   int    `json:"version"`
	ClusterID string `json:"clusterId"`
	// From is the compose file that the nodes come from, "" for none.
	From     string `json:"from,omitempty"`
	BasePort int    `json:"basePort,omitempty"` // 0: the ports follow no plan
	Nodes    []Node `json:"nodes"`
}

// Node is one of them.
type Node struct {
	ID   int32  `json:"id"`
	Name string `json:"name"` // of its files
	// Kafka is where clients on this machine reach it, "" if it serves none; the others
	// are further addresses that it listens on, "" or nil for none.
	Kafka      string   `json:"kafka,omitempty"`
	Others     []string `json:"others,omitempty"`
	Controller string   `json:"controller,omitempty"`
	// Waits says that its controller is not among the first voters: it can be added.
	Waits     bool   `json:"waits,omitempty"`
	ZooKeeper string `json:"zookeeper,omitempty"`
	Admin     string `json:"admin,omitempty"`

	PID  int    `json:"pid,omitempty"`  // 0: it was not started, or was stopped
	Born string `json:"born,omitempty"` // tells its process from a later one with that pid
}

// Addresses are all that the node listens on.
func (n Node) Addresses() []string {
	all := append([]string{n.Kafka, n.Controller, n.ZooKeeper, n.Admin}, n.Others...)
	return slices.DeleteFunc(all, func(a string) bool { return a == "" })
}

// load reads the state; without a file there is none.
func (c *Cluster) load() error {
	c.State = State{}
	text, err := os.ReadFile(c.file(stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(text) > maxState {
		return fmt.Errorf("%s has %d bytes, which is no state of a cluster", c.file(stateName), len(text))
	}
	if err := json.Unmarshal(text, &c.State); err != nil {
		return fmt.Errorf("%s: %w", c.file(stateName), err)
	}
	if c.State.Version != stateVersion {
		return fmt.Errorf("%s has version %d, this program knows %d", c.file(stateName), c.State.Version, stateVersion)
	}
	return c.State.validate(c.file(stateName))
}

// validate refuses names that could lead out of the folder: Reset deletes by them.
func (s *State) validate(file string) error {
	seen := make(map[string]bool)
	for _, n := range s.Nodes {
		if n.Name == "" || !filepath.IsLocal(n.Name) || strings.ContainsAny(n.Name, `/\`) || n.Name[0] == '.' || seen[n.Name] {
			return fmt.Errorf("%s: %q is no name of a node", file, n.Name)
		}
		seen[n.Name] = true
	}
	return nil
}

// Save writes the state; a reader sees the old or the new one.
func (c *Cluster) Save() error {
	c.State.Version = stateVersion
	if err := c.State.validate(stateName); err != nil {
		panic("bug: " + err.Error())
	}
	text, err := json.MarshalIndent(c.State, "", "  ")
	if err != nil {
		return err
	}
	fresh := c.file(stateName + ".new")
	if err := os.WriteFile(fresh, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, c.file(stateName))
}

// WriteSettings writes a node's server.properties and reports whether that changed it.
func (c *Cluster) WriteSettings(n Node, settings map[string]string) (changed bool, err error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Written by odradek up. By hand: odradek start --config %s\n", c.SettingsFile(n))
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s=%s\n", key, propertyValue(settings[key]))
	}
	old, err := os.ReadFile(c.SettingsFile(n))
	if err == nil && bytes.Equal(old, b.Bytes()) {
		return false, nil
	}
	return true, os.WriteFile(c.SettingsFile(n), b.Bytes(), 0o600) // passwords may be among them
}

// propertyValue writes a value so that a file of properties gives it back.
func propertyValue(v string) string {
	v = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(v)
	if strings.HasPrefix(v, " ") {
		v = `\` + v
	}
	return v
}
