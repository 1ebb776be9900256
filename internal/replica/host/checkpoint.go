package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/proto/model"
)

// Checkpoints are Kafka's own text files, one offset a partition:
//
//	0                 version
//	2                 number of lines that follow
//	orders 0 1234     topic partition offset
//	orders 1 99
const (
	recoveryPoints = "recovery-point-offset-checkpoint"
	logStarts      = "log-start-offset-checkpoint"
	highWatermarks = "replication-offset-checkpoint"
	cleanerPoints  = "cleaner-offset-checkpoint"
)

var checkpoints = []string{recoveryPoints, logStarts, cleanerPoints, highWatermarks}

type checkpoint map[model.TopicPartition]int64

// readCheckpoint reads a checkpoint; a missing one is empty. A damaged one is an
// error: what it would say is not guessed.
func readCheckpoint(fsys vfs.FS, dir, name string) (checkpoint, error) {
	b, err := vfs.ReadFile(fsys, filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return checkpoint{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	c, err := parseCheckpoint(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", filepath.Join(dir, name), err)
	}
	return c, nil
}

func parseCheckpoint(text string) (checkpoint, error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) < 2 || lines[0] != "0" {
		return nil, fmt.Errorf("version %q, want 0", lines[0])
	}
	n, err := strconv.Atoi(lines[1])
	if err != nil || n != len(lines)-2 {
		return nil, fmt.Errorf("it declares %q lines and has %d", lines[1], len(lines)-2)
	}
	c := make(checkpoint, n)
	for _, line := range lines[2:] {
		tp, offset, err := parseCheckpointLine(line)
		if err != nil {
			return nil, err
		}
		c[tp] = offset
	}
	return c, nil
}

func parseCheckpointLine(line string) (model.TopicPartition, int64, error) {
	f := strings.Fields(line)
	if len(f) != 3 {
		return model.TopicPartition{}, 0, fmt.Errorf("line %q has %d fields, want 3", line, len(f))
	}
	partition, err := strconv.ParseInt(f[1], 10, 32)
	if err != nil {
		return model.TopicPartition{}, 0, fmt.Errorf("line %q: %w", line, err)
	}
	offset, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return model.TopicPartition{}, 0, fmt.Errorf("line %q: %w", line, err)
	}
	if partition < 0 || offset < 0 {
		return model.TopicPartition{}, 0, fmt.Errorf("line %q has a negative number", line)
	}
	return model.TopicPartition{Topic: f[0], Partition: int32(partition)}, offset, nil
}

func (c checkpoint) text() []byte {
	b := make([]byte, 0, 32+32*len(c))
	b = fmt.Appendf(b, "0\n%d\n", len(c))
	for _, tp := range sortedPartitions(c) {
		b = append(append(b, tp.Topic...), ' ')
		b = append(strconv.AppendInt(b, int64(tp.Partition), 10), ' ')
		b = append(strconv.AppendInt(b, c[tp], 10), '\n')
	}
	return b
}

func sortedPartitions(c checkpoint) []model.TopicPartition {
	tps := make([]model.TopicPartition, 0, len(c))
	for tp := range c {
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, comparePartitions)
	return tps
}

func comparePartitions(a, b model.TopicPartition) int {
	if d := strings.Compare(a.Topic, b.Topic); d != 0 {
		return d
	}
	return int(a.Partition) - int(b.Partition)
}
