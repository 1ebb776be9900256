package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// client is one column of programs: what to run, or why it cannot be run.
type client struct {
	name   string
	argv   []string
	reason string
}

// column is a client before anything of it was made ready.
type column struct {
	name    string
	prepare func(context.Context, options) ([]string, string)
}

// order is that of the table.
var order = []column{
	{"franz-go", goProgram("franz", false)},
	{"sarama", goProgram("sarama", false)},
	{"kafka-go", goProgram("segmentio", false)},
	{"confluent-kafka-go", goProgram("confluent", true)},
	{"kcat", kcat},
	{"confluent-kafka-python", python},
	{"kafkajs", node},
	{"java", javaProgram("Clients")},
	{"kafka tools", javaProgram("Tools")},
}

// prepare builds and, if asked, installs the clients. What is missing is a reason.
func prepare(ctx context.Context, o options) (clients []client) {
	only := split(o.only)
	for _, c := range order {
		if len(only) > 0 && !slices.Contains(only, c.name) {
			continue
		}
		began := time.Now()
		argv, reason := c.prepare(ctx, o)
		if reason == "" {
			say("%-24s ready (%s)", c.name, time.Since(began).Round(100*time.Millisecond))
		} else {
			say("%-24s LEFT OUT: %s", c.name, firstLine(reason))
		}
		clients = append(clients, client{c.name, argv, reason})
	}
	return clients
}

// lacking says which clients are not ready.
func lacking(clients []client) error {
	var errs []error
	for _, c := range clients {
		if c.reason != "" {
			errs = append(errs, fmt.Errorf("%s: %s", c.name, c.reason))
		}
	}
	return errors.Join(errs...)
}

func goProgram(name string, cgo bool) func(context.Context, options) ([]string, string) {
	return func(ctx context.Context, o options) ([]string, string) {
		env := []string{"CGO_ENABLED=0"}
		if cgo {
			env[0] = "CGO_ENABLED=1"
			if _, err := exec.LookPath("gcc"); err != nil && !o.installed(ctx, "gcc", "gcc", "libc6-dev") {
				return nil, "it is made with cgo and there is no C compiler"
			}
		}
		binary := filepath.Join(o.work, "bin", name)
		if err := command(ctx, filepath.Join(o.root, "kit"), env, "go", "build", "-o", binary, "./clients/"+name); err != nil {
			return nil, err.Error()
		}
		return []string{binary}, ""
	}
}

func kcat(ctx context.Context, o options) ([]string, string) {
	if _, err := exec.LookPath("kcat"); err != nil && !o.installed(ctx, "kcat", "kcat") {
		return nil, "kcat is not installed (apt-get install kcat)"
	}
	return goProgram("kcat", false)(ctx, o)
}

// installed installs Debian's packages if that was asked for, and says whether the
// command is there then.
func (o options) installed(ctx context.Context, name string, packages ...string) bool {
	if !o.install {
		return false
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return false
	}
	args := append([]string{"install", "-y", "-q", "--no-install-recommends"}, packages...)
	if command(ctx, o.work, nil, "apt-get", args...) != nil {
		_ = command(ctx, o.work, nil, "apt-get", "update", "-q")
		_ = command(ctx, o.work, nil, "apt-get", args...)
	}
	_, err := exec.LookPath(name)
	return err == nil
}

func python(ctx context.Context, o options) ([]string, string) {
	home, dir := filepath.Join(o.root, "python"), filepath.Join(o.work, "venv")
	reason := o.once(dir, []string{filepath.Join(home, "requirements.txt")}, func() error {
		if err := command(ctx, home, nil, "python3", "-m", "venv", dir); err != nil {
			return err
		}
		return command(ctx, home, nil, filepath.Join(dir, "bin", "pip"), "install", "-q", "-r", "requirements.txt")
	})
	return []string{filepath.Join(dir, "bin", "python"), filepath.Join(home, "main.py")}, reason
}

