//go:build unix

package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/cli/compose"
)

// TestMain removes what build made.
func TestMain(m *testing.M) {
	code := m.Run()
	if dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

var dir string // of the built program

// build builds the program as the Dockerfile does, once.
var build = sync.OnceValues(func() (string, error) {
	var err error
	if dir, err = os.MkdirTemp("", "odradek-deploy"); err != nil {
		return "", err
	}
	out := filepath.Join(dir, "odradek")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, "../cmd/odradek")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, text)
	}
	return out, nil
})

func binary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	exe, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// nodesOf are the nodes of a compose file, with its variables unset.
func nodesOf(t *testing.T, file string) []compose.Node {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	services, err := compose.Parse(text, compose.Source{Lookup: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	nodes, notes, err := compose.Nodes(services, func(name string) string { return "/d/" + name })
	if err != nil || len(notes) > 0 {
		t.Fatalf("%s: %v, %v", file, err, notes)
	}
	return nodes
}

// Both compose files are of the cluster that they say.
func TestComposeFiles(t *testing.T) {
	if n := nodesOf(t, "compose.yml"); len(n) != 1 || n[0].ID != 1 || n[0].Kafka != "localhost:9092" {
		t.Errorf("compose.yml: %+v", n)
	}
	nodes := nodesOf(t, "compose-3.yml")
	var got []string
	for _, n := range nodes {
		got = append(got, fmt.Sprintf("%s %d %s %s", n.Name, n.ID, n.Kafka, n.Settings["process.roles"]))
	}
	want := "kafka-1 500 localhost:9095 broker,controller; kafka-2 501 localhost:9096 broker,controller; kafka-3 502 localhost:9097 broker,controller"
	if strings.Join(got, "; ") != want {
		t.Errorf("compose-3.yml: %v", got)
	}
}

// freePorts is the first of three free ports with which the others that are derived from
// them are free, too.
func freePorts(t *testing.T) int {
	t.Helper()
	for base := 20_100; base < 22_000; base += 10 {
		free := true
		for i := range 3 {
			for _, by := range []int{0, 5_000, 10_000} {
				ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("localhost:%d", base+i+by))
				if err != nil {
					free = false
					continue
				}
				ln.Close()
			}
		}
		if free {
			return base
		}
	}
	t.Fatal("no ports are free")
	return 0
}

// The three services run as processes, are one cluster, lose one and go on.
func TestThreeBrokersAsProcesses(t *testing.T) {
	exe := binary(t)
	base, data := freePorts(t), filepath.Join(t.TempDir(), "cluster")
	env := append(os.Environ(), "HOME="+t.TempDir(),
		fmt.Sprintf("ODRADEK_BOOTSTRAP_SERVERS=localhost:%d,localhost:%d,localhost:%d", base, base+1, base+2))
	for i := range 3 {
		env = append(env, fmt.Sprintf("ODRADEK_PORT_%d=%d", i+1, base+i))
	}
	run := func(stdin string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, exe, args...)
		cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("odradek %s: %v: %s", strings.Join(args, " "), err, errs.String())
		}
		return out.String()
	}
	t.Cleanup(func() { run("", "reset", "-y", "--data", data) })
	run("", "up", "--from-compose", "compose-3.yml", "--data", data)
	var info struct {
		Items []struct {
			Brokers []struct{ ID int32 }
		}
	}
	if err := json.Unmarshal([]byte(run("", "cluster", "info", "-o", "json")), &info); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(info.Items[0].Brokers); got != "[{500} {501} {502}]" {
		t.Errorf("brokers are %s", got)
	}
	run("", "health", "--config", filepath.Join(data, "kafka-2.properties"))
	run("", "topic", "create", "orders", "-p", "3")
	run("a\nb\nc\n", "produce", "orders")
	run("", "down", "501", "--data", data)
	run("d\n", "produce", "orders")
	run("", "up", "--data", data) // the file is remembered
	if got := run("", "consume", "orders", "--from", "start", "-n", "4"); strings.Count(got, "\n") != 4 {
		t.Errorf("consumed %q, want four records", got)
	}
}

