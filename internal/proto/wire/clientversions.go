package wire

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// negotiate asks which versions the broker speaks. One that is too old for the question
// answers in version 0, which tells what it does understand.
func (c *Client) negotiate(ctx context.Context) error {
	for _, version := range []int16{3, 0} {
		req := kmsg.NewPtrApiVersionsRequest()
		req.SetVersion(version)
		req.ClientSoftwareName, req.ClientSoftwareVersion = c.cfg.Software.Name, c.cfg.Software.Version
		resp, err := c.askVersions(ctx, req)
		if err != nil {
			return err
		}
		if version > 0 && resp.ErrorCode == kerr.UnsupportedVersion.Code {
			continue
		}
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return err
		}
		c.learn(resp)
		return nil
	}
	panic("bug: a version of ApiVersions is left out")
}

func (c *Client) askVersions(ctx context.Context, req *kmsg.ApiVersionsRequest) (*kmsg.ApiVersionsResponse, error) {
	a, err := c.exchange(ctx, req.Key(), req.Version, req.IsFlexible(), 0, req.AppendTo)
	if err != nil {
		return nil, err
	}
	defer a.buf.Release()
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.SetVersion(req.Version)
	if len(a.body) >= 2 && int16(a.body[0])<<8|int16(a.body[1]) == kerr.UnsupportedVersion.Code {
		resp.SetVersion(0)
	}
	if err := CheckAnswer(keyAPIVersions, resp.Version, a.body); err != nil {
		return nil, err
	}
	if err := resp.ReadFrom(append([]byte(nil), a.body...)); err != nil {
		return nil, fmt.Errorf("answer to ApiVersions v%d: %w", req.Version, err)
	}
	return resp, nil
}

func (c *Client) learn(resp *kmsg.ApiVersionsResponse) {
	for i := range c.versions {
		c.versions[i] = never
	}
	for _, k := range resp.ApiKeys {
		if k.ApiKey >= 0 && k.ApiKey <= MaxKey {
			c.versions[k.ApiKey] = versions{k.MinVersion, k.MaxVersion}
			if s := answerOf(k.ApiKey); s != nil {
				c.versions[k.ApiKey].to = min(k.MaxVersion, s.Max) // what CheckAnswer knows
			}
		}
	}
}
