package server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/odradek/odradek/server"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A program goes on while one of three nodes stops.
func ExampleStartCluster() {
	ctx := context.Background()
	cluster, err := server.StartCluster(ctx, 3, server.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Addrs()...), kgo.DefaultProduceTopic("greetings"), kgo.AllowAutoTopicCreation())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for i, word := range []string{"hello", "again"} {
		if err := client.ProduceSync(ctx, kgo.StringRecord(word)).FirstErr(); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(word)
		if i == 0 {
			cluster.Node(0).Close()
		}
	}
	// Output:
	// hello
	// again
}

func TestClusterKeepsItsData(t *testing.T) {
	dir := t.TempDir()
	for round := range 2 {
		c, err := server.StartCluster(t.Context(), 3, server.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...))
		if err != nil {
			t.Fatal(err)
		}
		adm := kadm.NewClient(client)
		if round == 0 {
			if _, err := adm.CreateTopics(t.Context(), 2, -1, nil, "kept"); err != nil {
				t.Fatal(err)
			}
		}
		topics, err := adm.ListTopics(t.Context())
		// Who answers may hear of a new topic later than who made it.
		for deadline := time.Now().Add(time.Minute); err == nil && !topics.Has("kept") && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
			topics, err = adm.ListTopics(t.Context())
		}
		if err != nil || len(topics["kept"].Partitions) != 2 || topics["kept"].Partitions.NumReplicas() != 3 {
			t.Errorf("round %d: %v, %v", round, topics["kept"], err)
		}
		client.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestClusterOfNone(t *testing.T) {
	if _, err := server.StartCluster(t.Context(), 0, server.Config{}); err == nil {
		t.Error("a cluster of no nodes has started")
	}
}
