package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// message is one definition, as much of it as concerns the bytes.
type message struct {
	Key              int16    `json:"apiKey"`
	Name             string   `json:"name"`
	ValidVersions    string   `json:"validVersions"`
	FlexibleVersions string   `json:"flexibleVersions"`
	Unstable         bool     `json:"latestVersionUnstable"`
	Fields           []*field `json:"fields"`
	CommonStructs    []*field `json:"commonStructs"`

	valid, flexible versions
}

type field struct {
	Name             string   `json:"name"`
	Type             string   `json:"type"`
	Versions         string   `json:"versions"`
	NullableVersions string   `json:"nullableVersions"`
	TaggedVersions   string   `json:"taggedVersions"`
	FlexibleVersions string   `json:"flexibleVersions"`
	Tag              *int     `json:"tag"`
	Fields           []*field `json:"fields"`

	present, nullable, tagged versions
	sub                       []*field
}

// versions is a closed range; empty if to < from.
type versions struct{ from, to int }

func (v versions) empty() bool    { return v.to < v.from }
func (v versions) has(n int) bool { return v.from <= n && n <= v.to }
func (m *message) short() string {
	return strings.TrimSuffix(strings.TrimSuffix(m.Name, "Request"), "Response")
}
func (f *field) isArray() bool      { return strings.HasPrefix(f.Type, "[]") }
func (f *field) elemType() string   { return strings.TrimPrefix(f.Type, "[]") }
func isStructure(typ string) bool   { return kindOf(typ) == "kindStructure" }
func (f *field) isFlexString() bool { return f.FlexibleVersions == "" }

func parseVersions(s string) (versions, error) {
	if s == "" || s == "none" {
		return versions{1, 0}, nil
	}
	from, to, ranged := strings.Cut(s, "-")
	if open, ok := strings.CutSuffix(s, "+"); ok {
		n, err := strconv.Atoi(open)
		return versions{n, math.MaxInt16}, err
	}
	a, err := strconv.Atoi(from)
	if err != nil || !ranged {
		return versions{a, a}, err
	}
	b, err := strconv.Atoi(to)
	return versions{a, b}, err
}

// resolve parses the ranges, narrows them to the valid versions and finds the
// structures that fields name.
func (m *message) resolve() (err error) {
	if m.valid, err = parseVersions(m.ValidVersions); err != nil {
		return err
	}
	if m.flexible, err = parseVersions(m.FlexibleVersions); err != nil {
		return err
	}
	if m.flexible.empty() {
		m.flexible.from = math.MaxInt16
	}
	common := map[string][]*field{}
	for _, c := range m.CommonStructs {
		common[c.Name] = c.Fields
	}
	return m.resolveFields(m.Fields, common)
}

func (m *message) resolveFields(fields []*field, common map[string][]*field) error {
	for _, f := range fields {
		if err := m.resolveField(f, common); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	return nil
}

func (m *message) resolveField(f *field, common map[string][]*field) (err error) {
	for _, r := range []struct {
		text string
		to   *versions
	}{{f.Versions, &f.present}, {f.NullableVersions, &f.nullable}, {f.TaggedVersions, &f.tagged}} {
		if *r.to, err = parseVersions(r.text); err != nil {
			return err
		}
		if r.to.to > m.valid.to && !r.to.empty() {
			r.to.to = m.valid.to
		}
	}
	if !f.isFlexString() {
		return fmt.Errorf("flexibleVersions of a field is not known here")
	}
	if (f.Tag != nil) != (f.TaggedVersions != "") {
		return fmt.Errorf("tag without taggedVersions, or the other way round")
	}
	if !isStructure(f.elemType()) {
		return nil
	}
	f.sub = f.Fields
	if f.sub == nil {
		f.sub = common[f.elemType()]
	}
	if f.sub == nil {
		return fmt.Errorf("no structure %q", f.elemType())
	}
	return m.resolveFields(f.sub, common)
}
