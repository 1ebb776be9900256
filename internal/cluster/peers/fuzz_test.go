package peers

import (
	"bytes"
	"testing"

	"github.com/odradek/odradek/internal/cluster/quorum"
)

// FuzzSays reads what other nodes call and answer: envelopes, who leads, chunks of metadata.
// What is taken is the same when it is written and read again.
func FuzzSays(f *testing.F) {
	id := "client"
	f.Add(Envelope{Key: 19, Version: 7, ClientID: &id, Listener: "PLAINTEXT", Principal: "User:a", Body: []byte("body")}.append(nil))
	f.Add(Envelope{Key: 63, Version: 1, Listener: "PLAINTEXT", Principal: "User:a", Body: append(make([]byte, 9), 0xff, 0xff, 0xff, 0xff, 0x0f)}.append(nil))
	f.Add(other(leader{3, 9}))
	f.Add(appendChunk(nil, quorum.Chunk{Leader: 1, Term: 2, Commit: 3, Entries: []quorum.Entry{{Offset: 3, Term: 2, Data: []byte("e")}}}))
	f.Add(appendChunk(nil, quorum.Chunk{Leader: 1, Term: 2, Commit: 3, SnapshotOffset: 3, Snapshot: []byte("s")}))
	f.Add([]byte{0, 2, 2, 2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := parseEnvelope(b); err == nil {
			again, err := parseEnvelope(e.append(nil))
			if err != nil || again.Key != e.Key || again.Version != e.Version || again.Listener != e.Listener || !bytes.Equal(again.Body, e.Body) {
				t.Errorf("%+v became %+v, %v", e, again, err)
			}
			if harmless[e.Key] {
				undecided(e, e.Body)
			}
		}
		rest, _, err := open(b)
		if err != nil || rest == nil {
			return
		}
		c, err := parseChunk(rest)
		if err != nil {
			return
		}
		_ = c.Check(1) // an error or not: it must only end
		again, err := parseChunk(appendChunk(nil, c)[1:])
		if err != nil || again.Commit != c.Commit || len(again.Entries) != len(c.Entries) || !bytes.Equal(again.Snapshot, c.Snapshot) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}
