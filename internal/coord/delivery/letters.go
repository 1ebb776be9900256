package delivery

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Letters is the way to dead letter queues (KIP-1191).
type Letters struct {
	// Topic is what is known of a topic that a group names as its queue.
	Topic func(name string) LetterTopic
	// Rules are those of the cluster.
	Rules func() LetterRules
	// Create makes such a topic.
	Create func(ctx context.Context, name string) error
	// Produce writes records to a partition, as one batch, and returns when they are safe on
	// all replicas that are in sync. Nil: no group has a queue.
	Produce func(ctx context.Context, tp model.TopicPartition, records []record.Record) error
}

// LetterTopic is a topic that is to be a dead letter queue.
type LetterTopic struct {
	Partitions int32 // 0 if it does not exist
	Enabled    bool  // errors.deadletterqueue.group.enable
}

// LetterRules say which topics may be dead letter queues.
type LetterRules struct {
	Prefix string // errors.deadletterqueue.topic.name.prefix
	Create bool   // errors.deadletterqueue.auto.create.topics.enable
}

// check reports whether a topic may be a dead letter queue: those whom it belongs to have
// to agree, since whoever can have a record rejected writes into it. missing tells that
// it has to be made first.
func (r LetterRules) check(name string, t LetterTopic) (missing bool, err error) {
	missing = t.Partitions <= 0
	switch {
	case strings.HasPrefix(name, "__"):
		return false, fmt.Errorf("topic %s: a dead letter queue may not begin with __", name)
	case !strings.HasPrefix(name, r.Prefix):
		return false, fmt.Errorf("topic %s does not begin with %q, errors.deadletterqueue.topic.name.prefix", name, r.Prefix)
	case missing && !r.Create:
		return false, fmt.Errorf("topic %s does not exist, and errors.deadletterqueue.auto.create.topics.enable is false", name)
	case !missing && !t.Enabled:
		return false, fmt.Errorf("topic %s has no errors.deadletterqueue.group.enable=true", name)
	}
	return missing, nil
}

// The headers of a dead letter, as Kafka names them.
const (
	headerTopic      = "__dlq.errors.topic"
	headerPartition  = "__dlq.errors.partition"
	headerOffset     = "__dlq.errors.offset"
	headerGroup      = "__dlq.errors.group"
	headerDeliveries = "__dlq.errors.delivery.count"
	headerMessage    = "__dlq.errors.message"
)

func (c cause) String() string {
	if c == rejected {
		return "Offset rejected by client."
	}
	return "Offset delivery count exceeded the threshold."
}

// headers are those of the letter that tells of the record at an offset.
func (l *letter) headers(sh *Share, offset int64) []record.Header {
	return []record.Header{
		{Key: headerTopic, Value: []byte(sh.tp.Topic)},
		{Key: headerPartition, Value: strconv.AppendInt(nil, int64(sh.tp.Partition), 10)},
		{Key: headerOffset, Value: strconv.AppendInt(nil, offset, 10)},
		{Key: headerGroup, Value: []byte(sh.key.Group)},
		{Key: headerDeliveries, Value: strconv.AppendInt(nil, int64(l.deliveries), 10)},
		{Key: headerMessage, Value: []byte(l.why.String())},
	}
}

// How often a batch of letters is tried before its records are given up, and the pauses in
// between, each twice the one before.
const (
	letterTries    = 8
	letterPause    = time.Second
	letterMaxPause = 30 * time.Second
)

// bury has what waits for the dead letter queue written there. mu is held.
func (sh *Share) bury() {
	if sh.burying || sh.fence != nil {
		return
	}
	if list := sh.state.letters(); len(list) > 0 {
		sh.burying = true
		sh.service.crew.start("letters", func(ctx context.Context) error {
			sh.deliverLetters(ctx, list)
			return nil
		})
	}
}

// deliverLetters writes letters until none is left. Those that can not be written are given
// up in the end: a queue that is not there must not hold up the group.
func (sh *Share) deliverLetters(ctx context.Context, list []letter) {
	for len(list) > 0 {
		for i := range list {
			if err := sh.deliverLetter(ctx, &list[i]); err != nil {
				return // the Share, or the node, ends: who leads next begins anew
			}
		}
		list = sh.moreLetters()
	}
	sh.mayGo()
}

