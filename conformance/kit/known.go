package main

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// known are the differences that have an explanation, from differences.yaml.
type known struct {
	Differences []*entry `yaml:"differences"`
}

// entry explains differences: those whose place matches one of its patterns. A pattern
// is the place of a difference with * for any run of characters within a part between
// slashes.
type entry struct {
	Title  string   `yaml:"title"`
	Why    string   `yaml:"why"`
	Places []string `yaml:"places"`
	seen   map[string]bool
}

// difference is one answer that is not the same on both peers.
type difference struct {
	place          string // observed/CLIENT/SCENARIO/KEY or raw/REQUEST/FIELD
	versions       string // of the request, if it is a raw one
	kafka, odradek string
	why            string
}

func (d difference) String() string {
	return fmt.Sprintf("%s %s\n    kafka   %s\n    odradek %s", d.place, d.versions, short(d.kafka), short(d.odradek))
}

func short(s string) string {
	if len(s) > 400 {
		return s[:400] + "…"
	}
	return s
}

func loadKnown(file string) (*known, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	k := new(known)
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(k); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, e := range k.Differences {
		e.seen = make(map[string]bool)
		if e.Title == "" || e.Why == "" || len(e.Places) == 0 {
			return nil, fmt.Errorf("%s: an entry lacks its title, why or places: %q", file, e.Title)
		}
		for _, p := range e.Places {
			if _, err := path.Match(p, ""); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", file, p, err)
			}
		}
	}
	return k, nil
}

// explain finds the entry that a difference falls under.
func (k *known) explain(d *difference) {
	for _, e := range k.Differences {
		for _, p := range e.Places {
			if ok, _ := path.Match(p, d.place); ok {
				d.why, e.seen[p] = e.Title, true
				return
			}
		}
	}
}

// unused are the places that matched nothing: the difference may be gone.
func (k *known) unused() (list []string) {
	for _, e := range k.Differences {
		for _, p := range e.Places {
			if !e.seen[p] {
				list = append(list, e.Title+": "+p)
			}
		}
	}
	return list
}

// page is docs/DIFFERENCES.md.
func (k *known) page() string {
	var b strings.Builder
	b.WriteString(`# Differences from Apache Kafka

<!-- generated from conformance/differences.yaml by conformance/run --peer both --write; do not edit -->

The same clients run the same scenarios, and the same raw requests are sent, in every
version that both serve, to Odradek and to Apache Kafka 4.2.1; every answer is compared
field by field. What is not listed here is the same. A difference that is not listed
fails the build.
`)
	for _, e := range k.Differences {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\nSeen in", e.Title, strings.TrimSpace(e.Why))
		for i, p := range e.Places {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, " `%s`", p)
		}
		b.WriteString(".\n")
	}
	return b.String()
}
