// Package figures keeps what was measured: files with a line of JSON for each run, which add
// up, and the pages that are made of them and say nothing else. It knows nothing of what the
// figures mean. It owns no goroutines.
package figures

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// Today is the day of a figure.
func Today() string { return time.Now().UTC().Format(time.DateOnly) }

// Append logs a figure and appends it to a file, if there is one.
func Append(t testing.TB, file string, figure any) {
	t.Helper()
	line, err := json.Marshal(figure)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("figure %s", line)
	if file == "" {
		return
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
}

// Read returns the figures of a file, which must be there: pages are made of it.
func Read[F any](t testing.TB, file string) (all []F) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var f F
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatalf("%s: %v: %s", file, err, lines.Bytes())
		}
		all = append(all, f)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return all
}

// Page writes a page, or fails if it is not what the figures make; again says how to write it.
func Page(t testing.TB, file, text string, write bool, again string) {
	t.Helper()
	if write {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have, err := os.ReadFile(file); err != nil || string(have) != text {
		t.Errorf("%s is not what the figures make (%v): %s", file, err, again)
	}
}
