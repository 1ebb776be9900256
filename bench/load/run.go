package load

import (
	"context"
	"fmt"
)

// Run does the load of s. What goes wrong is in the result's Errors.
func Run(ctx context.Context, s Spec, hooks Hooks) Result {
	s = s.withDefaults()
	r := Result{Load: s.Load, Spec: s, Errors: []string{}}
	if err := s.check(); err != nil {
		r.Errors = append(r.Errors, err.Error())
		return r
	}
	r.Errors = append(r.Errors, fmt.Sprintf("%s is not built yet", s.Kind))
	return r
}
