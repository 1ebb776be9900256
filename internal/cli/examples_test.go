package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/server"
	"github.com/spf13/cobra"
)

// quiet is a process that nobody looks at.
func quiet(addr string) (*bytes.Buffer, *bytes.Buffer, Env) {
	var out, errs bytes.Buffer
	return &out, &errs, Env{Name: "odradek", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Environ: []string{"ODRADEK_BOOTSTRAP_SERVERS=" + addr, "HOME=/home/nobody"}}
}

// examplesOf are the command lines in a command's examples that call this program, as
// words.
func examplesOf(t *testing.T, c *cobra.Command) [][]string {
	t.Helper()
	var out [][]string
	for line := range strings.Lines(c.Example) {
		for part := range strings.SplitSeq(line, " | ") {
			words, err := shellWords(strings.TrimSpace(part))
			if err != nil {
				t.Errorf("%s: example %q: %v", c.CommandPath(), line, err)
			}
			if len(words) > 0 && words[0] == "odradek" {
				out = append(out, words[1:])
			}
		}
	}
	return out
}

// shellWords splits a line at blanks outside quotes, up to a redirection or comment.
func shellWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, open := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == ' ':
			if open || word.Len() > 0 {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
		case (r == '#' || r == '<' || r == '>') && word.Len() == 0:
			return words, nil
		default:
			word.WriteRune(r)
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if open || word.Len() > 0 {
		words = append(words, word.String())
	}
	return words, nil
}

// Every command has an example, and every example is a command line of that command.
func TestExamplesParse(t *testing.T) {
	_, _, env := quiet("")
	app := &App{Env: &env}
	eachCommand(app.root(), func(c *cobra.Command) {
		if c.HasSubCommands() {
			return
		}
		examples := examplesOf(t, c)
		own := false
		for _, words := range examples {
			_, _, fresh := quiet("")
			root := (&App{Env: &fresh}).root()
			found, rest, err := root.Find(words)
			if err != nil {
				t.Errorf("odradek %s: %v", strings.Join(words, " "), err)
				continue
			}
			own = own || found.CommandPath() == c.CommandPath()
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("odradek %s: %v", strings.Join(words, " "), err)
				continue
			}
			if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("odradek %s: %v", strings.Join(words, " "), err)
			}
			if err := found.ValidateRequiredFlags(); err != nil {
				t.Errorf("odradek %s: %v", strings.Join(words, " "), err)
			}
		}
		if !own {
			t.Errorf("%s has no example", c.CommandPath())
		}
	})
}

// runnable are the nouns whose examples need no more than a node.
var runnable = []string{"topic", "group", "cluster", "broker", "partition", "balance", "config", "compat", "version"}

// needMore are commands of these nouns whose examples need other nodes beside it, or none
// with the id that they name.
var needMore = []string{
	"odradek cluster voters add", "odradek cluster voters remove", "odradek cluster voters replace",
	"odradek broker drain", "odradek broker unregister",
}

// Every example of the commands that need no more than a node succeeds on one.
func TestExamplesRun(t *testing.T) {
	s, err := server.Start(t.Context(), server.Config{Properties: map[string]string{"offsets.topic.num.partitions": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("server.properties", []byte("num.partitions=3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(words ...string) {
		t.Helper()
		_, errs, env := quiet(s.Addr())
		if code := Main(context.Background(), env, words); code != exitOK {
			t.Errorf("odradek %s: exit code %d: %s", strings.Join(words, " "), code, errs)
		}
	}
	run("topic", "create", "orders", "payments", "orders-eu", "test-1", "-p", "6")
	run("group", "seek", "billing", "orders", "payments", "--to", "start", "-y")
	_, _, env := quiet("")
	eachCommand((&App{Env: &env}).root(), func(c *cobra.Command) {
		if c.HasSubCommands() || !slices.Contains(runnable, strings.Fields(c.CommandPath())[1]) || slices.Contains(needMore, c.CommandPath()) {
			return
		}
		for _, words := range examplesOf(t, c) {
			if c.Flags().Lookup("dry-run") != nil {
				words = append(words, "--dry-run") // so that the examples' order does not matter
			}
			run(words...)
		}
	})
}
