package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func houseImports(t *testing.T, specs []*ast.ImportSpec) []string {
	t.Helper()
	var rooms []string
	for _, spec := range specs {
		if room, ours := strings.CutPrefix(unquote(spec.Path.Value), module); ours {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

// maxLines is where a file has a second idea. Generated files are exempt.
const maxLines = 500

func TestFilesAreShort(t *testing.T) {
	eachGoFile(t, func(path string) {
		text := read(t, path)
		if generated(text) {
			return
		}
		if n := strings.Count(text, "\n"); n > maxLines {
			t.Errorf("%s has %d lines, more than %d: look for the second idea", path, n, maxLines)
		}
	})
}

func TestPackagesSayWhatTheyKnow(t *testing.T) {
	documented := make(map[string]bool)
	eachGoFile(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || f.Doc != nil
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", dir)
		}
	}
}

// doors are what only the roof may open: below it the disk, the network and
// randomness arrive in a Config, so that the simulator can stand behind them.
var doors = []string{`"net"`, `"math/rand"`, `"math/rand/v2"`, `"crypto/rand"`, `"os/exec"`, `"os/signal"`}

// doorkeepers are the rooms that may open a door, each with its reason.
var doorkeepers = map[string]string{
	"internal/base/vfs":           "it is the door to the disk; tests draw crashes from a seeded source",
	"internal/proto/wire":         "net.Conn and net.Listener are its words; it never dials",
	"internal/proto/link":         "net.Conn and net.Listener are its words; it dials by its Config",
	"internal/cluster/peers":      "passes net.Conn and net.Listener on; opens nothing",
	"internal/proto/memnet":       "it implements net.Conn",
	"internal/front/api":          "formats addresses; opens nothing",
	"internal/front/zkview":       "net.Conn and net.Listener are its words; it never dials",
	"internal/cluster/config":     "parses addresses; opens nothing",
	"internal/cluster/brokers":    "formats addresses; it dials by its Config",
	"internal/cluster/controller": "formats addresses; it probes by its Options",
}

func TestDoorsStayShut(t *testing.T) {
	eachGoFile(t, func(path string) {
		room := filepath.ToSlash(filepath.Dir(path))
		if strings.HasSuffix(path, "_test.go") || !belowRoof(room) {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			for _, door := range doors {
				if spec.Path.Value == door && !seededOnly(door, f) && doorkeepers[room] == "" {
					t.Errorf("%s imports %s: below the roof it comes in Config", path, door)
				}
			}
		}
		for _, call := range osCalls(f) {
			if room != "internal/base/vfs" && f.Name.Name != "main" {
				t.Errorf("%s calls os.%s: the disk's door is vfs", path, call)
			}
		}
	})
}

func belowRoof(room string) bool {
	roof := floorOf("internal/broker")
	floor := floorOf(room)
	return floor >= 0 && floor < roof
}

// seededOnly allows math/rand where a file only names its types and makes seeded
// sources: no draw from the global one.
func seededOnly(door string, f *ast.File) bool {
	if !strings.HasPrefix(door, `"math/rand`) {
		return false
	}
	ok := true
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, is := n.(*ast.SelectorExpr); is && isIdent(sel.X, "rand") {
			switch sel.Sel.Name {
			case "Rand", "New", "Source", "NewPCG", "NewChaCha8":
			default:
				ok = false
			}
		}
		return true
	})
	return ok
}

// osCalls lists the functions of package os that touch files, as called in f.
func osCalls(f *ast.File) []string {
	touch := map[string]bool{"Open": true, "OpenFile": true, "Create": true, "Remove": true, "RemoveAll": true,
		"Rename": true, "Mkdir": true, "MkdirAll": true, "ReadFile": true, "WriteFile": true, "ReadDir": true,
		"Stat": true, "Getenv": true, "Environ": true, "Exit": true}
	var calls []string
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, is := n.(*ast.SelectorExpr); is && isIdent(sel.X, "os") && touch[sel.Sel.Name] {
			calls = append(calls, sel.Sel.Name)
		}
		return true
	})
	return calls
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func generated(text string) bool {
	head, _, _ := strings.Cut(text, "\npackage ")
	return strings.Contains(head, "// Code generated") && strings.Contains(head, "DO NOT EDIT.")
}

// Faked time has one door too: see its doc comment for what the race detector does without it.
func TestFakedTimeHasOneDoor(t *testing.T) {
	eachGoFile(t, func(path string) {
		if filepath.ToSlash(filepath.Dir(path)) != "internal/base/bubble" && strings.Contains(read(t, path), "synctest.Test"+"(") {
			t.Errorf("%s calls synctest.Test: bubble.Test does it with care for the race detector", path)
		}
	})
}
