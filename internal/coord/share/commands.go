package share

import (
	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kerr"
)

// noEpoch in a request is one that is not checked.
const noEpoch = -1

var (
	errNoGroup     = model.Explain(kerr.InvalidRequest, "The group id is longer than 32767 bytes.")
	errNoTopicID   = model.Explain(kerr.InvalidRequest, "The topic id cannot be null.")
	errNoPartition = model.Explain(kerr.InvalidRequest, "The partition id cannot be a negative number.")
	errNotReadable = model.Explain(kerr.InvalidRequest, "Read operation on uninitialized share partition not allowed.")
	errNotWritable = model.Explain(kerr.InvalidRequest, "Write operation on uninitialized share partition not allowed.")
	errTooLarge    = model.Explain(kerr.InvalidRequest, "The state batches do not fit a record.")
	errBatch       = model.Explain(kerr.InvalidRequest, "A state batch is out of bounds.")
)

// check returns why a key cannot be one.
func (k Key) check() error {
	switch {
	case len(k.Group) > maxGroupID:
		return errNoGroup
	case k.TopicID.IsZero():
		return errNoTopicID
	case k.Partition < 0:
		return errNoPartition
	}
	return nil
}

// exists reports that the partition is there; what is not there is unknown.
func (st *state) exists(k Key) error {
	if k.Partition >= st.topic(k.TopicID) {
		return kerr.UnknownTopicOrPartition
	}
	return nil
}

// initialize begins a new state: what was stored before is forgotten. The leader epoch
// stays, so that leaders who were fenced remain so. A state that has begun does not begin
// again: whoever asked may have missed the answer, and leaders may have written since.
// Kafka would forget what they wrote.
func (st *state) initialize(t *runtime.Turn, k Key, stateEpoch int32, start int64) error {
	if err := k.check(); err != nil {
		return err
	}
	if start < NoStart {
		return kerr.InvalidRequest
	}
	have := st.keys[k]
	if have != nil && stateEpoch != noEpoch && have.stateEpoch > stateEpoch {
		return kerr.FencedStateEpoch
	}
	if err := st.exists(k); err != nil {
		return err
	}
	if have != nil && have.stateEpoch == stateEpoch {
		return nil
	}
	millis := t.Millis()
	s := snapshot{stateEpoch: stateEpoch, start: start, complete: -1, createdMillis: millis, writtenMillis: millis}
	if start != NoStart {
		s.complete = 0 // there is a place to count from
	}
	if have != nil {
		s.epoch, s.leaderEpoch = have.epoch+1, have.leaderEpoch
	}
	t.Write(snapshotRecord(k, &s))
	return nil
}

// read returns the state. A leader that reads for the first time fences those before it.
func (st *state) read(t *runtime.Turn, k Key, leaderEpoch int32) (snapshot, error) {
	if err := k.check(); err != nil {
		return snapshot{}, err
	}
	have := st.keys[k]
	switch {
	case have == nil:
		return snapshot{}, errNotReadable
	case have.leaderEpoch > leaderEpoch:
		return snapshot{}, kerr.FencedLeaderEpoch
	}
	if err := st.exists(k); err != nil {
		return snapshot{}, err
	}
	if have.leaderEpoch != leaderEpoch {
		u := update{leaderEpoch: leaderEpoch, start: have.start, complete: have.complete}
		if err := st.append(t, k, u); err != nil {
			return snapshot{}, err
		}
	}
	return have.snapshot, nil
}

// write stores the states of batches and, unless it is NoStart, a new start, which never
// goes back while the state is the same one.
func (st *state) write(t *runtime.Turn, k Key, stateEpoch int32, u update) error {
	if err := k.check(); err != nil {
		return err
	}
	have := st.keys[k]
	switch {
	case have == nil:
		return errNotWritable
	case u.leaderEpoch != noEpoch && have.leaderEpoch > u.leaderEpoch:
		return kerr.FencedLeaderEpoch
	case stateEpoch != noEpoch && have.stateEpoch > stateEpoch:
		return kerr.FencedStateEpoch
	}
	if err := st.exists(k); err != nil {
		return err
	}
	for _, b := range u.batches {
		if b.First < 0 || b.Last < b.First || b.Deliveries < 0 ||
			b.State != Available && b.State != Acknowledged && b.State != Archiving && b.State != Archived {
			return errBatch
		}
	}
	if u.start < have.start {
		u.start = NoStart
	}
	return st.append(t, k, u)
}

// append writes an update or, after enough of them, a snapshot with the update merged.
func (st *state) append(t *runtime.Turn, k Key, u update) error {
	have := st.keys[k]
	u.epoch = have.epoch
	u.leaderEpoch = max(u.leaderEpoch, have.leaderEpoch)
	if have.updates >= st.settings().UpdatesPerSnapshot {
		r := snapshotRecord(k, have.merged(t, u))
		if len(r.Key)+len(r.Value) < t.MaxBytes {
			t.Write(r)
			return nil
		}
	}
	u.batches = combine(u.batches, u.start)
	r := updateRecord(k, &u)
	if len(r.Key)+len(r.Value) >= t.MaxBytes {
		return errTooLarge
	}
	t.Write(r)
	return nil
}

// merged is the next snapshot, with an update.
func (e *entry) merged(t *runtime.Turn, u update) *snapshot {
	s := e.snapshot
	s.epoch++
	s.leaderEpoch, s.complete = u.leaderEpoch, u.complete
	if u.start != NoStart {
		s.start = u.start
	}
	s.batches = combine(append(s.batches[:len(s.batches):len(s.batches)], u.batches...), s.start)
	s.createdMillis, s.writtenMillis = t.Millis(), t.Millis()
	return &s
}

// delete forgets a key. What is not there is deleted already.
func (st *state) delete(t *runtime.Turn, k Key) error {
	if err := k.check(); err != nil {
		return err
	}
	if err := st.exists(k); err != nil {
		return err
	}
	if st.keys[k] != nil {
		t.Write(tombstone(k))
	}
	return nil
}

// summary returns the state without fencing anyone; what was never initialized has no
// start.
func (st *state) summary(k Key) (snapshot, error) {
	if err := k.check(); err != nil {
		return snapshot{}, err
	}
	if err := st.exists(k); err != nil {
		return snapshot{}, err
	}
	if have := st.keys[k]; have != nil {
		return have.snapshot, nil
	}
	return snapshot{start: NoStart, complete: -1}, nil
}
