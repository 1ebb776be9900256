package wire

import (
	"fmt"
	"math"
)

// CheckAnswer walks the body of an answer against its schema, in time that grows with
// len(body) alone. What passes has lengths and counts that its bytes bear out: kmsg
// would count to 2^32 where an answer says that so many tagged fields follow. Whether the
// values make sense is left to kmsg, which takes null for nothing, and the reader.
// It returns an error that matches ErrUnsupported or ErrMalformed.
func CheckAnswer(key, version int16, body []byte) error {
	s := answerOf(key)
	if s == nil || !s.Supports(version) {
		return fmt.Errorf("%w: answer to key %d version %d", ErrUnsupported, key, version)
	}
	w := walker{
		rest: body, budget: math.MaxInt, lenient: true,
		version: version, least: int(version - s.Min), flexible: s.Flexible(version),
	}
	w.structure(s.body)
	if w.err != nil {
		return fmt.Errorf("answer to %s v%d: %w", s.Name, version, w.err)
	}
	return nil
}

func answerOf(key int16) *Schema {
	if key < 0 || int(key) >= len(answers) {
		return nil
	}
	return answers[key]
}
