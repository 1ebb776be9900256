package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Header is what opens every request.
//
//	v1: key int16 | version int16 | correlation id int32 | client id nullable string
//	v2: v1 | tagged fields
//
// The client id has an int16 length in both, so that the header of an ApiVersions
// request of any version can be read.
type Header struct {
	Key, Version  int16
	CorrelationID int32
	ClientID      *string
}

var errShortHeader = errors.New("request header is truncated")

// parseHeader reads the header of a frame and returns the rest of it. The client id
// is last if it has not changed since, which spares an allocation.
func parseHeader(frame []byte, last *string) (h Header, body []byte, err error) {
	if len(frame) < 8 {
		return h, nil, errShortHeader
	}
	h.Key = int16(binary.BigEndian.Uint16(frame))
	h.Version = int16(binary.BigEndian.Uint16(frame[2:]))
	h.CorrelationID = int32(binary.BigEndian.Uint32(frame[4:]))
	s, ok := Lookup(h.Key)
	if !ok {
		return h, nil, fmt.Errorf("unknown request key %d", h.Key)
	}
	if len(frame) < 10 {
		return h, nil, errShortHeader
	}
	n, rest := int(int16(binary.BigEndian.Uint16(frame[8:]))), frame[10:]
	switch {
	case n < -1:
		return h, nil, fmt.Errorf("client id has length %d", n)
	case n > len(rest):
		return h, nil, errShortHeader
	case n >= 0:
		h.ClientID = sameString(rest[:n], last)
		rest = rest[n:]
	}
	if s.Flexible(h.Version) {
		if rest, err = skipTags(rest); err != nil {
			return h, nil, fmt.Errorf("request header: %w", err)
		}
	}
	return h, rest, nil
}

func sameString(b []byte, last *string) *string {
	if last != nil && *last == string(b) {
		return last
	}
	s := string(b)
	return &s
}

// skipTags steps over tagged fields that nobody here knows.
func skipTags(b []byte) ([]byte, error) {
	w := walker{rest: b, budget: budgetFor(len(b))}
	w.tags(nil, 0)
	return w.rest, w.err
}

// appendResponseHeader writes a response header: the correlation id and, in v1, no
// tagged fields. The answer to ApiVersions always has v0, since the client cannot
// know yet what the broker speaks.
func appendResponseHeader(dst []byte, correlationID int32, flexible bool) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlationID))
	if flexible {
		dst = append(dst, 0)
	}
	return dst
}
