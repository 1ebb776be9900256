package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/odradek/odradek/internal/broker/settings"
	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/spf13/cobra"
)

func init() { nouns = append(nouns, configCommand) }

func configCommand(a *App) *cobra.Command {
	return noun("config", "Explain and check settings, without a cluster",
		configExplain(a), configValidate(a), configList(a))
}

var scopeNames = map[string]config.Scope{
	"broker": config.Broker, "topic": config.Topic, "group": config.Group, "client-metrics": config.ClientMetrics,
}

func scopeOf(name string) (config.Scope, error) {
	s, ok := scopeNames[name]
	if !ok {
		return 0, usagef("--scope %s: want broker, topic, group or client-metrics", name)
	}
	return s, nil
}

// configDoc is what there is to say about a key on any node.
type configDoc struct {
	Key     string  `json:"key"`
	Scope   string  `json:"scope"`
	Type    string  `json:"type"`
	Default *string `json:"default"`
	Range   string  `json:"range,omitempty"`
	Mode    string  `json:"mode,omitempty"` // of broker keys: whether it can change while it runs
	Meaning string  `json:"meaning"`
	Doc     string  `json:"doc"`
}

func newConfigDoc(d *config.Def) configDoc {
	doc := configDoc{Key: d.Name, Scope: d.Scope.String(), Type: strings.ToLower(d.Type.String()), Range: d.Range, Meaning: d.Meaning.String(), Doc: d.Doc}
	if !d.Null && !d.Sensitive() {
		doc.Default = &d.Default
	}
	if d.Scope == config.Broker {
		doc.Mode = d.Mode.String()
	}
	return doc
}

func configList(a *App) *cobra.Command {
	var scope string
	c := &cobra.Command{
		Use: "list", Short: "List every key that there is",
		Example: `  odradek config list
  odradek config list --scope topic -o name`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			s, err := scopeOf(scope)
			if err != nil {
				return err
			}
			l := &listing{kind: "ConfigKeys", noun: "key", columns: []string{"key", "type", "default", "meaning"}}
			for d := range config.All(s) {
				doc := newConfigDoc(d)
				shown := "(none)"
				if doc.Default != nil {
					shown = strings.ReplaceAll(*doc.Default, "\n", " ")
				}
				l.add(doc, doc.Key, doc.Type, orDash(shown), doc.Meaning)
			}
			return a.print(l)
		},
	}
	c.Flags().StringVar(&scope, "scope", "broker", "broker, topic, group or client-metrics")
	return c
}

type configExplanation struct {
	configDoc
	Value *string       `json:"value"`
	From  string        `json:"from,omitempty"`
	Chain []configLayer `json:"chain"` // all who set it, the winner first
	Notes []string      `json:"notes"`
}

type configLayer struct {
	Value string `json:"value"`
	Where string `json:"where"`
	Layer string `json:"layer"`
}

func configExplain(a *App) *cobra.Command {
	var (
		scope string
		in    settings.Input
	)
	c := &cobra.Command{
		Use:   "explain KEY...",
		Short: "Say what a key means, what its value is here, and who set it",
		Long: `Say what a key means, what its value would be for a node started here, and who set
it: the file, the environment or --override.`,
		Example: `  odradek config explain log.retention.ms
  odradek config explain listeners --config server.properties
  odradek config explain cleanup.policy --scope topic`,
		Args:              names(1, "KEY"),
		ValidArgsFunction: completeKeys(config.Broker),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := scopeOf(scope)
			if err != nil {
				return err
			}
			static, err := a.static(in)
			if err != nil {
				return err
			}
			l := &listing{kind: "ConfigExplanation", noun: "key"}
			var texts []string
			for _, key := range args {
				explainKey(l, &texts, static, key, s)
			}
			l.text = func(w io.Writer) error {
				_, err := io.WriteString(w, strings.Join(texts, "\n"))
				return err
			}
			return a.print(l)
		},
	}
	c.Flags().StringVar(&scope, "scope", "broker", "broker, topic, group or client-metrics")
	c.Flags().StringVar(&in.File, "config", "", "a server.properties file")
	c.Flags().StringArrayVar(&in.Overrides, "override", nil, "KEY=VALUE, stronger than file and environment")
	a.completeFlag(c, "scope", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"broker", "topic", "group", "client-metrics"}, cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

// static reads file, environment and overrides. Values that are wrong are explained like
// others: config validate is who complains. A file that cannot be read is an error.
func (a *App) static(in settings.Input) (config.Static, error) {
	in.Environ, in.ReadFile, in.Hostname = a.Environ, os.ReadFile, os.Hostname
	if in.File != "" {
		if _, err := os.Stat(in.File); err != nil {
			return config.Static{}, &codedError{err, exitNotFound}
		}
	}
	set, err := settings.Load(in)
	if set == nil {
		return config.Static{}, err
	}
	return set.Static, nil
}

