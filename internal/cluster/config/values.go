package config

import (
	"fmt"
	"maps"
	"slices"
)

// build parses text into the values of scope s. Names that s does not know stay text.
// All that is wrong is returned, one error each, in name order; the values in error are
// as if nobody had set them.
func build(s Scope, text map[string]string) (Values, []error) {
	r := registry[s]
	v := Values{scope: s, vals: make([]any, len(r.defs)), set: make(map[string]bool, len(text)), text: maps.Clone(text)}
	for i, d := range r.defs {
		v.vals[i] = d.parsed
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(text)) {
		d := r.byName[name]
		if d == nil {
			continue
		}
		x, err := d.Parse(text[name])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		v.vals[d.index], v.set[name] = x, true
	}
	return v, errs
}

// A Problem is something about the settings that a person should know.
type Problem struct {
	Name   string // the key, if it is about one
	Origin Origin // where it was set, if it was
	Text   string
}

func (p Problem) String() string {
	if p.Origin.Where == "" {
		return p.Text
	}
	return p.Origin.Where + ": " + p.Text
}

func (p Problem) Error() string { return p.String() }

// A Report is everything that there is to say about some settings: not the first
// thing, all of them. With Errors, the node must not start.
type Report struct {
	Errors, Warnings, Infos []Problem
}

func (r *Report) errorf(name string, o Origin, format string, args ...any) {
	r.Errors = append(r.Errors, Problem{name, o, fmt.Sprintf(format, args...)})
}

func (r *Report) warnf(name string, o Origin, format string, args ...any) {
	r.Warnings = append(r.Warnings, Problem{name, o, fmt.Sprintf(format, args...)})
}

func (r *Report) infof(name string, o Origin, format string, args ...any) {
	r.Infos = append(r.Infos, Problem{name, o, fmt.Sprintf(format, args...)})
}

// Add appends what other has to say.
func (r *Report) Add(other Report) {
	r.Errors = append(r.Errors, other.Errors...)
	r.Warnings = append(r.Warnings, other.Warnings...)
	r.Infos = append(r.Infos, other.Infos...)
}

// Err returns all Errors as one error, a line each, or nil.
func (r *Report) Err() error {
	if len(r.Errors) == 0 {
		return nil
	}
	return &InvalidSettings{r.Errors}
}

// InvalidSettings are settings with which a node cannot start.
type InvalidSettings struct{ Problems []Problem }

func (e *InvalidSettings) Error() string {
	s := "invalid configuration"
	for _, p := range e.Problems {
		s += "\n  " + p.String()
	}
	return s
}
