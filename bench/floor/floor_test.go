//go:build linux

package floor

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestMain is the serving process if it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-serve" {
		var s Spec
		err := json.Unmarshal([]byte(os.Args[2]), &s)
		if err == nil {
			err = Serve(s, os.Stdin, os.Stdout)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// Every operation, in every way, serves every request of the loads and costs something.
func TestEachWay(t *testing.T) {
	var specs []Spec
	for _, socket := range []string{Net, Blocking} {
		for _, batch := range []int{1000, 100 << 10} {
			specs = append(specs,
				Spec{Op: Produce, Batch: batch, InFlight: 4, Burst: 2, Socket: socket, Durable: true},
				Spec{Op: Fetch, Batch: batch, InFlight: 4, Socket: socket},
				Spec{Op: Fetch, Batch: batch, InFlight: 2, Socket: socket, Sendfile: true})
		}
		specs = append(specs, Spec{Op: Ping, InFlight: 8, Burst: 4, Socket: socket, Requests: 100})
	}
	specs = append(specs, Spec{Op: Produce, Batch: 1 << 20, File: Recycled})
	for _, s := range specs {
		s.Dir = t.TempDir()
		if s.Op != Ping {
			s.Bytes = int64(s.Batch) * 20
		}
		r, err := Run(t.Context(), []string{os.Args[0], "-serve"}, s)
		if err != nil {
			t.Errorf("%+v: %v", s, err)
		}
		if want := map[bool]int64{true: 100, false: 20}[s.Op == Ping]; r.Requests != want || r.Bytes != s.Bytes || r.User+r.System <= 0 {
			t.Errorf("%+v: %d requests of %d, %d bytes, %v s of processor", s, r.Requests, want, r.Bytes, r.User+r.System)
		}
		if left, _ := os.ReadDir(s.Dir); len(left) > 0 {
			t.Errorf("%+v: files are left", s)
		}
	}
}

// The table is of what can be measured, in the shapes of the raw loads.
func TestTable(t *testing.T) {
	for _, s := range Table(Spec{}) {
		s = s.withDefaults()
		if err := s.check(); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// A batch that was damaged on its way is refused, and what cannot be is said.
func TestRefusals(t *testing.T) {
	s := Spec{Op: Produce, Batch: 1000}.withDefaults()
	w, err := wordsOf(s)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v := &server{spec: s, file: f, answer: w.answer}
	if err := v.append(w.request); err != nil || len(v.answers) != len(w.answer) {
		t.Errorf("a sound batch: %v", err)
	}
	w.request[len(w.request)-1]++
	if err := v.append(w.request); err == nil {
		t.Error("a damaged batch was appended")
	}
	for want, s := range map[string]Spec{
		"operation": {Op: "x"}, "a batch of 5 bytes": {Op: Fetch, Batch: 5}, "burst": {Op: Ping, Burst: 2}, "socket": {Op: Ping, Socket: "x"},
	} {
		if _, err := Run(t.Context(), nil, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
