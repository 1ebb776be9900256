package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const architecture = "docs/ARCHITECTURE.md"

// eachDocument visits the project's Markdown files by path and text.
func eachDocument(t *testing.T, visit func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (strings.HasPrefix(name, ".") && name != ".." || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir
		}
		if rel, err := filepath.Rel(root, path); err == nil && strings.HasSuffix(name, ".md") {
			visit(filepath.ToSlash(rel), read(t, rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var (
	links = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code  = regexp.MustCompile("(?ms)^```.*?^```$|^    .*?$|`[^`\n]*`")
)

// made are files that a run makes, so that documents may name them before the first.
var made = map[string]string{
	"conformance/RESULTS.md": "./conformance/run --peer both --write",
	"docs/DIFFERENCES.md":    "./conformance/run --peer both --write",
}

// Every relative link in a document leads to a file or folder.
func TestLinksLeadSomewhere(t *testing.T) {
	seen := 0
	eachDocument(t, func(path, text string) {
		for _, m := range links.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			if target := localTarget(path, m[1]); target != "" && made[filepath.ToSlash(target)] == "" {
				seen++
				if _, err := os.Stat(filepath.Join(root, target)); err != nil {
					t.Errorf("%s links to %s, which is not there", path, m[1])
				}
			}
		}
	})
	if seen < 20 {
		t.Errorf("only %d links were found: the test no longer sees them", seen)
	}
}

// localTarget is the path from the root that a link in a document leads to, "" if it
// leads out of the project or stays in the document.
func localTarget(document, link string) string {
	link, _, _ = strings.Cut(link, "#")
	if link == "" || strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	return filepath.Join(filepath.Dir(document), link)
}

// foreignPaths are folders of the machine on which something was written.
var foreignPaths = regexp.MustCompile(`(^|[\s"'(=:` + "`" + `])/(work|tmp|var/tmp|root|home)(/|\b)`)

// kafkaDefault is the default of log.dir in Kafka.
const kafkaDefault = "/tmp/kafka-logs"

// A document names no folder of its author's machine.
func TestDocumentsNameNoMachine(t *testing.T) {
	eachDocument(t, func(path, text string) {
		for n, line := range strings.Split(text, "\n") {
			if foreignPaths.MatchString(strings.ReplaceAll(line, kafkaDefault, "")) {
				t.Errorf("%s:%d names a folder of somebody's machine: %s", path, n+1, line)
			}
		}
	})
}

// Every room of the house stands on a floor that the plan shows, by its own name.
func TestRoomsStandInThePlan(t *testing.T) {
	plan := read(t, architecture)
	rooms := make(map[string]bool)
	eachGoFile(t, func(path string) { rooms[filepath.ToSlash(filepath.Dir(path))] = true })
	for room := range rooms {
		rest, inside := strings.CutPrefix(room, "internal/")
		if !inside {
			continue
		}
		parts := strings.Split(rest, "/")
		if !strings.Contains(plan, "`"+parts[0]+"/`") {
			t.Errorf("%s: %s does not show the floor %s/", room, architecture, parts[0])
		}
		if len(parts) == 2 && !regexp.MustCompile(`\b`+parts[1]+`\b`).MatchString(plan) {
			t.Errorf("%s does not show the room %s", architecture, room)
		}
	}
}

// Every goroutine that a run.Group names stands in the table of goroutines.
func TestGoroutinesStandInTheTable(t *testing.T) {
	_, table, ok := strings.Cut(read(t, architecture), "\n## Goroutines\n")
	if !ok {
		t.Fatalf("%s has lost its table of goroutines", architecture)
	}
	table, _, _ = strings.Cut(table, "\n## ")
	seen := 0
	eachGoFile(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, name := range goroutines(t, path) {
			seen++
			if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(table) {
				t.Errorf("%s starts %q, which is not in the table of %s", path, name, architecture)
			}
		}
	})
	if seen < 10 {
		t.Errorf("only %d goroutines were found: the test no longer sees them", seen)
	}
}

// goroutines lists the names that a file gives to goroutines: the first word of the
// string in calls of run.Group's Go and of the host's every.
func goroutines(t *testing.T, path string) (names []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Go" && sel.Sel.Name != "every" {
			return true
		}
		for _, arg := range call.Args {
			if sum, ok := arg.(*ast.BinaryExpr); ok {
				arg = sum.X
			}
			if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				name, _, _ := strings.Cut(unquote(lit.Value), " ")
				names = append(names, name)
			}
		}
		return true
	})
	return names
}
