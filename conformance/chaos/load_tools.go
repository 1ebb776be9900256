package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/odradek/odradek/conformance/cluster"
)

// Tools are the workers' commands, by the client that they are written with, and why there
// is none for the others.
type Tools struct {
	argv map[string][]string
	Lack map[string]string
}

// BuildTools builds in dir what can be built here, from the repository at root.
func BuildTools(root, dir string) *Tools {
	t := &Tools{make(map[string][]string), make(map[string]string)}
	for _, p := range []struct {
		client string
		build  func(root, dir string) ([]string, error)
	}{{"franz-go", franz}, {"sarama", sarama}, {"java", java}, {"python", python}} {
		argv, err := p.build(root, dir)
		if err != nil {
			t.Lack[p.client] = err.Error()
			continue
		}
		t.argv[p.client] = argv
	}
	return t
}

func goBuild(dir, binary, pkg string) ([]string, error) {
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", binary, pkg)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	return []string{binary}, nil
}

func franz(root, dir string) ([]string, error) {
	return goBuild(root, filepath.Join(dir, "franz"), "./conformance/chaos/franz")
}

func sarama(root, dir string) ([]string, error) {
	return goBuild(filepath.Join(root, "conformance", "kit"), filepath.Join(dir, "sarama"), "./chaos/sarama")
}

func java(root, dir string) ([]string, error) {
	libs, err := cluster.KafkaJars(root)
	if err != nil {
		return nil, err
	}
	if libs, err = filepath.Abs(libs); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("javac"); err != nil {
		return nil, errors.New("there is no javac")
	}
	libs = filepath.Join(libs, "*")
	sources, err := filepath.Glob(filepath.Join(root, "conformance", "java", "Chaos*.java"))
	if err != nil {
		return nil, err
	}
	classes := filepath.Join(dir, "classes")
	if out, err := exec.Command("javac", append([]string{"-nowarn", "-d", classes, "-cp", libs}, sources...)...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("javac: %w\n%s", err, out)
	}
	return []string{"java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
		"-cp", classes + string(os.PathListSeparator) + libs, "Chaos"}, nil
}

func python(root, _ string) ([]string, error) {
	binary, err := filepath.Abs(filepath.Join(root, "conformance", ".work", "venv", "bin", "python"))
	if err != nil {
		return nil, err
	}
	if err := exec.Command(binary, "-c", "import confluent_kafka").Run(); err != nil {
		return nil, errors.New("there is no confluent-kafka: conformance/run --install fetches it")
	}
	program, err := filepath.Abs(filepath.Join(root, "conformance", "python", "chaos.py"))
	return []string{binary, program}, err
}
