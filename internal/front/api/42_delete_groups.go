package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteGroups, key 42, versions 0 to 2 (KIP-229; 2: flexible). A group that is named
// twice is answered once.
func (s *Server) deleteGroups(ctx context.Context, r *Request, req *kmsg.DeleteGroupsRequest) (kmsg.Response, error) {
	count := counts(req.Groups, func(g string) string { return g })
	req.Groups = slices.DeleteFunc(req.Groups, func(g string) bool {
		again := count[g] == 0
		count[g] = 0
		return again
	})
	return s.cfg.Groups.DeleteGroups(ctx, r.caller(), req), nil
}
