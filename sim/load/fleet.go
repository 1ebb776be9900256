package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/sim/history"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// flicker makes a topic, writes to it, reads it and deletes it, over and over. Each of its
// lives is a topic of its own in the history, so that a record that comes back is one that
// nobody wrote there. A life that was made without an answer that tells its id is not looked
// at: nothing could tell it from those before it.
func (a *actor) flicker() {
	c := a.client()
	defer c.Close()
	adm := kadm.NewClient(c)
	for life := 1; !a.over(); life++ {
		var id kadm.TopicID
		if !a.insist(kerr.TopicAlreadyExists, func(ctx context.Context) error {
			made, err := adm.CreateTopic(ctx, 1, 3, nil, Fleeting)
			if err == nil {
				id = made.ID
			}
			return err
		}) {
			return
		}
		if id != (kadm.TopicID{}) {
			a.flit(fmt.Sprint(Fleeting, "/", life), id)
		}
		a.pause(500 * time.Millisecond)
		if !a.insist(kerr.UnknownTopicOrPartition, func(ctx context.Context) error {
			_, err := adm.DeleteTopic(ctx, Fleeting)
			return err
		}) {
			return
		}
	}
}

// insist does something until it is done, or done answers that it was.
func (a *actor) insist(done error, do func(context.Context) error) bool {
	for !a.over() {
		short, cancel := context.WithTimeout(a.ctx, 3*time.Second)
		err := do(short)
		cancel()
		if err == nil || errors.Is(err, done) {
			return true
		}
		a.wait(50 * time.Millisecond)
	}
	return false
}

// flit writes a few records to the present topic, and reads what is there. A broker that the
// controller cannot reach knows and serves an earlier topic of the name, as Kafka's do: a
// reader that asked it, and follows that topic, has seen nothing of the present one.
func (a *actor) flit(name string, id kadm.TopicID) {
	p := a.producer(history.AcksAll)
	acked := 0
	for range 1 + a.rng.IntN(5) {
		op := a.blank(history.Send, history.Place{Topic: name, Partition: 0})
		op.Value = p.value()
		began := a.rec.Begin(op)
		short, cancel := context.WithTimeout(a.ctx, 3*time.Second)
		rec := &kgo.Record{Topic: Fleeting, Value: op.Value.Bytes(0)}
		err := p.c.ProduceSync(short, rec).FirstErr()
		cancel()
		if err == nil {
			began.Offset = rec.Offset
			acked++
		} else {
			err = unsure{err}
		}
		a.end(began, err)
	}
	p.close(true)
	a.reborn()
	c := a.client(kgo.FetchMaxWait(100*time.Millisecond), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{Fleeting: {0: kgo.NewOffset().AtStart()}}))
	defer c.Close()
	short, cancel := context.WithTimeout(a.ctx, 2*time.Second)
	defer cancel()
	since := a.rec.Now()
	for seen := 0; seen < acked && short.Err() == nil; {
		fetches := c.PollFetches(short)
		for i := range fetches {
			fetches[i].Topics = slices.DeleteFunc(fetches[i].Topics, func(t kgo.FetchTopic) bool { return t.TopicID != id })
			for j := range fetches[i].Topics {
				fetches[i].Topics[j].Topic = name
			}
		}
		a.polled(fetches, since, history.Uncommitted, "", func(op history.Op) { seen += len(op.Records) })
		since = a.rec.Now()
	}
}