func node(ctx context.Context, o options) ([]string, string) {
	home, dir := filepath.Join(o.root, "node"), filepath.Join(o.work, "node")
	files := []string{filepath.Join(home, "package.json"), filepath.Join(home, "package-lock.json")}
	reason := o.once(dir, files, func() error {
		for _, f := range files {
			if err := copyFile(f, filepath.Join(dir, filepath.Base(f))); err != nil {
				return err
			}
		}
		return command(ctx, dir, nil, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
	})
	sources, err := filepath.Glob(filepath.Join(home, "*.js"))
	for _, f := range sources {
		if err == nil && reason == "" {
			err = copyFile(f, filepath.Join(dir, filepath.Base(f)))
		}
	}
	if err != nil {
		reason = err.Error()
	}
	return []string{"node", filepath.Join(dir, "main.js")}, reason
}

// jars fetches Apache Kafka with everything that it depends on.
func jars(ctx context.Context, o options) string {
	home, dir := filepath.Join(o.root, "java"), filepath.Join(o.work, "libs")
	return o.once(dir, []string{filepath.Join(home, "pom.xml")}, func() error {
		for tool, pkg := range map[string]string{"javac": "openjdk-17-jdk-headless", "mvn": "maven"} {
			if _, err := exec.LookPath(tool); err != nil && !o.installed(ctx, tool, pkg) {
				return fmt.Errorf("%s is not installed (apt-get install %s)", tool, pkg)
			}
		}
		return command(ctx, home, nil, "mvn", "-q", "-B", "-f", "pom.xml",
			"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
			"-DincludeScope=runtime", "-DoutputDirectory="+dir)
	})
}

func needJars(o options) string {
	if _, err := exec.LookPath("java"); err != nil {
		return "there is no java"
	}
	return jars(context.Background(), o)
}

func javaProgram(class string) func(context.Context, options) ([]string, string) {
	return func(ctx context.Context, o options) ([]string, string) {
		if reason := jars(ctx, o); reason != "" {
			return nil, reason
		}
		home, out := filepath.Join(o.root, "java"), filepath.Join(o.work, "classes")
		sources, err := filepath.Glob(filepath.Join(home, "*.java"))
		if err != nil {
			return nil, err.Error()
		}
		libs := filepath.Join(o.work, "libs", "*")
		reason := o.build(out, sources, func() error {
			return command(ctx, home, nil, "javac", append([]string{"-nowarn", "-d", out, "-cp", libs}, sources...)...)
		})
		classes := out + string(os.PathListSeparator) + libs + string(os.PathListSeparator) + home
		return []string{"java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes, class}, reason
	}
}

// once does what needs the network, unless it was done for the same files before.
func (o options) once(dir string, files []string, do func() error) string {
	if !o.install && !stamped(dir, files) {
		return "not installed: run with --install"
	}
	return o.build(dir, files, do)
}

// build does something for a folder, unless it was done for the same files before.
func (o options) build(dir string, files []string, do func() error) string {
	if stamped(dir, files) {
		return ""
	}
	if err := os.RemoveAll(dir); err != nil {
		return err.Error()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err.Error()
	}
	if err := do(); err != nil {
		return err.Error()
	}
	if err := os.WriteFile(dir+".stamp", []byte(sum(files)), 0o644); err != nil {
		return err.Error()
	}
	return ""
}

func stamped(dir string, files []string) bool {
	have, err := os.ReadFile(dir + ".stamp")
	_, gone := os.Stat(dir)
	return err == nil && gone == nil && string(have) == sum(files)
}

func sum(files []string) string {
	h := sha256.New()
	for _, f := range files {
		data, err := os.ReadFile(f)
		fmt.Fprintf(h, "%s %d %v\n", filepath.Base(f), len(data), err)
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, fs.FileMode(0o644))
}

// command runs a program and returns its output in the error, if it failed.
func command(ctx context.Context, dir string, env []string, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
