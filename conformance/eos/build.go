package eos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/odradek/odradek/conformance/cluster"
)

// programs are the pipelines, by the client that they are written with, and how each of
// their groups divides its partitions.
var programs = []struct{ client, protocol string }{
	{"franz-go", "classic"}, {"java", "consumer"}, {"confluent", "classic"}, {"sarama", "classic"},
}

// build makes a pipeline's program in dir and returns its command, or why it cannot be had.
func build(root, dir, client string) ([]string, error) {
	switch client {
	case "franz-go":
		return goProgram(root, dir, "franz", "CGO_ENABLED=0")
	case "sarama":
		return goProgram(root, dir, "sarama", "CGO_ENABLED=0")
	case "confluent":
		if _, err := exec.LookPath("gcc"); err != nil {
			return nil, errors.New("it is made with cgo and there is no C compiler")
		}
		return goProgram(root, dir, "confluent", "CGO_ENABLED=1")
	case "java":
		return javaProgram(root, dir)
	}
	return nil, fmt.Errorf("no pipeline is written with %q", client)
}

func goProgram(root, dir, name, env string) ([]string, error) {
	binary := filepath.Join(dir, "eos-"+name)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "./eos/"+name)
	cmd.Dir, cmd.Env = filepath.Join(root, "conformance", "kit"), append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	return []string{binary}, nil
}

func javaProgram(root, dir string) ([]string, error) {
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
	source := filepath.Join(root, "conformance", "java", "Pipeline.java")
	if out, err := exec.Command("javac", "-nowarn", "-d", dir, "-cp", libs, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("javac: %w\n%s", err, out)
	}
	return []string{"java", "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
		"-cp", dir + string(os.PathListSeparator) + libs, "Pipeline"}, nil
}
