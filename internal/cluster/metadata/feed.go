package metadata

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// Feed has the newest image of one node. One goroutine, the quorum's, gives it
// entries in order; everyone may look and wait.
type Feed struct {
	image atomic.Pointer[Image]
	mu    sync.Mutex    // guards moved; not held while anyone waits
	moved chan struct{} // closed when the image changes
}

// NewFeed returns a feed with the empty image.
func NewFeed() *Feed {
	f := &Feed{moved: make(chan struct{})}
	f.image.Store(Empty())
	return f
}

// Image is the newest image. Load it once a request.
func (f *Feed) Image() *Image { return f.image.Load() }

// Next waits until there is an image other than after, and tells what changed since.
// Steps that came in between are one change. Begin with Empty() to be told everything.
func (f *Feed) Next(ctx context.Context, after *Image) (*Image, Changes, error) {
	for {
		f.mu.Lock()
		moved := f.moved
		f.mu.Unlock()
		if is := f.image.Load(); is != after {
			return is, Diff(after, is), nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, Changes{}, context.Cause(ctx)
		}
	}
}

// ApplyEntry moves the image on by one entry of the quorum's log, which holds the
// encoded records of one decision: all of them or none. The image is not touched if
// it returns an error, and the node must not go on: it does not know what the cluster
// agreed on.
func (f *Feed) ApplyEntry(offset int64, entry []byte) error {
	recs, err := Decode(entry)
	if err != nil {
		return fmt.Errorf("metadata at offset %d: %w", offset, err)
	}
	next, err := f.Image().Apply(recs, offset)
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

// Restore replaces the image by a snapshot.
func (f *Feed) Restore(data []byte) error {
	m, err := DecodeImage(data)
	if err != nil {
		return err
	}
	f.publish(m)
	return nil
}

func (f *Feed) publish(m *Image) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.image.Store(m)
	close(f.moved)
	f.moved = make(chan struct{})
}
