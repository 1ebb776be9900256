package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/odradek/odradek/internal/broker/settings"
	"github.com/spf13/cobra"
)

func init() { nouns = append(nouns, healthCommand) }

// nodeHealth is what a node's admin listener says of it.
type nodeHealth struct {
	Ready  bool `json:"ready"`
	Checks []struct {
		Name string `json:"name"`
		OK   bool   `json:"ok"`
		Note string `json:"note,omitempty"`
	} `json:"checks"`
}

func healthCommand(a *App) *cobra.Command {
	s := &starter{App: a}
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask the node on this machine whether it serves clients",
		Long: `Ask the node on this machine, at its admin listener, whether it serves clients: for the
health check of a container or service. It reads the same settings as start, from file and
environment, to find the listener. The exit code is 0 if it serves, 7 if it does not, 3 if
nobody answers.`,
		Example: `  odradek health
  odradek health --config server.properties -o json`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			set, err := s.load()
			if err != nil {
				return err
			}
			return a.health(c.Context(), set)
		},
	}
	c.Flags().StringVarP(&s.file, "config", "c", "", "file of the node's settings")
	c.Flags().StringArrayVar(&s.overrides, "override", nil, "a setting of the node, KEY=VALUE; may be repeated")
	return c
}

func (a *App) health(ctx context.Context, set *settings.Settings) error {
	if set.Admin == "" {
		return usage(errors.New("odradek.admin.listener is empty: the node tells its health to nobody"))
	}
	ctx, cancel := context.WithTimeout(ctx, a.conn.timeout)
	defer cancel()
	h, err := askHealth(ctx, set.Admin)
	if err != nil {
		return err
	}
	l := &listing{kind: "Health", columns: []string{"check", "ok", "note"}}
	for _, c := range h.Checks {
		l.add(c, c.Name, yesNo(c.OK), orDash(c.Note))
	}
	if err := a.print(l); err != nil || h.Ready {
		return err
	}
	return &codedError{errSilent, exitCheck}
}

// askHealth asks an admin listener. One that is open on all interfaces is asked on this
// machine's own.
func askHealth(ctx context.Context, admin string) (h nodeHealth, err error) {
	address, err := dialable(admin)
	if err != nil {
		return h, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz?verbose", nil)
	if err != nil {
		return h, err
	}
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}} // it is here: no proxy knows the way
	resp, err := client.Do(req)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return h, context.DeadlineExceeded
		}
		return h, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&h); err != nil {
		return h, fmt.Errorf("%s does not answer as a node does: %w", admin, err)
	}
	return h, nil
}
