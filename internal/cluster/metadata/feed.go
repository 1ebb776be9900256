package metadata

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Feed has the newest image of one node; everyone may look and wait. Entries come from
// the quorum, from the tail of its log, or for a while from both, when a node that has
// followed becomes a voter: what has been seen before is skipped.
type Feed struct {
	image    atomic.Pointer[Image]
	supports atomic.Pointer[[]FeatureRange]

	writing sync.Mutex // makes the next image of the newest; waits for nothing

	mu    sync.Mutex    // guards moved; not held while anyone waits
	moved chan struct{} // closed when the image changes
}

// NewFeed returns a feed with the empty image.
func NewFeed() *Feed {
	f := &Feed{moved: make(chan struct{})}
	f.image.Store(Empty())
	return f
}

// Support says what features this release supports. An image that asks for others is
// refused, with the fix in the error. Without Support none is.
func (f *Feed) Support(ranges []FeatureRange) { f.supports.Store(&ranges) }

// Image is the newest image. Load it once a request.
func (f *Feed) Image() *Image { return f.image.Load() }

// Next waits until there is an image other than after, and tells what changed since.
// Steps that came in between are one change. Begin with Empty() to be told everything.
func (f *Feed) Next(ctx context.Context, after *Image) (*Image, Changes, error) {
	is, err := f.wait(ctx, func(is *Image) bool { return is != after })
	if err != nil {
		return nil, Changes{}, err
	}
	return is, Diff(after, is), nil
}

// WaitOffset waits until the image stands at offset or later.
func (f *Feed) WaitOffset(ctx context.Context, offset int64) error {
	_, err := f.wait(ctx, func(is *Image) bool { return is.Offset >= offset })
	return err
}

func (f *Feed) wait(ctx context.Context, enough func(*Image) bool) (*Image, error) {
	for {
		f.mu.Lock()
		moved := f.moved
		f.mu.Unlock()
		if is := f.image.Load(); enough(is) {
			return is, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// ApplyEntry moves the image on by one entry of the quorum's log, which holds the
// encoded records of one decision: all of them or none. An empty entry, with which a
// leader begins or voters change, only moves the offset; one at or below the image's
// offset is skipped. The image is not touched if it returns an error, and the node must
// not go on: it does not know what the cluster agreed on.
func (f *Feed) ApplyEntry(offset int64, entry []byte) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	is := f.Image()
	if offset <= is.Offset {
		return nil
	}
	var recs []Record
	if len(entry) > 0 {
		var err error
		if recs, err = Decode(entry); err != nil {
			return fmt.Errorf("metadata at offset %d: %w", offset, err)
		}
	}
	next, err := is.Apply(recs, offset)
	if err == nil {
		err = f.check(next)
	}
	if err != nil {
		return fmt.Errorf("metadata at offset %d: %w", offset, err)
	}
	f.publish(next)
	return nil
}

// Snapshot is the newest image as bytes, and the offset that it stands at.
func (f *Feed) Snapshot() (offset int64, data []byte) {
	m := f.Image()
	return m.Offset, m.Encode()
}

// Restore replaces the image by a snapshot, unless the image is newer.
func (f *Feed) Restore(data []byte) error {
	m, err := DecodeImage(data)
	if err != nil {
		return err
	}
	f.writing.Lock()
	defer f.writing.Unlock()
	if is := f.Image(); m.Offset < is.Offset || m.Offset == is.Offset && is.Offset > 0 {
		return nil
	}
	if err := f.check(m); err != nil {
		return err
	}
	f.publish(m)
	return nil
}

func (f *Feed) check(m *Image) error {
	if s := f.supports.Load(); s != nil {
		return m.Unsupported(*s)
	}
	return nil
}

func (f *Feed) publish(m *Image) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.image.Store(m)
	close(f.moved)
	f.moved = make(chan struct{})
}
