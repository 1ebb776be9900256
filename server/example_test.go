package server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/odradek/odradek/internal/base/bubble"
	"github.com/odradek/odradek/server"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A node in memory, a client of it, and one record there and back.
func ExampleStart() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := server.Start(ctx, server.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()), kgo.AllowAutoTopicCreation(),
		kgo.ConsumeTopics("greetings"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: "greetings", Value: []byte("hello")}).FirstErr(); err != nil {
		fmt.Println(err)
		return
	}
	client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { fmt.Printf("%s at offset %d\n", r.Value, r.Offset) })
	// Output: hello at offset 0
}

// A node lives in a bubble of testing/synctest: three seconds of waiting for a group to
// gather, and an hour of doing nothing, pass at once.
func TestInsideBubble(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		network := server.NewNetwork()
		s, err := server.Start(t.Context(), server.Config{Address: "node:9092", Listen: network.Listen})
		if err != nil {
			t.Fatal(err)
		}
		c, err := kgo.NewClient(kgo.SeedBrokers(s.Addr()), kgo.Dialer(network.Dial), kgo.AllowAutoTopicCreation(),
			kgo.ConsumeTopics("orders"), kgo.ConsumerGroup("g"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			t.Fatal(err)
		}
		produce(t, c, "orders", 0, 10)
		began := time.Now()
		once(t, consume(t, c, 10), 10)
		time.Sleep(time.Hour)
		produce(t, c, "orders", 10, 20)
		consume(t, c, 10)
		if passed := time.Since(began); passed < time.Hour {
			t.Errorf("only %v passed", passed)
		}
		c.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
