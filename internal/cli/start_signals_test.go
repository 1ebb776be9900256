//go:build unix

package cli

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A running node takes a changed log level on SIGHUP, keeps the old one if the file is
// wrong, and stops in order on SIGTERM with exit code 0.
func TestStartSignals(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "server.properties")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("odradek.log.level=warn\nodradek.log.format=json\n")
	cmd := exec.CommandContext(t.Context(), exe, "start", "--config", file, "--data", filepath.Join(dir, "data"),
		"--listen", "localhost:0", "--override", "odradek.admin.listener=")
	cmd.Args[0] = "odradek"
	cmd.Env = plainEnviron(os.Environ())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, stdout, "stop     Ctrl-C")
	log := bufio.NewReader(stderr)
	write("odradek.log.level=loud\n")
	signalNode(t, cmd, syscall.SIGHUP)
	waitFor(t, log, `"settings were not read again"`)
	write("odradek.log.level=debug\n")
	signalNode(t, cmd, syscall.SIGHUP)
	waitFor(t, log, `"msg":"log level was read again","level":"debug"`)
	signalNode(t, cmd, syscall.SIGTERM)
	waitFor(t, log, `"level":"INFO","msg":"controller resigned"`)
	if _, err := io.Copy(io.Discard, log); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
}

func signalNode(t *testing.T, cmd *exec.Cmd, s os.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// waitFor reads lines until one has text.
func waitFor(t *testing.T, r io.Reader, text string) {
	t.Helper()
	lines, ok := r.(*bufio.Reader)
	if !ok {
		lines = bufio.NewReader(r)
	}
	for {
		line, err := lines.ReadString('\n')
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			t.Fatalf("no %s: %v", text, err)
		}
	}
}
