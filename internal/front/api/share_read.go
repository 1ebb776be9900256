package api

import (
	"errors"
	"sync"

	"github.com/odradek/odradek/internal/coord/delivery"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/replica/partition"
	"github.com/twmb/franz-go/pkg/kerr"
)

// sharePart is a partition of a ShareFetch.
type sharePart struct {
	id    model.IDPartition
	tp    model.TopicPartition // its name is "" if the topic is not known
	share *delivery.Share
	delivery.Delivery
	err error

	waiter *partition.Waiter
	marked bool // the marks' lock guards it
}

// shareMarks are the partitions of a request at which it is to look again.
type shareMarks struct {
	C chan struct{} // receives at least once after something was marked

	mu   sync.Mutex // guards list and the marks; taken last of all locks
	list []*sharePart
}

// mark says that a partition may have something to deliver. It is quick and may be called
// with a partition's lock held.
func (m *shareMarks) mark(p *sharePart) {
	m.mu.Lock()
	if p.marked {
		m.mu.Unlock()
		return
	}
	p.marked = true
	m.list = append(m.list, p)
	m.mu.Unlock()
	select {
	case m.C <- struct{}{}:
	default:
	}
}

// take returns what was marked.
func (m *shareMarks) take() []*sharePart {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.list
	m.list = nil
	for _, p := range list {
		p.marked = false
	}
	return list
}

// look delivers what there is of the partitions that may have something: at first of all,
// and then of those that were marked.
func (f *shareFetching) look() {
	list := f.parts
	if f.marks.C != nil {
		list = f.marks.take()
	}
	if f.req.MinBytes > 1 {
		if list = f.parts; f.available() < int(f.req.MinBytes) {
			return
		}
	}
	for _, p := range list {
		if f.ask.MaxRecords <= 0 || f.bytes <= 0 && f.some {
			return
		}
		if p.err == nil && p.Len == 0 {
			f.deliver(p)
		}
	}
}

// available is about how many bytes there are in all partitions, not more than the answer
// may have.
func (f *shareFetching) available() (n int) {
	for _, p := range f.parts {
		if n >= f.bytes || n >= int(f.req.MinBytes) {
			break
		}
		if f.open(p) {
			some, err := p.share.Deliverable(f.bytes - n)
			if n += some; err != nil {
				f.fail(p, err)
			}
		}
	}
	if n >= f.bytes {
		return int(f.req.MinBytes)
	}
	return n
}

func (f *shareFetching) deliver(p *sharePart) {
	if !f.open(p) {
		return
	}
	d, err := p.share.Deliver(f.ask, f.bytes, !f.some)
	if err != nil {
		f.fail(p, err)
		return
	}
	for _, a := range d.Acquired {
		f.ask.MaxRecords -= int(a.Last - a.First + 1)
	}
	p.Delivery, f.bytes, f.some = d, f.bytes-d.Len, f.some || d.Len > 0
}

// open finds the share partition; it may fail in ways that pass.
func (f *shareFetching) open(p *sharePart) bool {
	if p.share != nil || p.err != nil {
		return p.err == nil
	}
	tp, err := f.server.shareTopic(p.id)
	if p.tp = tp; err == nil {
		p.share, err = f.server.cfg.Deliveries.Open(f.key.Group, tp, p.id.Topic)
	}
	if err != nil {
		f.fail(p, err)
	}
	return err == nil
}

// fail notes that a partition can not be read. Members are told what they can act on, and
// nothing of coordinators: those are waited for.
func (f *shareFetching) fail(p *sharePart, err error) {
	if isKerr(err, kerr.CoordinatorNotAvailable) {
		f.reopen(p)
		return
	}
	p.err = shareError(err)
	f.now = f.now || isKerr(p.err, kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch)
}

// shareError is an error as the answer to a share fetch may have it: consumers fail at any
// that they do not know.
func shareError(err error) error {
	if isKerr(err, kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownTopicOrPartition, kerr.UnknownTopicID,
		kerr.KafkaStorageError, kerr.CorruptMessage, kerr.OffsetNotAvailable) {
		return err
	}
	return kerr.UnknownServerError
}

// reopen forgets a share partition that was not loaded. If the request waits it watches the
// next one, which is loaded again for its sake.
func (f *shareFetching) reopen(p *sharePart) {
	f.unwatchOne(p)
	if p.share = nil; f.marks.C == nil {
		return
	}
	if f.open(p) {
		p.share.Watch(p.waiter)
		f.marks.mark(p)
	}
}

// watch has the request told of what moves from now on; everything is looked at once more,
// as something may have happened in between.
func (f *shareFetching) watch() {
	f.marks.C = make(chan struct{}, 1)
	for _, p := range f.parts {
		p.waiter = &partition.Waiter{Notify: func() { f.marks.mark(p) }}
		if p.err == nil && f.open(p) {
			p.share.Watch(p.waiter)
			f.marks.mark(p)
		}
	}
}

func (f *shareFetching) markAll() {
	for _, p := range f.parts {
		f.marks.mark(p)
	}
}

func (f *shareFetching) unwatch() {
	for _, p := range f.parts {
		f.unwatchOne(p)
	}
}

func (f *shareFetching) unwatchOne(p *sharePart) {
	if p.share != nil && p.waiter != nil {
		p.share.Unwatch(p.waiter)
	}
}

// end gives back what the request holds.
func (f *shareFetching) end() {
	for _, p := range f.parts {
		if p.Len > 0 {
			p.Release()
			p.Len = 0
		}
	}
}

func isKerr(err error, of ...*kerr.Error) bool {
	for _, e := range of {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
