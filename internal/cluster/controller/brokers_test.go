package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// A broker that stopped clean keeps the partitions that nobody else has; one that did
// not has to be elected again, so that clients see a new epoch.
func TestNewIncarnation(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprint("clean ", clean), func(t *testing.T) {
			w := newWorld(t, "", "")
			w.topic("sole", 1)
			w.topic("shared", 1, 2)
			r := registration(1, 2)
			if clean {
				r.PreviousEpoch = epochOf(w, 1)
			}
			epoch, recs, err := w.state().RegisterBroker(r)
			if err != nil {
				t.Fatal(err)
			}
			next, err := w.image.Apply(recs, w.image.Offset+1)
			if err != nil {
				t.Fatal(err)
			}
			w.image = next // a sole replica's leader is fenced for a moment: check would object
			w.heartbeat(Heartbeat{ID: 1, Epoch: epoch, MetadataOffset: w.image.Offset})
			sole, shared := w.partition("sole"), w.partition("shared")
			if sole.Leader != 1 || (sole.LeaderEpoch == 0) != clean || (sole.Recovery == metadata.Recovered) != clean {
				t.Errorf("sole: %+v", *sole)
			}
			if shared.Leader != 2 || shared.LeaderEpoch != 1 {
				t.Errorf("shared: %+v", *shared)
			}
		})
	}
}

// A broker that wants to stop is told to when it leads nothing any more.
func TestControlledShutdown(t *testing.T) {
	w := newWorld(t, "", "")
	w.topic("a", 1, 2)
	h := Heartbeat{ID: 1, Epoch: epochOf(w, 1), MetadataOffset: w.image.Offset, WantShutDown: true}
	if r := w.heartbeat(h); r.ShouldShutDown {
		t.Error("it leads and was told to stop")
	}
	if p := w.partition("a"); p.Leader != 2 {
		t.Errorf("its leader did not move: %+v", *p)
	}
	if r := w.heartbeat(h); !r.ShouldShutDown {
		t.Error("it leads nothing and was not told to stop")
	}
	if b, _ := w.image.Broker(1); !b.Fenced {
		t.Error("it is not fenced")
	}
	recs, err := w.state().UnregisterBroker(1)
	if err != nil {
		t.Fatal(err)
	}
	w.apply(recs)
	_, err = w.state().UnregisterBroker(1)
	wantErr(t, err, kerr.BrokerIDNotRegistered, "Broker ID 1 is not currently registered")
}

func TestRegistrationRefusals(t *testing.T) {
	cases := []struct {
		name   string
		change func(r *Registration)
		err    *kerr.Error
		words  string
	}{
		{"negative id", func(r *Registration) { r.ID = -1 }, kerr.InvalidRegistration, "negative"},
		{"no listener", func(r *Registration) { r.Endpoints = nil }, kerr.InvalidRegistration, "No listeners"},
		{"no folder", func(r *Registration) { r.LogDirs = nil }, kerr.InvalidRegistration, "No directories"},
		{"a folder twice", func(r *Registration) { r.LogDirs = []model.ID{{9}, {9}} }, kerr.InvalidRegistration, "Duplicate directory"},
		{"a reserved folder", func(r *Registration) { r.LogDirs = []model.ID{{15: 1}} }, kerr.InvalidRegistration, "Reserved directory"},
		{"another's folder", func(r *Registration) { r.LogDirs = []model.ID{{2, 1}} }, kerr.InvalidRegistration, "Broker 1 is already registered"},
		{"no features", func(r *Registration) { r.Features = nil }, kerr.InvalidRegistration, FeatureMetadata},
		{"old features", func(r *Registration) {
			r.Features = slices.Clone(Features)
			r.Features[slices.IndexFunc(Features, func(f metadata.FeatureRange) bool { return f.Name == FeatureMetadata })].Max = 20
		},
			kerr.UnsupportedVersion, "does not support finalized version 29"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			r := registration(2, 1)
			c.change(&r)
			_, recs, err := w.state().RegisterBroker(r)
			wantErr(t, err, c.err, c.words)
			if len(recs) > 0 {
				t.Error("it was registered")
			}
		})
	}
}

func TestUpdateFeatures(t *testing.T) {
	cases := []struct {
		name   string
		update FeatureUpdate
		err    *kerr.Error
		words  string
	}{
		{"down", FeatureUpdate{FeatureELR, 0, SafeDowngrade}, nil, ""},
		{"the same", FeatureUpdate{FeatureMetadata, 29, Upgrade}, nil, ""},
		{"down as up", FeatureUpdate{FeatureMetadata, 20, Upgrade}, kerr.InvalidUpdateVersion, "Can't downgrade the version"},
		{"too new", FeatureUpdate{FeatureMetadata, 99, Upgrade}, kerr.InvalidUpdateVersion, "Local controller only supports versions 7-29"},
		{"unknown", FeatureUpdate{"x", 1, Upgrade}, kerr.InvalidUpdateVersion, "does not support this feature"},
		{"no type", FeatureUpdate{FeatureELR, 1, 0}, kerr.InvalidUpdateVersion, "upgrade type"},
		{"negative", FeatureUpdate{FeatureELR, -1, Upgrade}, kerr.InvalidUpdateVersion, "less than 0"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "")
			r, recs := w.state().UpdateFeatures([]FeatureUpdate{c.update}, false)
			w.apply(recs)
			wantErr(t, r[0].Err, c.err, c.words)
			if c.err == nil && w.image.Feature(c.update.Name) != c.update.Level {
				t.Errorf("level %d", w.image.Feature(c.update.Name))
			}
		})
	}
}
