package check

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/odradek/odradek/sim/history"
)

var modelSeeds = flag.Uint64("models", 25, "how many good histories are made, and mutated in every way")

// Nothing is found in what a cluster without mistakes did.
func TestGoodModels(t *testing.T) {
	for seed := range *modelSeeds {
		for _, v := range All(good(seed), modelOptions) {
			t.Errorf("seed %d: %v", seed, v)
		}
	}
}

// mutation makes a good history bad, where it finds what it needs; one of the checks that
// are named must find out.
type mutation struct {
	name string
	want []string
	make func(h *history.History, rng *rand.Rand) bool
}

// Every mutation of every good history is found out.
func TestMutations(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			made := 0
			for seed := range *modelSeeds {
				h := good(seed)
				if !m.make(h, rand.New(rand.NewPCG(seed, 8))) {
					continue
				}
				made++
				h.Sort()
				got := verdicts(All(h, modelOptions))
				if !slices.ContainsFunc(got, func(c string) bool { return slices.Contains(m.want, c) }) {
					t.Errorf("seed %d: found %v, want one of %v", seed, got, m.want)
				}
			}
			if made == 0 {
				t.Error("no history could be mutated so")
			}
		})
	}
}

// pick returns a random element that is fit, or nil.
func pick[T any](rng *rand.Rand, all []T, fit func(*T) bool) *T {
	var fits []*T
	for i := range all {
		if fit(&all[i]) {
			fits = append(fits, &all[i])
		}
	}
	if len(fits) == 0 {
		return nil
	}
	return fits[rng.IntN(len(fits))]
}

func pickOp(h *history.History, rng *rand.Rand, kind history.Kind) *history.Op {
	return pick(rng, h.Ops, func(op *history.Op) bool { return op.Kind == kind && op.Outcome == history.OK })
}

// acked is a send that was acknowledged, in no transaction.
func acked(s *history.Sent) bool { return s.Outcome == history.OK && s.Txn == 0 }

// drop takes a value out of all polls that are fit, and tells whether it was in one.
func drop(h *history.History, v history.Value, fit func(*history.Fetched) bool) (found bool) {
	for i := range h.Polls {
		p := &h.Polls[i]
		if n := slices.IndexFunc(p.Records, func(r history.Read) bool { return r.Value == v }); n >= 0 && fit(p) {
			p.Records = slices.Delete(slices.Clone(p.Records), n, n+1)
			found = true
		}
	}
	return found
}

func anyPoll(*history.Fetched) bool { return true }

func ofCommitted(p *history.Fetched) bool { return p.Isolation == history.Committed }

func ofDrain(p *history.Fetched) bool { return p.Process >= drainer }

// goesOn is a poll of a drain that is not its first.
func goesOn(p *history.Fetched) bool { return ofDrain(p) && p.From > 0 }

// endOf is how a transaction ended, as it was told.
func endOf(h *history.History, txn int64) *history.Op {
	i := slices.IndexFunc(h.Ops, func(op history.Op) bool {
		return op.Kind == history.EndTxn && op.Txn == txn && op.Outcome == history.OK
	})
	if txn == 0 || i < 0 {
		return nil
	}
	return &h.Ops[i]
}

// pollOf is a poll that is fit and has a record that is.
func pollOf(h *history.History, rng *rand.Rand, fit func(*history.Fetched) bool, least int) *history.Fetched {
	return pick(rng, h.Polls, func(p *history.Fetched) bool { return len(p.Records) >= least && fit(p) })
}

