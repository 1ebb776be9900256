package config

import (
	"fmt"
	"strings"
)

// ImpliedListeners says what listeners must mean when nobody set them but something
// that implies them: host.name, port, advertised.host.name and advertised.port, which
// Kafka removed and many compose files still have; or advertised.listeners alone, and
// then the node listens on the same ports on every interface, because who advertises an
// address wants to be reached. It returns settings to merge with those in s and a line
// about each.
func (s Static) ImpliedListeners() ([]Setting, Report) {
	var rep Report
	out := s.legacyListeners()
	if len(out) == 0 {
		out = s.advertisedAlone()
	}
	for _, set := range out {
		rep.infof(set.Name, set.Origin, "read as %s=%s", set.Name, set.Value)
	}
	return out, rep
}

func (s Static) legacyListeners() []Setting {
	var origin Origin
	get := func(key, or string) string {
		set, ok := s.Lookup(key)
		if !ok || strings.TrimSpace(set.Value) == "" {
			return or
		}
		if origin.Where == "" || set.Origin.Layer > origin.Layer {
			origin = set.Origin
		}
		return strings.TrimSpace(set.Value)
	}
	host := get("host.name", "")
	port := get("port", "9092")
	advHost := get("advertised.host.name", host)
	advPort := get("advertised.port", port)
	if origin.Where == "" || s.setAt("listeners", origin.Layer) {
		return nil
	}
	out := []Setting{{Name: "listeners", Value: fmt.Sprintf("PLAINTEXT://%s:%s", host, port), Origin: origin}}
	if (advHost != host || advPort != port) && !s.setAt("advertised.listeners", origin.Layer) {
		out = append(out, Setting{Name: "advertised.listeners", Value: fmt.Sprintf("PLAINTEXT://%s:%s", advHost, advPort), Origin: origin})
	}
	return out
}

// setAt reports whether name was set in layer l or a stronger one.
func (s Static) setAt(name string, l Layer) bool {
	set, ok := s.Lookup(name)
	return ok && set.Origin.Layer >= l
}

func (s Static) advertisedAlone() []Setting {
	adv, ok := s.Lookup("advertised.listeners")
	if _, both := s.Lookup("listeners"); !ok || both {
		return nil
	}
	var l []string
	for _, a := range splitList(strings.TrimSpace(adv.Value)) {
		m := endpointPattern.FindStringSubmatch(a)
		if m == nil {
			return nil // advertised.listeners itself will be found wrong
		}
		l = append(l, m[1]+"://:"+m[3])
	}
	return []Setting{{Name: "listeners", Value: strings.Join(l, ","), Origin: adv.Origin}}
}

// Extend returns s with more settings, as if they had been merged from the start.
func (s Static) Extend(more []Setting) Static {
	var all []Setting
	for _, n := range s.Names() {
		chain := s.Chain(n)
		for i := len(chain) - 1; i >= 0; i-- {
			all = append(all, chain[i])
		}
	}
	return Merge(all, more)
}
