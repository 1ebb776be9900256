package api

import (
	"context"

	"github.com/odradek/odradek/internal/proto/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions, key 18, versions 0 to 4.
//
//	1  throttle time
//	3  flexible; name and version of the client's software (KIP-511); features (KIP-584)
//	4  features whose least level is 0 (KAFKA-17011)
//
// Its answer has the first response header at every version, so that a client can read
// it before it knows what the server speaks.
const keyApiVersions = 18

func (s *Server) apiVersions(_ context.Context, r *Request, req *kmsg.ApiVersionsRequest) (kmsg.Response, error) {
	resp := kmsg.NewPtrApiVersionsResponse()
	if r.Version >= 3 {
		if !softwareWord(req.ClientSoftwareName) || !softwareWord(req.ClientSoftwareVersion) {
			resp.ErrorCode = kerr.InvalidRequest.Code
			return resp, nil
		}
		r.Conn.SetClient(wire.ClientSoftware{Name: req.ClientSoftwareName, Version: req.ClientSoftwareVersion})
	}
	resp.ApiKeys = s.versions[s.scope(r.Listener)]
	for _, f := range s.cfg.Features {
		// Clients that speak versions below 4 cannot read a least level of 0.
		if f.Min > 0 || r.Version >= 4 {
			resp.SupportedFeatures = append(resp.SupportedFeatures,
				kmsg.ApiVersionsResponseSupportedFeature{Name: f.Name, MinVersion: f.Min, MaxVersion: f.Max})
		}
	}
	resp.FinalizedFeaturesEpoch = r.Image.Offset
	for name, level := range r.Image.Features() {
		resp.FinalizedFeatures = append(resp.FinalizedFeatures,
			kmsg.ApiVersionsResponseFinalizedFeature{Name: name, MinVersionLevel: level, MaxVersionLevel: level})
	}
	return resp, nil
}

// unknownApiVersions answers a client that is newer than this server, without reading
// its message: the oldest answer, and in it what versions of this request it may use
// (KIP-511).
func unknownApiVersions() wire.Reply {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	for _, a := range Table() {
		if a.Key == keyApiVersions {
			resp.ApiKeys = append(resp.ApiKeys, versionRow(&a))
		}
	}
	return wire.Message(resp)
}

func versionRow(a *API) kmsg.ApiVersionsResponseApiKey {
	return kmsg.ApiVersionsResponseApiKey{ApiKey: a.Key, MinVersion: a.Min, MaxVersion: a.Max}
}

// softwareWord reports whether w is a name or version as KIP-511 wants it: letters and
// digits, with '-' and '.' inside.
func softwareWord(w string) bool {
	for i := range len(w) {
		c := w[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		inside := i > 0 && i < len(w)-1
		if !alnum && !(inside && (c == '-' || c == '.')) {
			return false
		}
	}
	return w != ""
}
