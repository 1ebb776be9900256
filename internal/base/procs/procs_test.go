package procs_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/odradek/odradek/internal/base/procs"
)

func TestSpare(t *testing.T) {
	if v, set := os.LookupEnv("GOMAXPROCS"); set {
		os.Unsetenv("GOMAXPROCS")
		defer os.Setenv("GOMAXPROCS", v)
	}
	runtime.SetDefaultGOMAXPROCS()
	before := runtime.GOMAXPROCS(0)
	stop := procs.Spare()
	if n := runtime.GOMAXPROCS(0); n != before+1 {
		t.Errorf("%d where there were %d", n, before)
	}
	stop()
	if n := runtime.GOMAXPROCS(0); n != before {
		t.Errorf("%d at the end where there were %d", n, before)
	}
	t.Setenv("GOMAXPROCS", "7")
	procs.Spare()()
	if n := runtime.GOMAXPROCS(0); n != before {
		t.Errorf("%d though the environment says", n)
	}
}
