package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Local answers a request that this broker asks itself, as one that leads a coordinator
// asks the leader of a partition: the same handler, without a line. It sets the newest
// version.
// It returns kerr.UnsupportedVersion for what is not in the table, or is not answered
// without a connection.
func (s *Server) Local(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	a := s.apis[req.Key()]
	if a == nil || a.handle == nil || !a.on(OnBrokers) {
		return nil, fmt.Errorf("%s of this broker itself: %w", kmsg.NameForKey(req.Key()), kerr.UnsupportedVersion)
	}
	version := min(a.Max, req.MaxVersion())
	req.SetVersion(version)
	return s.respond(ctx, a, &Request{Version: version}, req)
}
