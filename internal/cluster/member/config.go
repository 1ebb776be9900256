package member

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// Config is what a Member needs of the rooms around it.
type Config struct {
	// Ask has the active controller answer a request. It returns when this node's image
	// has reached what the answer rests on, or when ctx ends.
	Ask         func(ctx context.Context, req kmsg.Request) (kmsg.Response, error)
	Feed        *metadata.Feed
	Node        int32
	Incarnation model.ID // of this process
	// Registration is what the broker says of itself. Asked for at each registration.
	Registration func() Registration
	// OfflineDirs are the ids of the log folders that have failed. Default: none.
	OfflineDirs func() []model.ID

	Interval time.Duration // broker.heartbeat.interval.ms; default 250 ms
	Session  time.Duration // broker.session.timeout.ms; default 3 s
	Log      *slog.Logger  // default: discards
}

// Registration is what a broker tells the cluster of itself.
type Registration struct {
	Rack      *string
	Endpoints []metadata.Endpoint
	Features  []metadata.FeatureRange
	LogDirs   []model.ID // of the folders that work
	// PreviousEpoch is the registration since which the broker has lost no record, -1 if
	// that is not known (KIP-966).
	PreviousEpoch int64
}

func (c *Config) validate() error {
	var errs []error
	need := func(have bool, name string) {
		if !have {
			errs = append(errs, fmt.Errorf("member: config has no %s", name))
		}
	}
	need(c.Ask != nil, "Ask")
	need(c.Feed != nil, "Feed")
	need(c.Registration != nil, "Registration")
	need(!c.Incarnation.IsZero(), "Incarnation")
	c.Interval = cmp.Or(c.Interval, 250*time.Millisecond)
	c.Session = cmp.Or(c.Session, 3*time.Second)
	if c.Interval >= c.Session {
		errs = append(errs, fmt.Errorf("member: a heartbeat every %v does not keep a session of %v", c.Interval, c.Session))
	}
	if c.OfflineDirs == nil {
		c.OfflineDirs = func() []model.ID { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return errors.Join(errs...)
}