// instruction is a line of a Dockerfile.
var instruction = regexp.MustCompile(`(?m)^([A-Z]+) +((?:.*\\\n)*.*)$`)

// image is the last stage of the Dockerfile.
func image(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for _, m := range instruction.FindAllStringSubmatch(string(text), -1) {
		if m[1] == "FROM" {
			clear(out)
		}
		out[m[1]] = strings.ReplaceAll(m[2], "\\\n", "")
	}
	return out
}

// words are those of an instruction in the exec form.
func words(t *testing.T, text string) (list []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(text[max(0, strings.IndexByte(text, '[')):]), &list); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return list
}

// What the image holds runs as nobody in a root that holds nothing else, with the image's
// own command and variables, and passes its own health check.
func TestImageAlone(t *testing.T) {
	img := image(t)
	if img["FROM"] != "scratch" || img["USER"] != "65532:65532" {
		t.Fatalf("the image is from %s and runs as %s", img["FROM"], img["USER"])
	}
	cmd, check := append(words(t, img["ENTRYPOINT"]), words(t, img["CMD"])...), words(t, img["HEALTHCHECK"])
	if os.Getuid() != 0 {
		t.Skip("only root can change the root")
	}
	root := t.TempDir()
	exe := binary(t)
	for _, err := range []error{
		os.Chmod(root, 0o755), copyFile(exe, filepath.Join(root, "odradek")), os.Mkdir(filepath.Join(root, "etc"), 0o755),
		// An engine adds this file.
		os.WriteFile(filepath.Join(root, "etc", "hosts"), []byte("127.0.0.1 localhost\n"), 0o644),
		os.Mkdir(filepath.Join(root, "data"), 0o755), os.Chown(filepath.Join(root, "data"), 65532, 65532),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	env := strings.Fields(img["ENV"])
	for i, kv := range env {
		if strings.HasPrefix(kv, "ODRADEK_ADMIN_LISTENER=") {
			env[i] = fmt.Sprintf("ODRADEK_ADMIN_LISTENER=127.0.0.1:%d", freePorts(t)+1)
		}
	}
	env = append(env, fmt.Sprintf("KAFKA_LISTENERS=PLAINTEXT://127.0.0.1:%d", freePorts(t)))
	node := inside(t, root, env, cmd)
	var said bytes.Buffer
	node.Stderr = &said
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	screen, buf := "", make([]byte, 4096)
	for !strings.Contains(screen, "Ctrl-C") {
		n, err := stdout.Read(buf)
		if screen += string(buf[:n]); err != nil {
			t.Fatalf("it ended: %s%s", screen, said.String())
		}
	}
	if text, err := inside(t, root, env, check).CombinedOutput(); err != nil {
		t.Errorf("health: %v: %s", err, text)
	}
	if _, err := os.Stat(filepath.Join(root, "data", "meta.properties")); err != nil {
		t.Error(err)
	}
	if err := terminate(node); err != nil {
		t.Errorf("it did not stop in order: %v: %s", err, said.String())
	}
	if text, err := inside(t, root, env, check).CombinedOutput(); err == nil {
		t.Errorf("a stopped node is healthy: %s", text)
	}
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o755)
}

// The unit starts a command of this program and gives it no rights.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile("odradek.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nExecStart=/usr/local/bin/odradek start --config /etc/odradek/server.properties\n", "\nDynamicUser=yes\n",
		"\nStateDirectory=odradek\n", "\nEnvironment=ODRADEK_DATA_DIR=/var/lib/odradek\n", "\nNoNewPrivileges=yes\n", "\nProtectSystem=strict\n",
		"\nCapabilityBoundingSet=\n", "\nKillSignal=SIGTERM\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("it lacks %q", strings.TrimSpace(want))
		}
	}
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	mended := filepath.Join(t.TempDir(), "odradek.service") // the program is not installed here
	if err := os.WriteFile(mended, bytes.Replace(text, []byte("/usr/local/bin/odradek"), []byte("/bin/true"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), verify, "verify", mended).CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("systemd-analyze verify: %v: %s", err, out)
	}
}
