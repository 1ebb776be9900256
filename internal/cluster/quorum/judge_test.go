package quorum

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// judged is a state machine whose every step is compared with what others applied.
type judged struct {
	w    *world
	node int32

	mu   sync.Mutex
	at   int64
	list []Entry
}

func (m *judged) offset() int64 { m.mu.Lock(); defer m.mu.Unlock(); return m.at }

var errJudged = errors.New("the judge has seen enough")

func (m *judged) apply(offset int64, entry []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if offset <= m.at {
		return nil // as the Feed does
	}
	if m.at > 0 && offset != m.at+1 {
		m.w.fault("node %d applies %d after %d", m.node, offset, m.at)
		return errJudged
	}
	m.at = offset
	m.list = append(m.list, Entry{Offset: offset, Data: slices.Clone(entry)})
	return m.w.judge(m.node, offset, string(entry))
}

func (w *world) judge(node int32, offset int64, entry string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if other, ok := w.log[offset]; ok && other != entry {
		w.faults = append(w.faults, fmt.Sprintf("node %d applies %q at %d, another %q", node, entry, offset, other))
		return errJudged
	}
	w.log[offset] = entry
	return nil
}

func (m *judged) snapshot() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := appendUvarints(nil, uint64(m.at))
	for _, e := range m.list {
		b = appendUvarints(b, uint64(e.Offset), uint64(len(e.Data)))
		b = append(b, e.Data...)
	}
	return b
}

func (m *judged) restore(data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := uvarints{b: data}
	at := int64(r.next())
	if at < m.at {
		return nil // as the Feed does
	}
	m.at, m.list = at, nil
	for len(r.b) > 0 {
		offset := int64(r.next())
		n := r.next()
		m.list = append(m.list, Entry{Offset: offset, Data: r.b[:n]})
		if err := m.w.judge(m.node, offset, string(r.b[:n])); err != nil {
			return err
		}
		r.b = r.b[n:]
	}
	return nil
}
