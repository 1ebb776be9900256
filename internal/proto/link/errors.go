package link

import (
	"encoding/binary"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/odradek/odradek/internal/proto/model"
)

// ErrDown is matched by the failure of a call that has not been sent: it cannot have had
// an effect. ErrLost is matched by that of a call whose line has ended: it may have.
var (
	ErrDown = errors.New("there is no line to the node")
	ErrLost = errors.New("the line was lost before the answer")
)

// refusal is the other side's word that this node is not welcome.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// encodeError writes an error for the other side: its code of package kerr, 0 if it is
// not meant for clients, and its text, if it has one beside the code.
//
//	2  code
//	…  text, to the end
func encodeError(err error) []byte {
	code, text := int16(0), err.Error()
	if ke, ok := errors.AsType[*kerr.Error](err); ok {
		code, text = ke.Code, ""
		if msg := model.ErrorMessage(err); msg != nil {
			text = *msg
		}
	}
	if len(text) > maxHello {
		text = text[:maxHello]
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), text...)
}

func decodeError(b []byte) error {
	if len(b) < 2 {
		return errors.New("the node says no reason")
	}
	code, text := int16(binary.BigEndian.Uint16(b)), string(b[2:])
	if code == 0 {
		return errors.New(text)
	}
	err, ok := kerr.ErrorForCode(code).(*kerr.Error)
	switch {
	case !ok:
		return errors.New(text)
	case text == "":
		return err
	}
	return model.Explain(err, text)
}
