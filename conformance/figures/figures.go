// Package figures keeps what was measured: files with a line of JSON for each run, which add
// up, and the pages that are made of them and say nothing else. It knows nothing of what the
// figures mean. It owns no goroutines.
package figures

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	if err := Add(file, figure); err != nil {
		t.Fatal(err)
	}
}

// Add appends a figure to a file.
func Add(file string, figure any) error {
	line, err := json.Marshal(figure)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// Read returns the figures of a file, which must be there: pages are made of it.
func Read[F any](t testing.TB, file string) []F {
	t.Helper()
	all, err := All[F](file)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// All returns the figures of a file.
func All[F any](file string) (all []F, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 4<<20)
	for n := 1; lines.Scan(); n++ {
		var f F
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return nil, fmt.Errorf("%s:%d: %w: %s", file, n, err, lines.Bytes())
		}
		all = append(all, f)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
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
