package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

func init() { nouns = append(nouns, compatCommand) }

func compatCommand(a *App) *cobra.Command {
	return noun("compat", "Stand in for Kafka's own tools", compatInstall(a))
}

type compatLink struct {
	Name   string `json:"name"`
	Target string `json:"target"`
	Status string `json:"status"`
}

func compatInstall(a *App) *cobra.Command {
	var dry bool
	c := &cobra.Command{
		Use:   "install DIR",
		Short: "Put links into a folder under which this program is Kafka's tools",
		Long: `Put links into a folder under which this program is Kafka's tool of that name, with .sh
and without: kafka-topics, kafka-console-producer, kafka-console-consumer,
kafka-console-share-consumer, kafka-consumer-groups, kafka-share-groups, kafka-groups,
kafka-transactions, kafka-verifiable-producer, kafka-verifiable-consumer and
kafka-server-start. They take the options of Kafka ` + kafkaVersion + ` and print what
it prints, in a few milliseconds. In one thing they differ: what failed never ends with
exit code 0.`,
		Example: `  odradek compat install ~/bin
  odradek compat install /opt/kafka/bin --dry-run`,
		Args: exactly("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			if !dry {
				if err := os.MkdirAll(args[0], 0o755); err != nil {
					return err
				}
			}
			l := &listing{kind: "CompatLinks", noun: "link", columns: []string{"link", "status"}}
			for _, tool := range slices.Sorted(maps.Keys(tools)) {
				for _, name := range []string{tool, tool + ".sh"} {
					linkTool(l, filepath.Join(args[0], name), program, dry)
				}
			}
			return a.print(l)
		},
	}
	dryRunFlag(c, &dry)
	return c
}

// linkTool makes one link. A link that is there already may be moved; anything else that
// has the name belongs to somebody.
func linkTool(l *listing, path, program string, dry bool) {
	done := status(dry, "link", "linked")
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&os.ModeSymlink == 0 {
			l.fail(path, errors.New("something else has this name already"))
			return
		}
		if !dry {
			if err := os.Remove(path); err != nil {
				l.fail(path, err)
				return
			}
		}
	}
	if !dry {
		if err := os.Symlink(program, path); err != nil {
			l.fail(path, err)
			return
		}
	}
	l.add(compatLink{path, program, done}, path, done)
}