func (sh *Share) moreLetters() []letter {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.fence != nil {
		return nil
	}
	list := sh.state.letters()
	sh.burying = len(list) > 0
	return list
}

// deliverLetter writes what tells of a run of records, a batch at a time, and then lets go
// of them.
func (sh *Share) deliverLetter(ctx context.Context, l *letter) error {
	for at := l.first; at <= l.last; {
		first := at
		err := sh.tryLetters(ctx, l, func() (err error) {
			at, err = sh.writeLetters(ctx, l, first)
			return err
		})
		if err != nil {
			if sh.ended(ctx) {
				return err
			}
			sh.service.log.Error("records do not reach their dead letter queue and are given up", "group", sh.key.Group,
				"partition", sh.tp, "first", first, "last", l.last, "queue", sh.settings().DeadLetters, "err", err)
			sh.service.counts.unwritten.Add(l.last + 1 - first)
			at = l.last + 1
		}
		sh.mu.Lock()
		if sh.fence == nil {
			sh.state.buried(first, at-1)
			sh.flush()
		}
		sh.mu.Unlock()
	}
	return nil
}

// tryLetters does something until it succeeds, so many times.
func (sh *Share) tryLetters(ctx context.Context, l *letter, do func() error) error {
	pause := letterPause
	for try := 1; ; try++ {
		err := do()
		if err == nil || try == letterTries || sh.ended(ctx) {
			return err
		}
		if try == 1 {
			sh.service.log.Warn("records wait for their dead letter queue", "group", sh.key.Group, "partition", sh.tp,
				"first", l.first, "last", l.last, "queue", sh.settings().DeadLetters, "err", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
		pause = min(2*pause, letterMaxPause)
	}
}

// ended reports whether there is no use in going on.
func (sh *Share) ended(ctx context.Context) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return ctx.Err() != nil || sh.fence != nil
}

// writeLetters writes one batch of letters, of the records from an offset on, and returns
// the offset to go on from.
func (sh *Share) writeLetters(ctx context.Context, l *letter, at int64) (int64, error) {
	set := sh.settings()
	if set.DeadLetters == "" {
		return l.last + 1, nil // the group has none any more
	}
	queue, err := sh.queue(ctx, set.DeadLetters)
	if err != nil {
		return at, err
	}
	records, next, err := sh.lettersOf(l, at, set.CopyRecords)
	if err != nil || len(records) == 0 {
		return next, err
	}
	return next, sh.produceLetters(ctx, queue, records)
}

// produceLetters writes letters; a batch that is too large is cut in two, and a letter that
// is too large by itself bears no copy of its record.
func (sh *Share) produceLetters(ctx context.Context, queue model.TopicPartition, records []record.Record) error {
	err := sh.service.cfg.Letters.Produce(ctx, queue, records)
	if err == nil {
		sh.service.counts.letters.Add(int64(len(records)))
	}
	if !errors.Is(err, kerr.MessageTooLarge) && !errors.Is(err, kerr.RecordListTooLarge) {
		return err
	}
	if half := len(records) / 2; half > 0 {
		if err := sh.produceLetters(ctx, queue, renumbered(records[:half])); err != nil {
			return err
		}
		return sh.produceLetters(ctx, queue, renumbered(records[half:]))
	}
	if records[0].Key == nil && records[0].Value == nil {
		return err
	}
	records[0].Key, records[0].Value = nil, nil
	return sh.produceLetters(ctx, queue, records)
}

// renumbered counts the offsets of records from 0, as a producer does.
func renumbered(records []record.Record) []record.Record {
	for i := range records {
		records[i].Offset = int64(i)
	}
	return records
}

// queue is the partition that takes the letters of this one.
func (sh *Share) queue(ctx context.Context, name string) (model.TopicPartition, error) {
	way := &sh.service.cfg.Letters
	t := way.Topic(name)
	missing, err := way.Rules().check(name, t)
	if err == nil && missing {
		if err = way.Create(ctx, name); err == nil {
			if t = way.Topic(name); t.Partitions <= 0 {
				err = fmt.Errorf("topic %s is not there yet", name)
			}
		}
	}
	if err != nil {
		return model.TopicPartition{}, err
	}
	return model.TopicPartition{Topic: name, Partition: sh.tp.Partition % t.Partitions}, nil
}
