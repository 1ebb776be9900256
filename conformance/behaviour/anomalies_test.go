package behaviour

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each test that docs/ANOMALIES.md names is there, and a row without one says that it is by
// design or not the broker's.
func TestAnomalies(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/ANOMALIES.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, tests := 0, map[string]map[string]bool{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 7 || strings.HasPrefix(cells[1], " ---") || cells[1] == " found in " {
			continue
		}
		rows++
		named := testOnPage.FindAllStringSubmatch(cells[5], -1)
		if len(named) == 0 && !strings.Contains(cells[4], "by design") && !strings.Contains(cells[4], "nothing of it is the broker's") {
			t.Errorf("%s: no test", cells[2])
		}
		dir := ""
		for _, n := range named {
			if n[1] != "" {
				dir = n[1]
			}
			if tests[dir] == nil {
				tests[dir] = testsIn(t, dir)
			}
			if !tests[dir][n[2]] {
				t.Errorf("%s: there is no %s in %s", cells[2], n[2], dir)
			}
		}
	}
	if rows < 20 {
		t.Errorf("the page has %d rows", rows)
	}
}
