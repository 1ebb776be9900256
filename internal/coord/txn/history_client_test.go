package txn

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// client is a producer as they are, and the brokers that it writes to.
type client struct {
	*history
	name string // of the process
	id   string // transactional
	old  bool   // keeps its epoch, and adds partitions itself
	rng  *rand.Rand
	who  identity
	txns int
}

// coordinator is whom the client takes for the coordinator. It may be wrong.
func (c *client) coordinator() *Service {
	if c.rng.IntN(10) == 0 {
		return c.stale.Load()
	}
	return c.service.Load()
}

func (c *client) live() {
	for c.over.Err() == nil {
		if c.who == nobody && !c.init() {
			c.pause(c.rng, 300)
			continue
		}
		if !c.transaction() {
			c.lost()
		}
		switch c.rng.IntN(12) {
		case 0: // sleeps, and wakes as a zombie if the other one took the id
			c.pause(c.rng, 15_000)
		case 1: // dies
			c.who = nobody
			c.pause(c.rng, 5000)
		}
	}
}

// lost is what a producer does after an error: it begins anew, or goes on as who it was.
func (c *client) lost() {
	if c.old || c.rng.IntN(3) > 0 {
		c.who = nobody
		c.pause(c.rng, 2000)
		return
	}
	for range 10 {
		if c.init() || c.who == nobody || c.over.Err() != nil {
			return
		}
		c.pause(c.rng, 300)
	}
	c.who = nobody
}

// init becomes the newest producer of the id. An answer may be lost: whoever was nobody
// asks as nobody again.
func (c *client) init() bool {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version, req.TransactionalID, req.TransactionTimeoutMillis = 5, &c.id, int32(c.rng.IntN(8000)+2000)
	req.ProducerID, req.ProducerEpoch = c.who.id, c.who.epoch
	floor := c.check.floor(c.id)
	resp := c.coordinator().InitProducerID(c.over, req)
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case fenced(err):
		c.check.fence()
		c.who = nobody
		return false
	case err != nil || c.rng.IntN(10) == 0: // lost
		return false
	}
	again := c.who != nobody // may be told of an epoch that was given to it before
	c.who = identity{resp.ProducerID, resp.ProducerEpoch}
	c.check.give(c.id, c.name, c.who, floor, again)
	return true
}

func fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.InvalidProducerIDMapping)
}

// transaction writes and ends. False: the producer cannot go on like this.
func (c *client) transaction() bool {
	c.txns++
	tag := fmt.Sprintf("%s-%d", c.name, c.txns)
	commit := c.rng.IntN(3) > 0
	for range 1 + c.rng.IntN(4) {
		tp := model.TopicPartition{Topic: "t", Partition: int32(c.rng.IntN(historyPartitions))}
		if !c.writes(tp, tag) {
			if c.rng.IntN(2) == 0 {
				return false
			}
			commit = false
			break
		}
		if c.rng.IntN(10) == 0 {
			c.pause(c.rng, 6000)
		}
	}
	return c.end(tag, commit)
}

// writes has a partition join and writes to it, until the answer is final.
func (c *client) writes(tp model.TopicPartition, tag string) bool {
	if c.old && !c.join(tp, false) {
		return false
	}
	guard := c.check.guard(tp, c.who)
	if guard < 0 {
		return c.check.write(tp, c.who, tag, guard)
	}
	if !c.join(tp, c.old) {
		return false
	}
	c.pause(c.rng, 20)
	if c.rng.IntN(40) == 0 {
		c.pause(c.rng, 12_000) // the write is late
	}
	return c.check.write(tp, c.who, tag, guard)
}

// join adds a partition, as a client or as a broker for it, or asks whether it is there.
func (c *client) join(tp model.TopicPartition, verify bool) bool {
	args := map[string]string{"as": fmt.Sprintf("%d/%d", c.who.id, c.who.epoch)}
	if c.old && !verify {
		args["v"] = "3"
	}
	for range 50 {
		ctx, cancel := context.WithTimeout(c.over, time.Duration(c.rng.IntN(3000)+10)*time.Millisecond)
		resp := c.coordinator().AddPartitionsToTxn(ctx, addRequest(verify, c.id, []string{fmt.Sprintf("t/%d", tp.Partition)}, args))
		cancel()
		var code int16
		if resp.Version < 4 {
			code = resp.Topics[0].Partitions[0].ErrorCode
		} else {
			code = resp.Transactions[0].Topics[0].Partitions[0].ErrorCode
		}
		switch err := kerr.ErrorForCode(code); {
		case err == nil && c.rng.IntN(10) > 0:
			return true
		case fenced(err):
			c.check.fence()
			return false
		case errors.Is(err, kerr.TransactionAbortable), c.over.Err() != nil:
			return false
		}
		c.pause(c.rng, 200)
	}
	return false
}

// end commits or aborts, and asks again until it knows.
func (c *client) end(tag string, commit bool) bool {
	version := "5"
	if c.old {
		version = "4"
	}
	for range 50 {
		req := endRequest(commit, c.id, map[string]string{"v": version, "as": fmt.Sprintf("%d/%d", c.who.id, c.who.epoch)})
		floor := c.check.floor(c.id)
		ctx, cancel := context.WithTimeout(c.over, time.Duration(c.rng.IntN(3000)+10)*time.Millisecond)
		resp := c.coordinator().EndTxn(ctx, req)
		cancel()
		if c.rng.IntN(8) == 0 { // lost
			c.pause(c.rng, 500)
			continue
		}
		switch err := kerr.ErrorForCode(resp.ErrorCode); {
		case err == nil:
			c.check.decide(tag, commit)
			if !c.old {
				c.who = identity{resp.ProducerID, resp.ProducerEpoch}
				c.check.give(c.id, c.name, c.who, floor, true)
			}
			return true
		case fenced(err):
			c.check.fence()
			return false
		case errors.Is(err, kerr.InvalidTxnState), c.over.Err() != nil:
			return false
		}
		c.pause(c.rng, 200)
	}
	return false
}
