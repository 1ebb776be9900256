// Command kcat runs the scenarios with kcat, which is librdkafka from the shell. What
// kcat has no command for (making topics, asking for a group's state) franz-go does.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/odradek/odradek/conformance/kit/scenario"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	lacks := func(what string) scenario.Func {
		return func(_ context.Context, t *scenario.T) { t.Skip("kcat has no command " + what) }
	}
	scenario.Main("kcat", map[string]scenario.Func{
		"cluster": cluster, "acks": acks, "codecs": codecs, "headers": headers, "nulls": nulls,
		"big": big, "idempotent": idempotent, "positions": positions, "group": group,
		"static": static, "commit": commit, "compact": compact,
		"topics": lacks("to make topics"), "configs": lacks("for settings"), "trim": lacks("to delete records"),
	})
}

// admin is the helper that is not kcat.
func admin(ctx context.Context, t *scenario.T) *kadm.Client {
	c, err := kgo.NewClient(kgo.SeedBrokers(t.Seeds()...))
	t.OK(err, "new client")
	context.AfterFunc(ctx, c.Close)
	return kadm.NewClient(c)
}

func create(ctx context.Context, t *scenario.T, partitions int32, configs map[string]string) {
	set := make(map[string]*string)
	for k, v := range configs {
		set[k] = &v
	}
	r, err := admin(ctx, t).CreateTopic(ctx, partitions, int16(t.Copies), set, t.Topic)
	t.OK(errors.Join(err, r.Err), "create "+t.Topic)
	t.Eventually(ctx, "partitions", func() any {
		m, err := admin(ctx, t).ListTopics(ctx, t.Topic)
		t.OK(err, "describe")
		return len(m[t.Topic].Partitions)
	}, partitions)
}

// try runs kcat with an input and returns its output; its complaints are in the error.
func try(ctx context.Context, t *scenario.T, input string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "kcat", append([]string{"-b", t.Bootstrap}, args...)...)
	c.Stdin = strings.NewReader(input)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("kcat %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return string(out), err
}

func kcat(ctx context.Context, t *scenario.T, input string, args ...string) string {
	out, err := try(ctx, t, input, args...)
	t.OK(err, "run")
	return out
}

// produce sends one record a line.
func produce(ctx context.Context, t *scenario.T, lines string, args ...string) {
	kcat(ctx, t, lines, append([]string{"-P", "-t", t.Topic, "-X", "client.id=kcat"}, args...)...)
}

// consume reads from an offset to the end of the topic, in a format.
func consume(ctx context.Context, t *scenario.T, from, format string, args ...string) []string {
	args = append([]string{"-C", "-q", "-e", "-t", t.Topic, "-o", from, "-f", format}, args...)
	return strings.Split(strings.TrimSuffix(kcat(ctx, t, "", args...), "\n"), "\n")
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

func cluster(ctx context.Context, t *scenario.T) {
	var m struct {
		Brokers           []any
		ControllerID      int
		OriginatingBroker struct{ ID int }
	}
	t.OK(json.Unmarshal([]byte(kcat(ctx, t, "", "-L", "-J")), &m), "metadata")
	t.Observe("brokers", len(m.Brokers))
	t.Observe("controller", m.ControllerID)
}

func acks(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	for _, acks := range []string{"0", "1", "all"} {
		produce(ctx, t, numbered(30), "-X", "acks="+acks)
		kcat(ctx, t, "", "-C", "-q", "-t", t.Topic, "-o", "beginning", "-c", "30") // what acks 0 sent may still be on its way
	}
	lines := consume(ctx, t, "beginning", "%o %s\n")
	t.Want("records", len(lines), 90)
	for i, l := range lines {
		t.Want("record", l, fmt.Sprintf("%d %d", i, i%30))
	}
}

func codecs(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	text := strings.Repeat("the spool of thread ", 20)
	seen := map[string]int{}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		produce(ctx, t, strings.Repeat(text+"\n", 50), "-X", "compression.codec="+codec)
		seen[codec] = 50
	}
	lines := consume(ctx, t, "beginning", "%s\n")
	t.Want("records", len(lines), 250)
	for _, l := range lines {
		t.Want("value", l, text)
	}
	t.Observe("read back", seen)
}

