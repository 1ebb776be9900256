package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/odradek/odradek/internal/coord/runtime"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is a member of a classic group, static if it has an instance id (KIP-345).
type member struct {
	id         string
	instanceID *string
	clientID   string
	clientHost string
	rebalance  time.Duration
	session    time.Duration
	protocols  []kmsg.JoinGroupRequestProtocol
	assignment []byte

	isNew   bool // has never been in a generation
	joining *runtime.Deferred[joined]
	syncing *runtime.Deferred[synced]
}

func (m *member) vote(g *group) string {
	for _, p := range m.protocols {
		if g.supported[p.Name] == len(g.members) {
			return p.Name
		}
	}
	return "" // no protocol is common to all, which joins are checked against
}

func (m *member) names() map[string]bool {
	names := make(map[string]bool, len(m.protocols))
	for _, p := range m.protocols {
		names[p.Name] = true
	}
	return names
}

func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// matches reports whether a member that joins again brings what it brought before.
func (m *member) matches(protocols []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b kmsg.JoinGroupRequestProtocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}
