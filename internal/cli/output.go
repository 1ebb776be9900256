package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// output is how answers are printed.
type output struct {
	format    string
	noHeaders bool
}

func (o *output) flags(f *pflag.FlagSet) {
	f.StringVarP(&o.format, "output", "o", "text", "text, json, jsonl, yaml or name")
	f.BoolVar(&o.noHeaders, "no-headers", false, "leave out the line with column names")
}

// listing is the answer of a command: items of one kind, and how a person reads them.
type listing struct {
	kind    string   // "TopicList"
	noun    string   // what an item is called in an error: "topic"
	columns []string // without spaces, so that awk can count them
	rows    [][]string
	items   []any // beside rows: what json and yaml print
	errs    []itemError
	text    func(io.Writer) error // how a person reads it, if not as a table
}

// itemError is what went wrong with one item.
type itemError struct {
	Item  string `json:"item" yaml:"item"`
	Error string `json:"error" yaml:"error"`
	Code  int16  `json:"code,omitempty" yaml:"code,omitempty"`
	exit  int
	err   error
}

// add adds an item. The first cell of its row is its name.
func (l *listing) add(item any, row ...string) {
	l.items = append(l.items, item)
	l.rows = append(l.rows, row)
}

// fail adds an item that failed.
func (l *listing) fail(name string, err error) {
	l.errs = append(l.errs, itemError{Item: name, Error: explain(err), Code: kafkaCode(err), exit: exitCode(err), err: err})
}

// print writes data to stdout and errors to stderr, and returns errSilent with a fitting
// exit code if an item failed.
func (a *App) print(l *listing) error {
	if err := a.out.write(a.Stdout, l); err != nil {
		return err
	}
	for _, e := range l.errs {
		if l.noun != "" {
			a.warn("error: %s %q: %s", l.noun, e.Item, e.Error)
		} else {
			a.warn("error: %s: %s", e.Item, e.Error)
		}
	}
	if len(l.errs) > 0 {
		return &codedError{errSilent, codeOf(l.errs)}
	}
	return nil
}

// check refuses an unknown format before anything is done.
func (o *output) check() error {
	switch o.format {
	case "text", "name", "json", "jsonl", "yaml":
		return nil
	}
	return usagef("unknown output %q: text, json, jsonl, yaml or name", o.format)
}

func (o *output) write(w io.Writer, l *listing) error {
	switch o.format {
	case "text":
		if l.text != nil {
			return l.text(w)
		}
		return o.table(w, l)
	case "name":
		for _, r := range l.rows {
			if _, err := fmt.Fprintln(w, r[0]); err != nil {
				return err
			}
		}
		return nil
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(l.envelope())
	case "jsonl":
		enc := json.NewEncoder(w)
		for _, it := range l.items {
			if err := enc.Encode(it); err != nil {
				return err
			}
		}
		return nil
	case "yaml":
		return writeYAML(w, l.envelope())
	}
	return o.check()
}

type envelope struct {
	Kind    string      `json:"kind"`
	Version int         `json:"version"`
	Items   []any       `json:"items"`
	Errors  []itemError `json:"errors,omitempty"`
}

func (l *listing) envelope() envelope {
	items := l.items
	if items == nil {
		items = []any{}
	}
	return envelope{l.kind, 1, items, l.errs}
}

// writeYAML prints what JSON would, so that both have the same names.
func writeYAML(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var node yaml.Node // keeps the order and the integers of the JSON
	if err := yaml.Unmarshal(b, &node); err != nil {
		return err
	}
	plain(&node)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	defer enc.Close()
	return enc.Encode(&node)
}

// plain turns JSON's flow style into YAML's own.
func plain(n *yaml.Node) {
	n.Style &^= yaml.FlowStyle | yaml.DoubleQuotedStyle
	for _, c := range n.Content {
		plain(c)
	}
}

// table prints aligned columns without trailing blanks.
func (o *output) table(w io.Writer, l *listing) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if !o.noHeaders && len(l.rows) > 0 && len(l.columns) > 0 {
		fmt.Fprintln(tw, strings.ToUpper(strings.Join(l.columns, "\t")))
	}
	for _, r := range l.rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	return tw.Flush()
}
