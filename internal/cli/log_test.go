package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kafkaFolder is a partition that Apache Kafka wrote.
const kafkaFolder = "../store/commitlog/testdata/kafka"

func runCLI(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Main(context.Background(), Env{Name: "odradek", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}, args)
	return code, out.String(), errs.String()
}

// Every file of a partition that Kafka wrote is read, and found sound.
func TestLogDumpOfKafka(t *testing.T) {
	code, out, errs := runCLI("log", "dump", kafkaFolder)
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	for _, want := range []string{
		"00000000000000000000.index\n  offset 8 at 506\n",
		"  at 506      offsets 6-8  3 records  ",
		"00000000000000000400.snapshot\n",
		"  epoch 0 from offset 0\n",
		"  version: 0\n  topic_id: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%.3000s", want, out)
		}
	}
}

// With --records and in JSON there is a line for each record, and their offsets are those
// that the batches announce.
func TestLogDumpRecords(t *testing.T) {
	code, out, errs := runCLI("log", "dump", "--records", "-o", "jsonl", filepath.Join(kafkaFolder, "00000000000000000000.log"))
	if code != 0 {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	announced, records := 0, 0
	for line := range strings.Lines(out) {
		var l struct {
			Count  int    `json:"count"`
			Offset *int64 `json:"offset"`
			Sound  bool   `json:"sound"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if l.Offset == nil {
			announced += l.Count
			if !l.Sound {
				t.Errorf("not sound: %s", line)
			}
			continue
		}
		if *l.Offset != int64(records) {
			t.Fatalf("record %d: %s", records, line)
		}
		records++
	}
	if records == 0 || records != announced {
		t.Errorf("%d records, %d announced", records, announced)
	}
}

// What is wrong is found, with its place, and the exit code says so.
func TestLogDumpOfDamage(t *testing.T) {
	for _, c := range []struct {
		name, file string
		damage     func([]byte) []byte
		want       string
	}{
		{"a bit of a record", "00000000000000000000.log", func(b []byte) []byte { b[600] ^= 1; return b }, "BAD at 506: "},
		{"the end is missing", "00000000000000000000.log", func(b []byte) []byte { return b[:700] }, "BAD at 506: a batch of "},
		{"no batch", "00000000000000000000.log", func(b []byte) []byte {
			return append(b[:506:506], "something else that is longer than a header of a batch, which has 61 bytes"...)
		}, "BAD at 506: no batch begins here"},
		{"offsets go back", "00000000000000000000.log", func(b []byte) []byte { return append(b, b[:506]...) }, "offset 0 after "},
		{"an index that goes back", "00000000000000000000.index", func(b []byte) []byte { return append(b, 0, 0, 0, 8, 0, 0, 1, 250) }, "does not come after"},
		{"an index that leads nowhere", "00000000000000000000.index", func(b []byte) []byte { b[7]++; return b }, "BAD at 507: "},
		{"half an index entry", "00000000000000000000.index", func(b []byte) []byte { return b[:12] }, "BAD at 8: 4 bytes are less than an entry"},
		{"a snapshot", "00000000000000000400.snapshot", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, "BAD at 0: "},
		{"a checkpoint that is cut", "leader-epoch-checkpoint", func(b []byte) []byte { return b[:4] }, "lines are announced"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range []string{"00000000000000000000.log", c.file} {
				b, err := os.ReadFile(filepath.Join(kafkaFolder, f))
				if err != nil {
					t.Fatal(err)
				}
				if f == c.file {
					b = c.damage(b)
				}
				if err := os.WriteFile(filepath.Join(dir, f), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			code, out, errs := runCLI("log", "dump", filepath.Join(dir, c.file))
			if code != exitCheck || !strings.Contains(out, c.want) {
				t.Errorf("exit code %d, want %q in\n%.2000s%s", code, c.want, out, errs)
			}
		})
	}
}

func TestLogDumpRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"nothing.log"}, exitNotFound},
		{[]string{"log.go"}, exitUsage},
		{[]string{"-o", "yaml", kafkaFolder}, exitUsage},
		{nil, exitUsage},
	} {
		if code, _, errs := runCLI(append([]string{"log", "dump"}, c.args...)...); code != c.code {
			t.Errorf("%v: exit code %d, want %d: %s", c.args, code, c.code, errs)
		}
	}
}