var mutations = []mutation{
	{"an acknowledged record is nowhere", []string{"C1"}, func(h *history.History, rng *rand.Rand) bool {
		s := pick(rng, h.Sends, acked)
		return s != nil && drop(h, s.Value, anyPoll)
	}},
	{"an acknowledged record is gone at the end", []string{"C1"}, func(h *history.History, rng *rand.Rand) bool {
		s := pick(rng, h.Sends, acked)
		return s != nil && drop(h, s.Value, ofDrain)
	}},
	{"a producer is told another offset", []string{"C2"}, func(h *history.History, rng *rand.Rand) bool {
		s := pick(rng, h.Sends, acked)
		s.Offset += 1 + rng.Int64N(1<<40)
		return true
	}},
	{"a reader is given another record", []string{"C2"}, func(h *history.History, rng *rand.Rand) bool {
		p, q := pollOf(h, rng, anyPoll, 1), pollOf(h, rng, anyPoll, 1)
		if p.Records[0].Value == q.Records[0].Value || p.Place != q.Place {
			return false
		}
		p.Records = slices.Clone(p.Records)
		p.Records[0].Value = q.Records[0].Value
		return true
	}},
	{"a record is there again", []string{"C3"}, func(h *history.History, rng *rand.Rand) bool {
		p := pollOf(h, rng, ofDrain, 1)
		last := h.Polls[len(h.Polls)-1].High + 100
		p.Records = append(slices.Clone(p.Records), history.Read{Offset: last, Value: p.Records[0].Value})
		return true
	}},
	{"two of a producer change places", []string{"C4"}, swapNeighbours(true)},
	{"what was sent later is before", []string{"C4"}, swapNeighbours(false)},
	{"a record nobody sent", []string{"C5"}, func(h *history.History, rng *rand.Rand) bool {
		p := pollOf(h, rng, anyPoll, 1)
		p.Records = slices.Clone(p.Records)
		p.Records[rng.IntN(len(p.Records))].Value = history.MakeValue(999, 1)
		return true
	}},
	{"a torn record", []string{"C5"}, func(h *history.History, rng *rand.Rand) bool {
		p := pollOf(h, rng, anyPoll, 1)
		p.Records = slices.Clone(p.Records)
		p.Records[rng.IntN(len(p.Records))].Value = 0
		return true
	}},
	{"a send that failed is there", []string{"C5"}, func(h *history.History, rng *rand.Rand) bool {
		s := pick(rng, h.Sends, acked)
		s.Outcome, s.Offset = history.Fail, history.Unknown
		return true
	}},
	{"a record is in another partition", []string{"C5"}, func(h *history.History, rng *rand.Rand) bool {
		p := pollOf(h, rng, anyPoll, 1)
		p.Place = (p.Place + 1) % int32(len(h.Places))
		return true
	}},
	{"a record is read before it is sent", []string{"C5"}, func(h *history.History, rng *rand.Rand) bool {
		p := pollOf(h, rng, func(p *history.Fetched) bool { return !ofDrain(p) }, 1)
		p.Invoke, p.Return = -2, -1
		return true
	}},
	{"an aborted record is committed", []string{"C5"}, func(h *history.History, rng *rand.Rand) bool {
		s := pick(rng, h.Sends, func(s *history.Sent) bool {
			end := endOf(h, s.Txn)
			return s.Outcome == history.OK && end != nil && !end.Commit
		})
		if s == nil {
			return false
		}
		p := pollOf(h, rng, func(p *history.Fetched) bool { return ofCommitted(p) && p.Place == s.Place && p.Return > s.Return }, 0)
		p.Records = append(slices.Clone(p.Records), history.Read{Offset: s.Offset, Value: s.Value})
		return true
	}},
	{"a transaction is torn", []string{"C6"}, func(h *history.History, rng *rand.Rand) bool {
		s := pick(rng, h.Sends, func(s *history.Sent) bool {
			end := endOf(h, s.Txn)
			return s.Outcome == history.OK && end != nil && end.Commit
		})
		return s != nil && drop(h, s.Value, ofCommitted)
	}},
	{"a transaction ends in two ways", []string{"C6"}, func(h *history.History, rng *rand.Rand) bool {
		end := *pickOp(h, rng, history.EndTxn)
		end.Commit = !end.Commit
		h.Add(end)
		return true
	}},
	{"a reader sees what nobody asked to commit", []string{"C7"}, func(h *history.History, rng *rand.Rand) bool {
		s := pick(rng, h.Sends, func(s *history.Sent) bool {
			end := endOf(h, s.Txn)
			return s.Outcome == history.OK && end != nil && end.Commit
		})
		if s == nil {
			return false
		}
		end := endOf(h, s.Txn)
		h.Add(history.Op{Kind: history.Poll, Process: 77, Outcome: history.OK, Invoke: s.Return, Return: end.Invoke - 1,
			Topic: h.Places[s.Place].Topic, Partition: h.Places[s.Place].Partition, Isolation: history.Committed, From: s.Offset,
			High: history.Unknown, Stable: history.Unknown, Start: history.Unknown, Records: history.Reads{{Offset: s.Offset, Value: s.Value}}})
		return end.Invoke-1 >= s.Return
	}},
	{"what is stable goes back", []string{"C7"}, func(h *history.History, rng *rand.Rand) bool {
		p := pollOf(h, rng, goesOn, 0)
		if p == nil {
			return false
		}
		p.Stable--
		return true
	}},
	{"the high watermark goes back", []string{"C10"}, func(h *history.History, rng *rand.Rand) bool {
		p := pollOf(h, rng, goesOn, 0)
		if p == nil {
			return false
		}
		p.High--
		p.Stable = history.Unknown
		return true
	}},
	{"the end goes back", []string{"C10"}, func(h *history.History, rng *rand.Rand) bool {
		d := pickOp(h, rng, history.Drain)
		op := *d
		op.Kind, op.Offset, op.Isolation, op.Invoke, op.Return = history.ListOffset, d.High-1, history.Uncommitted, 1<<40, 1<<40+1
		h.Add(op)
		return d.High > 0
	}},
	{"an error comes with an offset", []string{"C10"}, func(h *history.History, rng *rand.Rand) bool {
		s := pick(rng, h.Sends, func(s *history.Sent) bool { return s.Outcome == history.Info })
		if s == nil {
			return false
		}
		s.Offset = 0
		return true
	}},
	{"a reader goes over a record", []string{"C9"}, func(h *history.History, rng *rand.Rand) bool {
		p := pollOf(h, rng, func(p *history.Fetched) bool { return !ofDrain(p) }, 3)
		if p == nil {
			return false
		}
		p.Records = slices.Delete(slices.Clone(p.Records), 1, 2)
		return true
	}},
	{"a reader goes back", []string{"C9"}, func(h *history.History, rng *rand.Rand) bool {
		p := pollOf(h, rng, anyPoll, 2)
		p.Records = append(slices.Clone(p.Records), p.Records[0])
		return true
	}},
	{"a partition is given to two", []string{"C11"}, func(h *history.History, rng *rand.Rand) bool {
		a := pick(rng, h.Ops, func(op *history.Op) bool { return op.Kind == history.Assign && len(op.Places) > 0 })
		if a == nil {
			return false
		}
		b := *a
		b.Process, b.Member = 39, "m39"
		h.Add(b)
		return true
	}},
	{"a member of an old generation is heard", []string{"C11"}, func(h *history.History, rng *rand.Rand) bool {
		op := pick(rng, h.Ops, func(op *history.Op) bool { return op.Kind == history.CommitOffset && op.Generation > 1 })
		if op == nil {
			return false
		}
		op.Generation--
		return true
	}},
	{"an offset that nobody committed", []string{"C12"}, func(h *history.History, rng *rand.Rand) bool {
		op := pickOp(h, rng, history.FetchOffset)
		if op == nil {
			return false
		}
		op.Offset = 1 << 30
		return true
	}},
	{"an offset is forgotten", []string{"C12"}, func(h *history.History, rng *rand.Rand) bool {
		op := pick(rng, h.Ops, func(op *history.Op) bool { return op.Kind == history.FetchOffset && op.Offset > 0 })
		if op == nil {
			return false
		}
		op.Offset = history.Unknown
		return slices.ContainsFunc(h.Ops, func(c history.Op) bool {
			return c.Kind == history.CommitOffset && c.Partition == op.Partition && c.Return < op.Invoke
		})
	}},
	{"an epoch is given twice", []string{"C13"}, func(h *history.History, rng *rand.Rand) bool {
		op := pick(rng, h.Ops, func(op *history.Op) bool { return op.Kind == history.InitProducer && op.ProducerEpoch > 1 })
		if op == nil {
			return false
		}
		op.ProducerEpoch--
		return true
	}},
	{"a zombie writes", []string{"C13"}, func(h *history.History, rng *rand.Rand) bool {
		s := pick(rng, h.Sends, func(s *history.Sent) bool { return s.ProducerEpoch > 0 && s.Outcome == history.OK })
		if s == nil {
			return false
		}
		s.ProducerEpoch--
		return true
	}},
	{"a key has what nobody put", []string{"C14"}, func(h *history.History, rng *rand.Rand) bool {
		op := pickOp(h, rng, history.Get)
		if op == nil {
			return false
		}
		op.Text, op.Absent = "nobody's", false
		return true
	}},
	{"records are deleted that nobody asked to", []string{"C16"}, func(h *history.History, rng *rand.Rand) bool {
		s := pick(rng, h.Sends, acked)
		p := pollOf(h, rng, func(p *history.Fetched) bool { return p.Place == s.Place && ofDrain(p) }, 0)
		p.Start = s.Offset + 1
		return true
	}},
	{"a partition cannot be read", []string{"C17"}, func(h *history.History, rng *rand.Rand) bool {
		pickOp(h, rng, history.Drain).Outcome = history.Info
		return true
	}},
	{"nothing is answered after all is well", []string{"C17"}, func(h *history.History, rng *rand.Rand) bool {
		heal := pickOp(h, rng, history.Heal)
		s := pick(rng, h.Sends, func(s *history.Sent) bool { return s.Invoke > heal.Return })
		s.Outcome, s.Return, s.Offset = history.Info, history.Never, history.Unknown
		return true
	}},
	{"a transaction hangs", []string{"C17"}, func(h *history.History, rng *rand.Rand) bool {
		d := pick(rng, h.Ops, func(op *history.Op) bool { return op.Kind == history.Drain && op.Isolation == history.Committed })
		d.High--
		return d.High >= 0
	}},
	{"a share group is given again what it accepted", []string{"C19"}, func(h *history.History, rng *rand.Rand) bool {
		ack := pick(rng, h.Ops, func(op *history.Op) bool { return op.Kind == history.ShareAck && op.Ack != history.Release })
		again := *ack
		again.Kind, again.Invoke, again.Return = history.ShareAcquire, 1<<40, 1<<40+1
		h.Add(again)
		return true
	}},
	{"a share group loses a record", []string{"C19"}, func(h *history.History, rng *rand.Rand) bool {
		ack := pick(rng, h.Ops, func(op *history.Op) bool { return op.Kind == history.ShareAck && op.Ack != history.Release })
		offset := ack.Records[0].Offset
		for i := range h.Ops {
			if op := &h.Ops[i]; op.Kind == history.ShareAck || op.Kind == history.ShareAcquire {
				op.Records = slices.DeleteFunc(slices.Clone(op.Records), func(r history.Read) bool { return r.Offset == offset })
				op.Deliveries = nil
			}
		}
		return true
	}},
}

// swapNeighbours makes two records change their places for all who see them: two that one
// producer sent, or two of which one was acknowledged before the other was sent.
func swapNeighbours(ofOne bool) func(*history.History, *rand.Rand) bool {
	return func(h *history.History, rng *rand.Rand) bool {
		a := pick(rng, h.Sends, acked)
		b := pick(rng, h.Sends, func(b *history.Sent) bool {
			return acked(b) && b.Place == a.Place && (a.Process == b.Process) == ofOne && b.Offset > a.Offset && (ofOne || a.Return < b.Invoke)
		})
		if b == nil {
			return false
		}
		swap := map[history.Value]history.Value{a.Value: b.Value, b.Value: a.Value}
		for i := range h.Polls {
			p := &h.Polls[i]
			p.Records = slices.Clone(p.Records)
			for n, r := range p.Records {
				if v, ok := swap[r.Value]; ok {
					p.Records[n].Value = v
				}
			}
		}
		a.Offset, b.Offset = b.Offset, a.Offset
		return true
	}
}
