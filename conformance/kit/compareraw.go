package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/odradek/odradek/conformance/kit/raw"
)

// compareRaw compares the answers to the same raw requests. Versions that differ in the
// same field in the same way are one difference.
func compareRaw(kafka, odradek []raw.Answer) (ds []difference) {
	ofOdradek := make(map[string][]raw.Fields)
	for _, a := range odradek {
		ofOdradek[a.Place] = append(ofOdradek[a.Place], a.Fields)
	}
	versions := make(map[string][]string)
	var places []string
	seen := make(map[string]difference)
	note := func(place, field, a, b string) {
		base, version := cutVersion(place)
		key := fmt.Sprintf("%s\x00%s\x00%s\x00%s", base, field, a, b)
		if _, ok := seen[key]; !ok {
			places = append(places, key)
			seen[key] = difference{place: "raw/" + base + "/" + field, kafka: a, odradek: b}
		}
		versions[key] = append(versions[key], version)
	}
	for _, a := range kafka {
		list := ofOdradek[a.Place]
		if len(list) == 0 {
			note(a.Place, "answer", "answered", "not served")
			continue
		}
		ofOdradek[a.Place] = list[1:]
		compareFields(a.Fields, list[0], func(field, x, y string) { note(a.Place, field, x, y) })
	}
	for _, key := range places {
		d := seen[key]
		vs := slices.Compact(versions[key])
		d.versions = vs[0]
		if len(vs) > 1 {
			d.versions += "–" + vs[len(vs)-1]
		}
		ds = append(ds, d)
	}
	return ds
}

func compareFields(a, b raw.Fields, note func(field, x, y string)) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, field := range slices.Sorted(maps.Keys(all)) {
		x, inA := a[field]
		y, inB := b[field]
		if !inA {
			x = "absent"
		}
		if !inB {
			y = "absent"
		}
		if x != y {
			note(strings.ReplaceAll(strings.TrimPrefix(field, "."), "/", "_"), x, y)
		}
	}
}

func cutVersion(place string) (base, version string) {
	i := strings.LastIndexByte(place, '/')
	return place[:i], place[i+1:]
}
