package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var errDeclined = errors.New("nothing was changed")

// confirm asks a person before something is destroyed: it shows what, and wants a yes.
// Who is no person must have said -y.
func (a *App) confirm(preview *listing, question string) error {
	return a.confirmBy(preview, question+" [y/N] ", func(answer string) bool {
		return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes")
	})
}

// confirmCount asks for the number of things to be destroyed, because they were named
// by a pattern, which may match more than one thinks.
func (a *App) confirmCount(preview *listing, question string) error {
	want := fmt.Sprint(len(preview.rows))
	return a.confirmBy(preview, question+" Type their number to go on: ", func(answer string) bool { return answer == want })
}

func (a *App) confirmBy(preview *listing, question string, agreed func(string) bool) error {
	if a.yes {
		return nil
	}
	if !Terminal(a.Stdin) {
		return usagef("this cannot be undone and nobody is there to be asked: add -y to do it, or --dry-run to see what it would do")
	}
	if err := (&output{format: "text"}).write(a.Stderr, preview); err != nil {
		return err
	}
	fmt.Fprint(a.Stderr, question)
	answer, err := bufio.NewReader(a.Stdin).ReadString('\n')
	if err != nil && answer == "" {
		return errDeclined
	}
	if !agreed(strings.TrimSpace(answer)) {
		return errDeclined
	}
	return nil
}

// adminWork is the work of a command that administers the cluster.
type adminWork func(ctx context.Context, adm *kadm.Client, args []string) error

// withAdmin runs work with a connection, for as long as --timeout allows.
func (a *App) withAdmin(work adminWork) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		adm, err := a.admin()
		if err != nil {
			return err
		}
		defer adm.Close()
		ctx, cancel := context.WithTimeout(c.Context(), a.conn.timeout)
		defer cancel()
		return work(ctx, adm, args)
	}
}

// withClient is withAdmin for what only a raw request can ask.
func (a *App) withClient(work func(context.Context, *kgo.Client, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		cl, err := a.client(kgo.RequestRetries(5), fresh)
		if err != nil {
			return err
		}
		defer cl.Close()
		ctx, cancel := context.WithTimeout(c.Context(), a.conn.timeout)
		defer cancel()
		if err := meetBrokers(ctx, cl); err != nil {
			return err
		}
		return work(ctx, cl, args)
	}
}

// meetBrokers has the client hear which brokers are there, and ask no others: for a
// coordinator it asks any that it knows of, and gives up if that one is away.
func meetBrokers(ctx context.Context, cl *kgo.Client) error {
	md, err := kadm.NewClient(cl).BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	var there []string
	for _, b := range md.Brokers {
		there = append(there, net.JoinHostPort(b.Host, fmt.Sprint(b.Port)))
	}
	if len(there) == 0 {
		return nil
	}
	return cl.UpdateSeedBrokers(there...)
}

// names wants at least n positional arguments, called what.
func names(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < n {
			return usagef("%s: %s is missing. See %s --help", c.CommandPath(), what, c.CommandPath())
		}
		return nil
	}
}

// exactly wants these positional arguments and no more.
func exactly(what ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < len(what) {
			return usagef("%s: %s is missing. See %s --help", c.CommandPath(), what[len(args)], c.CommandPath())
		}
		if len(args) > len(what) {
			return usagef("%s: %q is too much. See %s --help", c.CommandPath(), args[len(what)], c.CommandPath())
		}
		return nil
	}
}
