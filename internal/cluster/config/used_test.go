package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A key that is called native is read by some room: otherwise it does nothing, whatever
// the page says. A broker key also counts as read where a key of topics or groups
// inherits it.
func TestNativeKeysAreRead(t *testing.T) {
	if _, err := os.Stat("../../../internal/broker"); err != nil {
		t.Skip("the house is not built yet")
	}
	vars := keyVariables(t)
	read := readVariables(t)
	for s := range numScopes {
		for d := range All(s) {
			if d.Meaning != Native || d.Internal {
				continue
			}
			users := []string{vars[s][d.Name]}
			for _, heirs := range []Scope{Topic, Group} {
				for h := range All(heirs) {
					if s == Broker && slices.ContainsFunc(h.Synonyms, func(x Synonym) bool { return x.Name == d.Name }) {
						users = append(users, vars[heirs][h.Name])
					}
				}
			}
			if !slices.ContainsFunc(users, func(u string) bool { return read[u] }) {
				t.Errorf("%s key %s is called native, but nobody reads config.%s", s, d.Name, users[0])
			}
		}
	}
}

// keyVariables maps keys to the names of their Go variables.
func keyVariables(t *testing.T) map[Scope]map[string]string {
	t.Helper()
	scopes := map[string]Scope{"Broker": Broker, "Topic": Topic, "Group": Group, "ClientMetrics": ClientMetrics}
	vars := map[Scope]map[string]string{Broker: {}, Topic: {}, Group: {}, ClientMetrics: {}}
	files, _ := filepath.Glob("keys_*.go")
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				return true
			}
			call, ok := v.Values[0].(*ast.CallExpr)
			if !ok {
				return true
			}
			name, _ := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
			vars[scopes[call.Fun.(*ast.SelectorExpr).X.(*ast.Ident).Name]][name] = v.Names[0].Name
			return true
		})
	}
	return vars
}

var (
	outsideUse = regexp.MustCompile(`\bconfig\.([A-Z]\w+)\b`)
	insideUse  = regexp.MustCompile(`\b([A-Z]\w+)\.(?:Get|Lookup|IsSet)\(`)
	bounds     = regexp.MustCompile(`\b(Group\w*(?:Min|Max)\w+)\b`) // of what may be set on a group
)

// readVariables are the key variables that other rooms name, or that this room reads to
// resolve something rather than to check it.
func readVariables(t *testing.T) map[string]bool {
	t.Helper()
	read := map[string]bool{}
	add := func(pattern *regexp.Regexp, text []byte) {
		for _, m := range pattern.FindAllSubmatch(text, -1) {
			read[string(m[1])] = true
		}
	}
	for _, f := range []string{"storage.go", "listeners.go", "node.go"} {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		add(insideUse, b)
	}
	checks, err := os.ReadFile("alter_group.go")
	if err != nil {
		t.Fatal(err)
	}
	add(bounds, checks)
	for _, top := range []string{"../../../internal", "../../../server"} {
		err := filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") || strings.Contains(filepath.ToSlash(p), "cluster/config/") {
				return err
			}
			b, err := os.ReadFile(p)
			if err == nil {
				add(outsideUse, b)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return read
}
