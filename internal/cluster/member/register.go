package member

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/proto/model"
)

// MessageTag is the tagged field in which the answer to a registration says in words
// why it was refused: Kafka's answer has the code alone.
const MessageTag = 10_000

// Register registers the broker and returns when it has an epoch. It waits as long as
// there is no controller, and while the cluster takes a process of before for alive.
func (m *Member) Register(ctx context.Context) error {
	for said := false; ; {
		if m.Epoch() >= 0 && m.replaced(m.c.Feed.Image()) {
			return fmt.Errorf("broker %d: %w", m.c.Node, ErrReplaced)
		}
		err := m.register(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("register broker %d: %w", m.c.Node, context.Cause(ctx))
		case refused(err):
			return fmt.Errorf("register broker %d: %w", m.c.Node, err)
		case !said:
			said = true
			m.c.Log.Warn("the broker is not registered yet", "broker", m.c.Node, "err", err)
		}
		select {
		case <-time.After(min(m.c.Interval, 100*time.Millisecond)):
		case <-ctx.Done():
		}
	}
}

// refused reports whether trying again would be of no use.
func refused(err error) bool {
	for _, final := range []error{
		kerr.InconsistentClusterID, kerr.InvalidRegistration, kerr.UnsupportedVersion, kerr.ClusterAuthorizationFailed,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

func (m *Member) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(m.c.Session, 10*time.Second))
	defer cancel()
	image := m.c.Feed.Image()
	answer, err := m.c.Ask(ctx, m.request(image.ClusterID))
	if err != nil {
		return err
	}
	resp := answer.(*kmsg.BrokerRegistrationResponse)
	if resp.ErrorCode != 0 {
		return explained(resp)
	}
	if was := m.epoch.Swap(resp.BrokerEpoch); was != resp.BrokerEpoch {
		m.lease.Store(-1)
		m.c.Log.Info("broker is registered", "broker", m.c.Node, "epoch", resp.BrokerEpoch, "before", was)
	}
	m.Hurry()
	return nil
}

func (m *Member) request(clusterID string) *kmsg.BrokerRegistrationRequest {
	r := m.c.Registration()
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.Version = 4
	req.BrokerID, req.ClusterID, req.IncarnationID = m.c.Node, clusterID, m.c.Incarnation
	req.Rack, req.PreviousBrokerEpoch = r.Rack, r.PreviousEpoch
	if was := m.Epoch(); was >= 0 {
		req.PreviousBrokerEpoch = was // the same process: it has lost nothing since
	}
	for _, e := range r.Endpoints {
		l := kmsg.NewBrokerRegistrationRequestListener()
		l.Name, l.Host, l.Port, l.SecurityProtocol = e.Listener, e.Host, uint16(e.Port), e.Protocol
		req.Listeners = append(req.Listeners, l)
	}
	for _, f := range r.Features {
		v := kmsg.NewBrokerRegistrationRequestFeature()
		v.Name, v.MinSupportedVersion, v.MaxSupportedVersion = f.Name, f.Min, f.Max
		req.Features = append(req.Features, v)
	}
	for _, id := range r.LogDirs {
		req.LogDirs = append(req.LogDirs, id)
	}
	return req
}

// explained is the error of a refused registration, in the controller's words if it
// sent any.
func explained(resp *kmsg.BrokerRegistrationResponse) error {
	err := kerr.ErrorForCode(resp.ErrorCode)
	known, ok := errors.AsType[*kerr.Error](err)
	var words string
	resp.UnknownTags.Each(func(tag uint32, value []byte) {
		if tag == MessageTag {
			words = string(value)
		}
	})
	if !ok || words == "" {
		return err
	}
	return model.Explain(known, words)
}
