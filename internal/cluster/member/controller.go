package member

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/cluster/metadata"
	"github.com/odradek/odradek/internal/proto/model"
)

// DirectoryTag is the tagged field in which a node of the quorum says which metadata
// folder it has: Kafka's registration does not tell it.
const DirectoryTag = 10_000

// RegisterController makes a node of the quorum known to the cluster. A node does so
// once, when it has found the cluster.
func RegisterController(ctx context.Context, ask func(context.Context, kmsg.Request) (kmsg.Response, error), c metadata.Controller) error {
	req := kmsg.NewPtrControllerRegistrationRequest()
	req.ControllerID, req.IncarnationID = c.ID, c.Incarnation
	req.UnknownTags.Set(DirectoryTag, c.Directory[:])
	for _, e := range c.Endpoints {
		l := kmsg.NewControllerRegistrationRequestListener()
		l.Name, l.Host, l.Port, l.SecurityProtocol = e.Listener, e.Host, uint16(e.Port), e.Protocol
		req.Listeners = append(req.Listeners, l)
	}
	for _, f := range c.Features {
		v := kmsg.NewControllerRegistrationRequestFeature()
		v.Name, v.MinSupportedVersion, v.MaxSupportedVersion = f.Name, f.Min, f.Max
		req.Features = append(req.Features, v)
	}
	answer, err := ask(ctx, req)
	if err != nil {
		return err
	}
	resp := answer.(*kmsg.ControllerRegistrationResponse)
	if known, ok := kerr.ErrorForCode(resp.ErrorCode).(*kerr.Error); ok && resp.ErrorMessage != nil {
		return model.Explain(known, *resp.ErrorMessage)
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}
