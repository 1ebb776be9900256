package controller

import (
	"context"
	"reflect"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// RegisterController decides to know a node of the quorum. One that says what it said
// before changes nothing.
func (s State) RegisterController(c metadata.Controller) ([]metadata.Record, error) {
	switch {
	case c.ID < 0:
		return nil, explainf(kerr.InvalidRegistration, "Controller id %d is negative", c.ID)
	case len(c.Endpoints) == 0:
		return nil, explainf(kerr.InvalidRegistration, "No listeners specified in request")
	}
	c.Features = sortedFeatures(c.Features)
	if was, ok := s.Image.Controller(c.ID); ok && reflect.DeepEqual(*was, c) {
		return nil, nil
	}
	return []metadata.Record{metadata.RegisterController{Controller: c}}, nil
}

// AddVoter gives a node that is registered as a controller a vote. The directory, if it
// is not zero, must be the one of its registration.
func (s *Service) AddVoter(ctx context.Context, id int32, directory model.ID) error {
	voters, err := s.voters()
	if err != nil {
		return err
	}
	c, ok := s.o.Feed.Image().Controller(id)
	switch {
	case !ok:
		return explainf(kerr.InvalidRequest, "Node %d is not registered as a controller: start it with "+
			"process.roles=controller and the addresses of this cluster first.", id)
	case !directory.IsZero() && directory != c.Directory:
		return explainf(kerr.InvalidRequest, "The metadata folder of node %d is %s, not %s.", id, c.Directory, directory)
	}
	return voters.AddVoter(ctx, id)
}

// RemoveVoter takes a node's vote. The directory is that of AddVoter.
func (s *Service) RemoveVoter(ctx context.Context, id int32, directory model.ID) error {
	voters, err := s.voters()
	if err != nil {
		return err
	}
	if c, ok := s.o.Feed.Image().Controller(id); ok && !directory.IsZero() && directory != c.Directory {
		return explainf(kerr.VoterNotFound, "The metadata folder of node %d is %s, not %s.", id, c.Directory, directory)
	}
	return voters.RemoveVoter(ctx, id)
}

func (s *Service) voters() (Voters, error) {
	switch {
	case !s.Leading():
		return nil, kerr.NotController
	case s.o.Voters == nil:
		return nil, explainf(kerr.UnsupportedVersion, "The voters of this node are fixed.")
	}
	return s.o.Voters, nil
}
