package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Someone who scrapes the node sees its requests, its topics and how far a group is
// behind; health says that it is ready, and why.
func TestAdmin(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNode(t)
		n.start()
		ctx, cancel := context.WithCancel(t.Context())
		served := n.serveAdmin(ctx)

		c := n.client(kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("orders"), kgo.ConsumerGroup("billing"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
		put(t, c, 10)
		for read := 0; read < 10; {
			read += c.PollFetches(t.Context()).NumRecords()
		}
		if err := c.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Fatal(err)
		}
		put(t, c, 5)

		text := n.get(t, "/metrics")
		for _, line := range []string{
			`odradek_group_lag_records{group="billing",topic="orders"} 5`,
			`odradek_log_end_offset_sum{topic="orders"} 15`,
			`odradek_controller 1`,
			`odradek_offline_log_dirs 0`,
			`odradek_requests_total{api="OffsetCommit"`,
			`odradek_request_seconds_bucket{api="Produce",phase="wait"`,
			`odradek_connections{listener="PLAINTEXT"}`,
		} {
			if !strings.Contains(text, line) {
				t.Errorf("metrics have no %s", line)
			}
		}
		if got := n.get(t, "/livez"); got != "ok\n" {
			t.Errorf("livez: %q", got)
		}
		var health struct {
			Ready  bool
			Checks []check
		}
		if err := json.Unmarshal([]byte(n.get(t, "/readyz?verbose")), &health); err != nil || !health.Ready || len(health.Checks) < 4 {
			t.Errorf("readyz: %+v, %v", health, err)
		}
		c.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		n.stop()
		<-n.done
	})
}

const adminAddress = "node:9644"

func (n *node) serveAdmin(ctx context.Context) <-chan error {
	ln, err := n.net.Listen("tcp", adminAddress)
	if err != nil {
		n.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- n.broker.ServeAdmin(ctx, ln) }()
	return served
}

func (n *node) get(t *testing.T, path string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return n.net.Dial(ctx, network, adminAddress)
		}}}
	resp, err := client.Get("http://node" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
	return string(body)
}

func put(t *testing.T, c *kgo.Client, count int) {
	t.Helper()
	for i := range count {
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}
