package producers

// OldestOpenMillis is the timestamp of the last batch of the producer whose open
// transaction began first, negative if none is open.
func (s *State) OldestOpenMillis() int64 {
	if len(s.open) == 0 {
		return -1
	}
	return s.byID[s.open[0].producerID].timestamp
}
