package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SaslHandshake, key 17, versions 0 and 1 (1: tokens travel in SaslAuthenticate).
//
// Only a listener that does not ask for SASL hands it on to here, where it comes at
// the wrong time: Kafka says so and keeps the connection.
func (s *Server) saslHandshake(context.Context, *Request, *kmsg.SASLHandshakeRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrSASLHandshakeResponse()
	resp.ErrorCode = kerr.IllegalSaslState.Code
	return resp, nil
}
