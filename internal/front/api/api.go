// Package api is the front desk: it takes each request that the line hands over,
// checks it, asks the room that knows, and words the answer as Kafka does. It knows
// every request and its versions, and the errors that clients expect; it keeps no
// records, decides nothing for the cluster and has no memory between requests but
// fetch sessions and a block of producer ids. It owns no goroutines: a request runs
// on its connection's reader and writer.
//
// A file is a request, named by its key. The table of them all is table.go.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/base/clock"
	"github.com/odradek/odradek/internal/cluster/config"
	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/cluster/quorum"
	"github.com/odradek/odradek/internal/front/fetchsession"
	"github.com/odradek/odradek/internal/front/sharesession"
	"github.com/odradek/odradek/internal/proto/model"
	"github.com/odradek/odradek/internal/proto/wire"
	replication "github.com/odradek/odradek/internal/replica/fetcher"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config is what the front desk is made of. What has no default must be given.
type Config struct {
	NodeID       int32
	Feed         Feed
	Controller   Controller
	Groups       Groups
	Transactions Transactions
	Shares       ShareStates
	// Deliveries has what share groups read here. Nil: there are no share groups.
	Deliveries Deliveries
	Host       Host
	// Enlist asks coordinators of transactions about partitions of this broker. Nil: there
	// are none, and no transaction can write.
	Enlist Enlist
	// Settings are the broker's configs as now in force.
	Settings func() config.Values
	// Static is what was set before the node started, by key.
	Static map[string]string
	// Quorum is the quorum as this node sees it.
	Quorum func() quorum.Status
	// LogDirs describes the folders of logs on this broker.
	LogDirs func() []LogDir
	// Producers lists what a partition remembers of its producers.
	// It returns kerr.NotLeaderForPartition if this broker has no replica of it.
	Producers func(model.TopicPartition) ([]Producer, error)
	// What a node among several is given besides. A node that is alone needs none of it.
	//
	// Leading reports whether this node is the active controller. Nil: it is.
	Leading func() bool
	// Forward has the active controller answer a request and returns the body of the
	// answer. It waits for a controller until the context ends. Nil: all is decided here.
	Forward func(context.Context, Envelope) ([]byte, error)
	// Ask is Forward for a request of this node's own, which it may send in any version.
	// When it returns, what the controller decided stands in Feed. Nil: Controller is
	// asked.
	Ask func(context.Context, kmsg.Request) (kmsg.Response, error)
	// Undisputed returns nil if no other node led a partition when it was called, by what those say
	// who may have been elected; an error if one does, or if that cannot be told before the
	// context ends. Nil: there are no others.
	Undisputed func(context.Context, model.TopicPartition) error
	// OnlyControllers says that no listener of brokers is served: Groups, Transactions, Host,
	// LogDirs and Producers are not needed then.
	OnlyControllers bool
	// ControllerListeners are the listeners of the quorum (controller.listener.names).
	ControllerListeners []string

	// Features are the levels that this build supports, sorted by name.
	Features []metadata.FeatureRange

	// Random draws a number in [0, n); it chooses the broker that is named as the
	// controller. Nil names the first.
	Random func(n int) int
	// Log gets what went wrong inside. Nil discards it.
	// Clock is the hour as markers tell it; nil is the right one.
	Clock clock.Clock
	Log   *slog.Logger
	// LogLevel is the level of Log, which clients may change. Nil is one of no effect.
	LogLevel *slog.LevelVar
	// ControlTimeout bounds what this node asks of the controller of its own accord,
	// such as topics that are created when they are first named. Zero is 30 s
	// (request.timeout.ms).
	ControlTimeout time.Duration
}

// Feed has the newest image of the cluster.
type Feed interface{ Image() *metadata.Image }

// Server answers requests. Safe for concurrent use.
type Server struct {
	cfg       Config
	log       *slog.Logger
	apis      map[int16]*API
	versions  map[Scope][]kmsg.ApiVersionsResponseApiKey // what ApiVersions tells on a kind of listener
	producers producerIDs
	sessions  *fetchsession.Cache
	// shareSessions are those of members of share groups.
	shareSessions *sharesession.Cache
	throttle      *replication.Throttle
}

// New returns a server.
func New(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.LogLevel == nil {
		cfg.LogLevel = new(slog.LevelVar)
	}
	if cfg.Random == nil {
		cfg.Random = func(int) int { return 0 }
	}
	if cfg.ControlTimeout == 0 {
		cfg.ControlTimeout = 30 * time.Second
	}
	s := &Server{cfg: cfg, log: cfg.Log, apis: make(map[int16]*API), throttle: replication.NewThrottle(cfg.Feed.Image, cfg.NodeID, "leader")}
	s.producers.refilling = make(chan struct{}, 1)
	s.sessions = fetchsession.NewCache(config.MaxIncrementalFetchSessionCacheSlots.Get(cfg.Settings()),
		func() uint32 { return uint32(cfg.Random(math.MaxInt32)) })
	s.shareSessions = s.newShareSessions()
	s.versions = make(map[Scope][]kmsg.ApiVersionsResponseApiKey)
	for _, a := range Table() {
		s.apis[a.Key] = &a
		for _, scope := range []Scope{OnBrokers, OnControllers} {
			if a.on(scope) {
				s.versions[scope] = append(s.versions[scope], versionRow(&a))
			}
		}
	}
	return s, nil
}

func (c *Config) validate() error {
	var errs []error
	need := func(have bool, name string) {
		if !have {
			errs = append(errs, fmt.Errorf("api: config has no %s", name))
		}
	}
	need(c.Feed != nil, "Feed")
	need(c.Controller != nil || c.Forward != nil, "Controller")
	need(c.Groups != nil || c.OnlyControllers, "Groups")
	need(c.Transactions != nil || c.OnlyControllers, "Transactions")
	need(c.Shares != nil || c.OnlyControllers, "Shares")
	need(c.Host != nil || c.OnlyControllers, "Host")
	need(c.Settings != nil, "Settings")
	need(c.Quorum != nil, "Quorum")
	need(c.LogDirs != nil || c.OnlyControllers, "LogDirs")
	need(c.Producers != nil || c.OnlyControllers, "Producers")
	return errors.Join(errs...)
}

// Supported reports whether a request is answered; the line asks it before it reads on.
func (s *Server) Supported(key, version int16) bool {
	a := s.apis[key]
	return a != nil && a.accepts(version)
}

// Serve runs the ordered part of a request. A request that is not in the table, or
// that does not follow its schema, is not answered: its connection ends.
func (s *Server) Serve(c *wire.Conn, r *wire.Request) wire.Pending {
	a := s.apis[r.Key]
	switch {
	case a == nil:
		return refuse(fmt.Errorf("request has unknown key %d", r.Key))
	case !a.on(s.scope(c.Listener())):
		return refuse(fmt.Errorf("%s is not for listener %s", a.Name(), c.Listener()))
	case !a.accepts(r.Version) && r.Key == keyApiVersions:
		return r.Ready(unknownApiVersions())
	case !a.accepts(r.Version):
		return refuse(fmt.Errorf("%s has no version %d here", a.Name(), r.Version))
	case a.serve != nil:
		return a.serve(s, c, r)
	}
	return s.decode(a, c, r)
}

// scope is the kind of a listener.
func (s *Server) scope(listener string) Scope {
	if slices.Contains(s.cfg.ControllerListeners, listener) {
		return OnControllers
	}
	return OnBrokers
}

// refuse ends the connection when the answer's turn comes.
func refuse(err error) wire.Pending {
	return func(context.Context) (wire.Reply, error) { return nil, err }
}
