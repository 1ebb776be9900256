package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/proto/model"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// replacement is a node that has an empty disk and takes the place of one that lost its own,
// perhaps by another id. It goes on, step by step, until the cluster has it as it had the
// other.
type replacement struct {
	node    *Node
	old     int32
	oldDir  model.ID // that the other voted by
	removed bool     // the other's vote is
	added   bool     // the node's vote is, if it should have one
}

// lostDisk has a node lose its disk, and come back with an empty one, or another node come
// for it. Only one node of a world may, and not while others are behind: who was killed
// counts as one that may have lost something (KIP-966), so what is on that disk may be all
// that is promised.
func lostDisk(w *World) string {
	n := w.victim()
	if n == nil || w.replacing != nil || w.Unsettled(false) != "" || !w.spoil(n) {
		return ""
	}
	r := &replacement{node: n, old: n.ID, removed: !n.votes, added: !n.votes}
	if c, ok := w.Image().Controller(n.ID); ok {
		r.oldDir = c.Directory
	} else if n.votes {
		return ""
	}
	n.Kill()
	what := fmt.Sprintf("of node %d", n.ID)
	if !n.replaced && w.Rand.IntN(2) == 0 {
		r.node = w.succeed(n)
		what += fmt.Sprintf(", for which %d comes", r.node.ID)
	} else {
		n.Wipe()
	}
	w.replacing = r
	_ = w.replace(3 * time.Second) // else it goes on later
	return what
}

// succeed takes a node that was killed out of the world and returns one of its roles that is
// new.
func (w *World) succeed(n *Node) *Node {
	heir := newNode(w, w.nodes[len(w.nodes)-1].ID+1, n.voters)
	heir.votes, heir.serves, heir.replaced = n.votes, n.serves, true
	if w.spoilt == n {
		w.spoilt = heir
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = append(slices.DeleteFunc(slices.Clone(w.nodes), func(o *Node) bool { return o == n }), heir)
	return heir
}

// replace goes on with the replacement that is under way, until it is done or the time is
// over.
func (w *World) replace(within time.Duration) error {
	r := w.replacing
	if r == nil {
		return nil
	}
	var err error
	for began := time.Now(); time.Since(began) < within; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(w.t.Context(), patience)
		err = r.step(ctx, w)
		cancel()
		if err == nil {
			w.replacing = nil
			return nil
		}
	}
	return fmt.Errorf("node %d takes the place of %d: %w", r.node.ID, r.old, err)
}

// step does what is next. It may be done twice.
func (r *replacement) step(ctx context.Context, w *World) error {
	c := w.user()
	if !r.removed {
		req := kmsg.NewPtrRemoveRaftVoterRequest()
		req.VoterID, req.VoterDirectoryID = r.old, r.oldDir
		resp, err := req.RequestWith(ctx, w.client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil && !errors.Is(err, kerr.VoterNotFound) {
			return fmt.Errorf("remove the vote: %w", err)
		}
		r.removed = true
	}
	if !r.node.Running() {
		r.node.Launch()
	}
	if !r.added {
		if err := r.vote(ctx, w); err != nil {
			return err
		}
		r.added = true
	}
	if r.old == r.node.ID || !r.node.serves {
		return nil
	}
	return r.inherit(ctx, w, c)
}

// vote gives the node its vote.
func (r *replacement) vote(ctx context.Context, w *World) error {
	known, ok := w.Image().Controller(r.node.ID)
	if !ok || known.Directory == r.oldDir {
		return errors.New("it is not known yet by its new folder")
	}
	req := kmsg.NewPtrAddRaftVoterRequest()
	req.VoterID, req.VoterDirectoryID, req.TimeoutMillis = r.node.ID, known.Directory, int32(patience.Milliseconds())
	resp, err := req.RequestWith(ctx, w.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil && !errors.Is(err, kerr.DuplicateVoter) {
		return fmt.Errorf("add the vote: %w", err)
	}
	return nil
}

// inherit gives the node the replicas of the old one, which is forgotten when it has them.
func (r *replacement) inherit(ctx context.Context, w *World, adm *kadm.Client) error {
	image := w.Image()
	if b, ok := image.Broker(r.node.ID); !ok || b.Fenced {
		return errors.New("it is no broker yet")
	}
	req, left := kadm.AlterPartitionAssignmentsReq{}, 0
	for t := range image.Topics() {
		for i, p := range t.Partitions {
			at := slices.Index(p.Replicas, r.old)
			if at < 0 {
				continue
			}
			left++
			if p.Reassigning() {
				continue
			}
			to := slices.Clone(p.Replicas)
			if to[at] = r.node.ID; slices.Index(p.Replicas, r.node.ID) >= 0 {
				to = slices.Delete(to, at, at+1)
			}
			req.Assign(t.Name, int32(i), to)
		}
	}
	if len(req) > 0 {
		if _, err := adm.AlterPartitionAssignments(ctx, req); err != nil {
			return fmt.Errorf("give it replicas: %w", err)
		}
	}
	if left > 0 {
		return fmt.Errorf("%d replicas are still the old one's", left)
	}
	if _, ok := image.Broker(r.old); !ok {
		return nil
	}
	forget := kmsg.NewPtrUnregisterBrokerRequest()
	forget.BrokerID = r.old
	resp, err := forget.RequestWith(ctx, w.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	return err
}
