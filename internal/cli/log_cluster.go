package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/odradek/odradek/internal/base/vfs"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
)

// The cluster's own log has the files of the quorum, whose names end as those of
// partitions do.

// clusterLogFolder is where it is.
const clusterLogFolder = "__cluster_metadata-0"

func inClusterLog(name string) bool {
	abs, err := filepath.Abs(name)
	return err == nil && filepath.Base(filepath.Dir(abs)) == clusterLogFolder
}

// stepItem is a step of the quorum as JSON has it, entryItem an entry in it, committed or
// not.
type stepItem struct {
	File     string `json:"file"`
	Position int64  `json:"position"`
	Bytes    int    `json:"bytes"`
	Term     int64  `json:"term"`
	Vote     int32  `json:"vote"`
	Commit   int64  `json:"committedOffset"`
	Replaced int64  `json:"replacedBySnapshot,omitempty"`
	Entries  int    `json:"entries"`
}

type entryItem struct {
	File    string       `json:"file"`
	Offset  int64        `json:"offset"`
	Term    int64        `json:"term"`
	Change  string       `json:"voters,omitempty"`
	Records []recordItem `json:"records,omitempty"`
}

type recordItem struct {
	Kind   string          `json:"kind"`
	Record metadata.Record `json:"record"`
}

// clusterLog prints a log file of the quorum.
func (d *dumper) clusterLog(f vfs.File) error {
	text, err := d.all(f)
	if err != nil {
		return err
	}
	end, err := quorum.InspectLog([]byte(text), d.step)
	if errors.Is(err, quorum.ErrCorrupt) {
		return d.fault(end, "%v", err)
	}
	if err != nil || end == int64(len(text)) || !d.text() {
		return err
	}
	return d.line(nil, "at %-8d %d bytes of a write that was not finished", end, int64(len(text))-end)
}

func (d *dumper) step(s quorum.Step) error {
	it := stepItem{d.name, s.Position, s.Bytes, s.Term, s.Vote, s.Commit, s.Replaced, len(s.Entries)}
	words := fmt.Sprintf("at %-8d %d bytes  term %d  committed to %d", s.Position, s.Bytes, s.Term, s.Commit)
	if s.Vote >= 0 {
		words += fmt.Sprintf("  vote for node %d", s.Vote)
	}
	if s.Replaced > 0 {
		words += fmt.Sprintf("  replaced by a snapshot at %d", s.Replaced)
	}
	if err := d.line(it, "%s", words); err != nil {
		return err
	}
	for _, e := range s.Entries {
		if err := d.clusterEntry(s.Position, e); err != nil {
			return err
		}
	}
	return nil
}

// clusterEntry prints an entry: its records by kind, or each of them with --records.
func (d *dumper) clusterEntry(pos int64, e quorum.LoggedEntry) error {
	it := entryItem{File: d.name, Offset: e.Offset, Term: e.Term, Change: e.Change}
	words := e.Change
	switch {
	case e.Change != "":
	case len(e.Data) == 0:
		words = "a leader begins"
	default:
		recs, err := metadata.Decode(e.Data)
		if err != nil {
			return d.fault(pos, "entry %d: %v", e.Offset, err)
		}
		words = kindsText(recs)
		if d.records {
			it.Records = recordItems(recs)
		}
	}
	if err := d.line(it, "  %d  term %d  %s", e.Offset, e.Term, words); err != nil {
		return err
	}
	return d.recordsText(it.Records)
}

// clusterSnapshot prints a snapshot file of the quorum.
func (d *dumper) clusterSnapshot(f vfs.File) error {
	text, err := d.all(f)
	if err != nil {
		return err
	}
	s, err := quorum.InspectSnapshot([]byte(text))
	if errors.Is(err, quorum.ErrCorrupt) {
		return d.fault(0, "%v", err)
	}
	if err != nil {
		return err
	}
	recs, at, err := imageRecords(s.Data)
	if err != nil {
		return d.fault(0, "%v", err)
	}
	item := struct {
		File     string       `json:"file"`
		Offset   int64        `json:"offset"`
		Image    int64        `json:"imageOffset"`
		Term     int64        `json:"term"`
		Voters   []int32      `json:"voters"`
		Learners []int32      `json:"learners"`
		Records  []recordItem `json:"records,omitempty"`
	}{d.name, s.Offset, at, s.Term, s.Voters, s.Learners, nil}
	if d.records {
		item.Records = recordItems(recs)
	}
	if err := d.line(item, "offset %d  term %d  voters %v  learners %v  metadata to %d: %s",
		s.Offset, s.Term, s.Voters, s.Learners, at, kindsText(recs)); err != nil {
		return err
	}
	return d.recordsText(item.Records)
}

// imageRecords are the records of a snapshot, and the offset that it stands at.
func imageRecords(data []byte) ([]metadata.Record, int64, error) {
	if len(data) == 0 {
		return nil, 0, nil
	}
	m, err := metadata.DecodeImage(data)
	if err != nil {
		return nil, 0, err
	}
	return m.Records(), m.Offset, nil
}

func recordItems(recs []metadata.Record) []recordItem {
	items := make([]recordItem, len(recs))
	for i, r := range recs {
		items[i] = recordItem{kindOfRecord(r), r}
	}
	return items
}

func kindOfRecord(r metadata.Record) string {
	_, name, _ := strings.Cut(fmt.Sprintf("%T", r), ".")
	return name
}

// kindsText counts records by kind, in the order in which they first come.
func kindsText(recs []metadata.Record) string {
	var kinds []string
	counts := map[string]int{}
	for _, r := range recs {
		k := kindOfRecord(r)
		if counts[k]++; counts[k] == 1 {
			kinds = append(kinds, k)
		}
	}
	for i, k := range kinds {
		if n := counts[k]; n > 1 {
			kinds[i] = fmt.Sprintf("%s ×%s", k, thousands(n))
		}
	}
	if len(kinds) == 0 {
		return "nothing"
	}
	return strings.Join(kinds, ", ")
}

func (d *dumper) recordsText(items []recordItem) error {
	if !d.text() {
		return nil
	}
	for _, it := range items {
		b, err := json.Marshal(it.Record)
		if err != nil {
			return err
		}
		if err := d.line(nil, "    %s %s", it.Kind, printable(b)); err != nil {
			return err
		}
	}
	return nil
}