func explainKey(l *listing, texts *[]string, static config.Static, key string, scope config.Scope) {
	if scope != config.Broker {
		d, ok := config.Find(scope, key)
		if !ok {
			l.fail(key, &codedError{errNoKey(key), exitNotFound})
			return
		}
		item := explanationOf(config.Explanation{Name: key, Def: d})
		item.Value = item.Default
		l.add(item, key)
		*texts = append(*texts, docText(d, static))
		return
	}
	e := static.Explain(key)
	if e.Def == nil && len(e.Chain) == 0 {
		why := "no such key"
		if len(e.Notes) > 0 {
			why = strings.Join(e.Notes, "; ")
		}
		l.fail(key, &codedError{fmt.Errorf("%s", why), exitNotFound})
		return
	}
	l.add(explanationOf(e), key)
	*texts = append(*texts, e.String())
}

func explanationOf(e config.Explanation) configExplanation {
	x := configExplanation{configDoc: configDoc{Key: e.Name, Scope: "broker"}, Value: e.Value, Notes: slices.Clone(e.Notes), Chain: []configLayer{}}
	if e.Def != nil {
		x.configDoc = newConfigDoc(e.Def)
	}
	if x.Notes == nil {
		x.Notes = []string{}
	}
	for _, s := range e.Chain {
		x.Chain = append(x.Chain, configLayer{s.Value, s.Origin.Where, s.Origin.Layer.String()})
	}
	if len(x.Chain) > 0 {
		x.From = x.Chain[0].Where
	}
	return x
}

// docText explains a key that is no broker's, and the broker keys that stand in for it.
func docText(d *config.Def, static config.Static) string {
	var b strings.Builder
	value := "(none)"
	if !d.Null {
		value = d.Default
	}
	fmt.Fprintf(&b, "%s=%s\n  %s\n  key of a %s, type %s", d.Name, value, d.Doc, d.Scope, d.Type)
	if d.Range != "" {
		fmt.Fprintf(&b, ", %s", d.Range)
	}
	b.WriteByte('\n')
	for _, syn := range d.Synonyms {
		e := static.Explain(syn.Name)
		if e.Value != nil {
			fmt.Fprintf(&b, "  where nobody sets it, the broker's %s=%s\n", syn.Name, *e.Value)
		}
	}
	return b.String()
}

type configProblem struct {
	Severity string `json:"severity"` // error, warning or info
	Key      string `json:"key,omitempty"`
	Where    string `json:"where,omitempty"`
	Problem  string `json:"problem"`
}

func configValidate(a *App) *cobra.Command {
	var overrides []string
	c := &cobra.Command{
		Use:   "validate FILE",
		Short: "Say everything that is wrong with a server.properties file",
		Long: `Say everything that is wrong with a server.properties file, alone, without the
environment. The exit code is 7 if a node would not start with it.`,
		Example: `  odradek config validate server.properties
  odradek config validate server.properties -o json`,
		Args: exactly("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); err != nil {
				return &codedError{err, exitNotFound}
			}
			set, _ := settings.Load(settings.Input{File: args[0], Environ: homeOf(a.Environ), Overrides: overrides, ReadFile: os.ReadFile, Hostname: os.Hostname})
			l := &listing{kind: "ConfigProblems", columns: []string{"severity", "key", "where", "problem"}}
			addProblems(l, "error", set.Report.Errors)
			addProblems(l, "warning", set.Report.Warnings)
			addProblems(l, "info", set.Report.Infos)
			if len(l.rows) == 0 {
				l.text = func(w io.Writer) error { _, err := fmt.Fprintln(w, "nothing is wrong"); return err }
			}
			if err := a.print(l); err != nil || len(set.Report.Errors) == 0 {
				return err
			}
			return &codedError{errSilent, exitCheck}
		},
	}
	c.Flags().StringArrayVar(&overrides, "override", nil, "KEY=VALUE, stronger than the file")
	return c
}

// homeOf keeps of an environment what says where a person's files are.
func homeOf(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		return !strings.HasPrefix(kv, "HOME=") && !strings.HasPrefix(kv, "XDG_DATA_HOME=") && !strings.HasPrefix(kv, "LOCALAPPDATA=")
	})
}

func addProblems(l *listing, severity string, problems []config.Problem) {
	for _, p := range problems {
		item := configProblem{severity, p.Name, p.Origin.Where, p.Text}
		l.add(item, severity, orDash(item.Key), orDash(item.Where), item.Problem)
	}
}
