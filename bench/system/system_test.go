package system

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"context"
)

// A system is started, rests, starts again upon what it had, and leaves nothing behind.
func TestLifeOfASystem(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts processes; left out by -short")
	}
	s, err := Odradek(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "run")
	r, err := s.Start(ctx, 1, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Stop() }()
	if len(r.PIDs()) != 1 || len(r.Admins()) != 1 || !strings.HasPrefix(r.Bootstrap(), "127.0.0.1:") || !r.Alive() {
		t.Fatalf("pids %v, admins %v, bootstrap %s", r.PIDs(), r.Admins(), r.Bootstrap())
	}
	first := r.PIDs()[0]
	if err := r.Rest(ctx); err != nil || r.Alive() || len(r.PIDs()) != 0 {
		t.Fatalf("at rest there are %v (%v)", r.PIDs(), err)
	}
	if err := r.Launch(); err != nil {
		t.Fatal(err)
	}
	if err := r.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if r.PIDs()[0] == first || len(r.Admins()) != 1 {
		t.Errorf("the second life: pids %v, admins %v", r.PIDs(), r.Admins())
	}
	pid := r.PIDs()[0]
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	if r.Alive() {
		t.Errorf("process %d is left", pid)
	}
}
