package controller

import "github.com/odradek/odradek/internal/cluster/metadata"

// entries divides the records of a decision into the entries that the quorum agrees on.
func entries(recs []metadata.Record) [][]metadata.Record {
	if len(recs) == 0 {
		return nil
	}
	return [][]metadata.Record{recs}
}
