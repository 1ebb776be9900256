package behaviour

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// testsIn are the names of the tests of a package.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

var (
	rowOfPage  = regexp.MustCompile(`(?m)^\| *(\d+) \|([^|]*)\|([^|]*)\|([^|]*)\|$`)
	testOnPage = regexp.MustCompile("(?:`([a-z/]+)` )?`(Test[A-Za-z0-9_]+)`")
)

// docs/BEHAVIOURS.md has a row for each number, in order; each test that it names is
// there, each test that is here is named in the row of its number, and a row without
// any says why.
func TestPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/BEHAVIOURS.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range check(string(page), func(dir string) map[string]bool { return testsIn(t, dir) }) {
		t.Error(complaint)
	}
}

const here = "conformance/behaviour"

func check(page string, tests func(dir string) map[string]bool) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	next, named := 1, make(map[string]bool)
	for _, row := range rowOfPage.FindAllStringSubmatch(page, -1) {
		number, _ := strconv.Atoi(row[1])
		if number != next {
			complain("row %d follows row %d", number, next-1)
		}
		next = number + 1
		found := testOnPage.FindAllStringSubmatch(row[4], -1)
		if len(found) == 0 && len(strings.TrimSpace(row[3])) < len("as Kafka: x") {
			complain("row %d has neither a test nor a reason", number)
		}
		for _, test := range found {
			dir := test[1]
			if dir == "" {
				dir = here
				if named[test[2]] = true; !strings.HasPrefix(test[2], fmt.Sprintf("TestBehaviour%03d", number)) {
					complain("row %d names %s, a test of another number", number, test[2])
				}
			}
			if !tests(dir)[test[2]] {
				complain("row %d names %s, which %s does not have", number, test[2], dir)
			}
		}
	}
	if next != 120 {
		complain("the last row is %d, want 119", next-1)
	}
	for name := range tests(here) {
		if strings.HasPrefix(name, "TestBehaviour") && !named[name] {
			complain("%s stands in no row", name)
		}
	}
	return complaints
}

func TestPageCheckerSees(t *testing.T) {
	tests := func(string) map[string]bool { return map[string]bool{"TestBehaviour001X": true} }
	row := func(n int, test string) string { return fmt.Sprintf("| %d | what | as Kafka | %s |\n", n, test) }
	for what, page := range map[string]string{
		"a test that is gone":     row(1, "`TestBehaviour001Gone`"),
		"a number left out":       row(1, "`TestBehaviour001X`") + row(3, "`TestBehaviour001X`"),
		"a row without a reason":  row(1, ""),
		"a test without a row":    "",
		"a test of another's row": row(1, "`TestBehaviour001X`") + row(2, "`TestBehaviour001X`"),
	} {
		if n := len(check(page, tests)); n < 2 { // one is that the page is short
			t.Errorf("%s is not seen", what)
		}
	}
}
