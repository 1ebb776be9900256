package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/cli/compose"
	"github.com/odradek/odradek/internal/cli/local"
)

// planCompose makes the cluster's nodes the brokers of a compose file. A file that was
// changed since may change settings, but not who is in the cluster.
func (u *upper) planCompose(context.Context) error {
	file, err := filepath.Abs(u.compose)
	if err != nil {
		return err
	}
	if len(u.State.Nodes) > 0 && u.State.From != file {
		return usagef("the cluster in %s does not come from %s. Another one goes elsewhere: --data FOLDER; or odradek reset deletes it", u.Dir, file)
	}
	planned, notes, err := u.composeNodes(file)
	for _, n := range notes {
		u.warn("note: %s", n)
	}
	if err != nil {
		return usage(fmt.Errorf("%s: %w", u.compose, err))
	}
	settings := make(map[int32]map[string]string)
	var nodes []local.Node
	for _, p := range planned {
		nodes = append(nodes, local.Node{ID: p.ID, Name: p.Name, Kafka: p.Kafka, Others: p.Others, Controller: p.Controller, ZooKeeper: p.ZooKeeper, Admin: p.Admin})
		settings[p.ID] = p.Settings
		if u.State.ClusterID == "" && p.ClusterID != "" {
			u.State.ClusterID = p.ClusterID
		}
	}
	if u.State.ClusterID == "" {
		u.State.ClusterID = drawClusterID()
	}
	if err := u.takeNodes(nodes); err != nil {
		return err
	}
	u.State.From = file
	return u.writeSettings(func(n local.Node) map[string]string {
		s := settings[n.ID]
		s["odradek.cluster.id"] = u.State.ClusterID
		return s
	})
}

// takeNodes makes the planned nodes those of the cluster. Nodes may come, but none may go,
// and none may change while it runs.
func (u *upper) takeNodes(planned []local.Node) error {
	for _, had := range u.State.Nodes {
		i := slices.IndexFunc(planned, func(n local.Node) bool { return n.ID == had.ID && n.Name == had.Name })
		if i < 0 {
			return usagef("%s no longer has the service %s, broker %d. Empty it (odradek broker drain %d) first; odradek reset deletes the cluster", u.compose, had.Name, had.ID, had.ID)
		}
		if had.Alive() && !slices.Equal(had.Addresses(), planned[i].Addresses()) {
			return usagef("the ports of %s have changed in %s while it runs: odradek down first", had.Name, u.compose)
		}
		planned[i].PID, planned[i].Born = had.PID, had.Born
	}
	u.State.Nodes = planned
	return nil
}

// composeNodes reads a compose file, with the variables of this process and of the file
// .env beside it.
func (u *upper) composeNodes(file string) ([]compose.Node, []string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	beside := filepath.Dir(file)
	dotenv, err := os.ReadFile(filepath.Join(beside, ".env"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	vars := compose.ParseEnvFile(dotenv)
	for _, kv := range u.App.Environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			vars[k] = v
		}
	}
	services, err := compose.Parse(text, compose.Source{
		Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		ReadFile: func(name string) ([]byte, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(beside, name)
			}
			return os.ReadFile(name)
		},
	})
	if err != nil {
		return nil, nil, err
	}
	return compose.Nodes(services, func(name string) string { return u.DataDir(local.Node{Name: name}) })
}
