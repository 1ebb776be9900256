package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"
)

// scriptCommands are what the scripts can do beside running programs.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"exits": exits, "fill": fill, "member": member,
}

// exits CODE COMMAND ARGS... runs a command that must end with the exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// fill TOPIC PARTITION COUNT [MILLIS] writes records k0=v0, k1=v1, … one second apart
// from MILLIS on.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: fill TOPIC PARTITION COUNT [MILLIS]")
	}
	partition, err := strconv.Atoi(args[1])
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	base := int64(1700000000000)
	if len(args) > 3 {
		base, err = strconv.ParseInt(args[3], 10, 64)
		ts.Check(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(ts.Getenv("ODRADEK_BOOTSTRAP_SERVERS"), ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ts.Check(err)
	defer cl.Close()
	for i := range n {
		r := &kgo.Record{Topic: args[0], Partition: int32(partition), Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "v%d", i)}
		r.Timestamp = time.UnixMilli(base + int64(i)*1000)
		ts.Check(cl.ProduceSync(context.Background(), r).FirstErr())
	}
}

// member GROUP TOPIC makes a member of a group, which stays until the script ends, and
// waits until it has read the first record of partition 0 and committed it.
func member(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: member GROUP TOPIC")
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(ts.Getenv("ODRADEK_BOOTSTRAP_SERVERS"), ",")...), kgo.ClientID("tester"),
		kgo.InstanceID("tester-1"), kgo.ConsumerGroup(args[0]), kgo.ConsumeTopics(args[1]), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ts.Check(err)
	ts.Defer(cl.Close)
	ctx := context.Background()
	for {
		fetches := cl.PollRecords(ctx, 1)
		ts.Check(fetches.Err0())
		for _, r := range fetches.Records() { // which partition's come first is nobody's to say
			if r.Partition == 0 {
				ts.Check(cl.CommitRecords(ctx, r))
				return
			}
		}
	}
}
