package controller

import "github.com/odradek/odradek/internal/cluster/metadata"

// recordsPerEntry bounds an entry of a decision that may become true step by step, some
// 85 bytes a record: the quorum works on one while the next is on its way.
const recordsPerEntry = 5000

// entries divides the records of a decision into the entries that the quorum agrees on.
// What a broker's fate does to partitions may be cut anywhere, as in Kafka: each change
// stands for itself, and a new controller that finds half of them made makes the rest.
// Everything else is one entry, true as a whole or not at all.
func entries(recs []metadata.Record) [][]metadata.Record {
	if len(recs) == 0 {
		return nil
	}
	var list [][]metadata.Record
	for len(recs) > recordsPerEntry && divisible(recs) {
		list = append(list, recs[:recordsPerEntry])
		recs = recs[recordsPerEntry:]
	}
	return append(list, recs)
}

func divisible(recs []metadata.Record) bool {
	for _, rec := range recs {
		switch rec.(type) {
		case metadata.ChangePartition, metadata.ChangeBroker, metadata.RegisterBroker, metadata.UnregisterBroker:
		default:
			return false
		}
	}
	return true
}
