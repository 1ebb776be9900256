package chaos

import (
	"github.com/odradek/odradek/sim/check"
	"github.com/odradek/odradek/sim/history"
)

// Check judges all that was told, and what drains show that no history tells.
func (l *Load) Check(o check.Options) (h *history.History, wrong []string, err error) {
	if h, err = l.History(); err != nil {
		return nil, nil, err
	}
	doubt(h)
	for _, v := range check.All(h, o) {
		wrong = append(wrong, v.String())
	}
	for _, d := range l.drains {
		wrong = append(wrong, d.wrong...)
	}
	return h, wrong, nil
}