func headers(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	produce(ctx, t, "v\n", "-H", "a=1", "-H", "a=2", "-H", "empty=", "-H", "null", "-H", "é=ü")
	t.Observe("headers", consume(ctx, t, "beginning", "%h|%s\n"))
}

func nulls(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	produce(ctx, t, ":\nk:\n:v\nk:v\n", "-K", ":", "-Z")
	t.Observe("records", consume(ctx, t, "beginning", "%K %k %S %s\n"))
}

func big(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	text := strings.Repeat("0123456789", 99_000)
	produce(ctx, t, text+"\n")
	out := consume(ctx, t, "beginning", "%s\n")
	t.Want("records", len(out), 1)
	t.Want("same bytes", out[0] == text, true)
	_, err := try(ctx, t, text+text+"\n", "-P", "-t", t.Topic, "-X", "message.max.bytes=8000000", "-X", "message.send.max.retries=0")
	t.Want("twice as many bytes are refused", err != nil && strings.Contains(err.Error(), "Message size too large"), true)
}

func idempotent(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	kcat(ctx, t, numbered(1000), "-b", t.Flaky, "-P", "-E", "-t", t.Topic, "-X", "client.id=kcat",
		"-X", "enable.idempotence=true", "-X", "batch.num.messages=20", "-X", "retry.backoff.ms=20", "-X", "reconnect.backoff.ms=10", "-X", "reconnect.backoff.max.ms=50")
	lines := consume(ctx, t, "beginning", "%o %s\n")
	t.Want("records", len(lines), 1000)
	for i, l := range lines {
		t.Want("record", l, fmt.Sprintf("%d %d", i, i))
	}
}

const epoch = 1_700_000_000_000 // before the first record of positions

func positions(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, nil)
	produce(ctx, t, numbered(100))
	first := func(from string, more ...string) string { return consume(ctx, t, from, "%o\n", more...)[0] }
	t.Want("from start", first("beginning"), "0")
	t.Want("from offset", first("40"), "40")
	t.Want("the last five", first("-5"), "95")
	t.Want("from timestamp", first("s@"+strconv.Itoa(epoch)), "0")
	t.Want("after the last", first("s@4000000000000"), "")
	t.Want("from end", first("end"), "")
	t.Observe("offset of a time", strings.TrimSpace(kcat(ctx, t, "", "-Q", "-t", t.Topic+":0:"+strconv.Itoa(epoch))))
	t.Observe("offset of the end", strings.TrimSpace(kcat(ctx, t, "", "-Q", "-t", t.Topic+":0:-1")))
}

func compact(ctx context.Context, t *scenario.T) {
	create(ctx, t, 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "100",
	})
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "k%d:%d\n", i%4, i)
	}
	produce(ctx, t, b.String()+"k3:\n", "-K", ":", "-Z")
	for {
		exec.CommandContext(ctx, "sleep", "0.3").Run() // the next record rolls the segment: by then its time has passed
		produce(ctx, t, "tick:x\n", "-K", ":")
		lines := consume(ctx, t, "beginning", "%k %s %o\n")
		kept, offsets := map[string]string{}, []int{}
		for _, l := range lines {
			f := strings.Split(l, " ")
			o, err := strconv.Atoi(f[len(f)-1])
			t.OK(err, "offset")
			kept[f[0]], offsets = f[1], append(offsets, o)
		}
		t.Want("offsets grow", slices.IsSorted(offsets), true)
		t.Want("k0 k1 k2", kept["k0"]+kept["k1"]+kept["k2"], "363738")
		if _, there := kept["k3"]; len(lines) < 10 && !there {
			t.Observe("the tombstone went", true)
			return
		}
		if ctx.Err() != nil {
			t.Fatal("not compacted in time")
		}
	}
}
