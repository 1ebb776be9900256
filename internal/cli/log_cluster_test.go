package cli

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/proto/model"
)

// clusterLog makes a cluster's own log, with a snapshot that the quorum took.
func clusterLog(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), clusterLogFolder)
	feed := metadata.NewFeed()
	leads := make(chan int64, 1)
	q, err := quorum.Open(quorum.Config{
		FS: vfs.OS, Dir: dir, Node: 3, Apply: feed.ApplyEntry, Restore: feed.Restore,
		Snapshot: func() []byte { _, b := feed.Snapshot(); return b },
		Lead:     func(term int64) { leads <- term }, SnapshotBytes: 6 << 10, SegmentBytes: 4 << 10, Rand: rand.New(rand.NewPCG(1, 2)).Uint64,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	<-leads
	for i := range byte(20) {
		name := "orders-" + string('a'+rune(i))
		recs := []metadata.Record{metadata.AddTopic{Name: name, ID: model.ID{1, i}}, metadata.SetConfig{
			Resource: metadata.Resource{Type: metadata.TopicResource, Name: name}, Key: "retention.ms", Value: &name,
		}}
		if _, err := q.Propose(ctx, metadata.Encode(nil, recs)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return dir
}

// The cluster's own log is read, and its snapshot: what was decided, and who votes.
func TestLogDumpOfCluster(t *testing.T) {
	dir := clusterLog(t)
	code, out, errs := runCLI("log", "dump", "--records", dir)
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	for _, want := range []string{
		"  vote for node 3\n", "voters [3]  learners []  metadata to ", "AddTopic, SetConfig\n", ": SetController, AddTopic ×",
		`    AddTopic {"Name":"orders-t","ID":"ARMAAAAAAAAAAAAAAAAAAA"}` + "\n", `"Key":"retention.ms","Value":"orders-t"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%.3000s", want, out)
		}
	}
	code, out, _ = runCLI("log", "dump", "-o", "jsonl", dir)
	for line := range strings.Lines(out) {
		if code != 0 || !json.Valid([]byte(line)) {
			t.Fatalf("exit code %d: %s", code, line)
		}
	}
}

// Damage in it is found, with its place.
func TestLogDumpOfDamagedCluster(t *testing.T) {
	dir := clusterLog(t)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := filepath.Join(dir, f.Name())
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want := "BAD at 0: "
		switch filepath.Ext(name) {
		case ".log":
			b[512+20] ^= 1
			want = "BAD at 512: "
		case ".snapshot":
			b[len(b)-3] ^= 1
		default:
			continue
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := runCLI("log", "dump", name); code != exitCheck || !strings.Contains(out, want) {
			t.Errorf("exit code %d, want %q in\n%.2000s%s", code, want, out, errs)
		}
	}
	if code, _, errs := runCLI("log", "dump", filepath.Join(dir, "leader-epoch-checkpoint")); code == 0 {
		t.Errorf("a file that is not there: %s", errs)
	}
}
