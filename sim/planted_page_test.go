package sim

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/planted"
)

// found is how a mistake was found: a line of the figures.
type found struct {
	Bug     planted.Bug `json:"bug"`
	Test    string      `json:"test"`
	By      []string    `json:"by"`
	Words   string      `json:"words"`
	Seed    uint64      `json:"seed"`
	Seeds   int         `json:"seeds"`
	Seconds float64     `json:"cpu_seconds"`
}

const (
	figuresFile = "planted.jsonl"
	plantedPage = "../docs/PLANTED.md"
	tableBegins = "<!-- table: written by go test ./sim -run TestPlantedPage -write -->\n"
	tableEnds   = "<!-- end of table -->\n"
)

var write = flag.Bool("write", false, "write docs/PLANTED.md anew")

// The page tells of every mistake there is, of where it stands in the code, and of what found
// it last.
func TestPlantedPage(t *testing.T) {
	page, err := os.ReadFile(plantedPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(page, []byte(tableBegins))
	_, after, ends := bytes.Cut(rest, []byte(tableEnds))
	if !ok || !ends {
		t.Fatalf("%s has no table", plantedPage)
	}
	want := slices.Concat(before, []byte(tableBegins), plantedTable(t), []byte(tableEnds), after)
	switch {
	case bytes.Equal(page, want):
	case *write:
		if err := os.WriteFile(plantedPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what %s and the code say: go test ./sim -run TestPlantedPage -write", plantedPage, figuresFile)
	}
}

// plantedTable is the page's, in Markdown.
func plantedTable(t *testing.T) []byte {
	said, lines, results := meanings(t), places(t), lastFound(t)
	var b bytes.Buffer
	b.WriteString("| mistake | what it is | where | caught by | in | seeds | CPU s |\n| --- | --- | --- | --- | --- | ---: | ---: |\n")
	for _, bug := range planted.All() {
		if len(lines[bug]) == 0 {
			t.Errorf("%s is planted nowhere", bug)
		}
		f, ok := results[bug]
		if !ok {
			t.Errorf("nobody has found %s: %s has no line of it", bug, figuresFile)
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | `%s` seed %d | %d | %.1f |\n", bug, said[bug],
			strings.Join(lines[bug], ", "), strings.Join(f.By, ", "), f.Test, f.Seed, f.Seeds, f.Seconds)
	}
	for bug := range results {
		if !slices.Contains(planted.All(), bug) {
			t.Errorf("%s tells of %s, which is no mistake that can be planted", figuresFile, bug)
		}
	}
	return b.Bytes()
}

// lastFound is the last line of each mistake.
func lastFound(t *testing.T) map[planted.Bug]found {
	b, err := os.ReadFile(figuresFile)
	if err != nil {
		t.Fatal(err)
	}
	last := make(map[planted.Bug]found)
	for line := range bytes.Lines(b) {
		var f found
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatalf("%s: %v", figuresFile, err)
		}
		last[f.Bug] = f
	}
	return last
}

// meanings are the comments beside the names.
func meanings(t *testing.T) map[planted.Bug]string {
	f, err := parser.ParseFile(token.NewFileSet(), "../internal/base/planted/planted.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	said := make(map[planted.Bug]string)
	ast.Inspect(f, func(n ast.Node) bool {
		if v, is := n.(*ast.ValueSpec); is && v.Comment != nil {
			said[planted.Bug(v.Names[0].Name)] = strings.TrimSpace(v.Comment.Text())
		}
		return true
	})
	return said
}

// places are the files in which mistakes are planted, with links.
func places(t *testing.T) map[planted.Bug][]string {
	at := make(map[planted.Bug][]string)
	err := filepath.WalkDir("../internal", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "planted" {
			return fs.SkipDir // it has the names alone
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, "../"))
		for _, bug := range planted.All() {
			if bytes.Contains(b, []byte("planted.Is(planted."+string(bug)+")")) {
				at[bug] = append(at[bug], fmt.Sprintf("[%s](../%s)", strings.TrimPrefix(name, "internal/"), name))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}
