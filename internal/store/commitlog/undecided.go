package commitlog

// Undecided is what readers of committed transactions have to wait for.
type Undecided struct {
	Behind int64 // records between the last stable offset and the high watermark
	// OldestMillis is when the producer of the oldest open transaction wrote last, by the
	// timestamp of its batch; negative if none is open.
	OldestMillis int64
}

// Undecided tells that without the disk; ok is false while it is not known.
func (l *Log) Undecided(hw int64) (u Undecided, ok bool) {
	m, ok := l.marks(hw)
	if !ok {
		return Undecided{OldestMillis: -1}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return Undecided{Behind: max(0, hw-m.Stable), OldestMillis: l.producers.OldestOpenMillis()}, true
}
