package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A range option sets what a key's values must satisfy and how messages say it.

func ranged(text string, ok func(v any) bool) option {
	return func(d *Def) { d.Range, d.check = text, ok }
}

func number(v any) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case float64:
		return v
	}
	panic(fmt.Sprintf("bug: a range of numbers on a %T", v))
}

func atLeast(min float64) option {
	return ranged("at least "+plain(min), func(v any) bool { return number(v) >= min })
}

func between(min, max float64) option {
	return ranged("from "+plain(min)+" to "+plain(max), func(v any) bool { return number(v) >= min && number(v) <= max })
}

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// oneOf is for strings, and for lists whose entries must all be among vals.
func oneOf(vals ...string) option {
	return ranged("one of "+strings.Join(vals, ", "), func(v any) bool {
		if l, ok := v.([]string); ok {
			return !slices.ContainsFunc(l, func(s string) bool { return !slices.Contains(vals, s) })
		}
		return slices.Contains(vals, v.(string))
	})
}

func oneOfAnyCase(vals ...string) option {
	return ranged("one of "+strings.Join(vals, ", ")+", in any case", func(v any) bool {
		return slices.ContainsFunc(vals, func(s string) bool { return strings.EqualFold(s, v.(string)) })
	})
}

// notEmpty is for strings and lists.
func notEmpty(d *Def) {
	was, text := d.check, "not empty"
	if d.Range != "" {
		text = d.Range + "; not empty"
	}
	ranged(text, func(v any) bool {
		if l, ok := v.([]string); ok && len(l) == 0 || v == "" {
			return false
		}
		return was == nil || was(v)
	})(d)
}

func gzipLevel(d *Def) {
	ranged("from 1 to 9, or -1", func(v any) bool { n := v.(int); return n == -1 || n >= 1 && n <= 9 })(d)
}

// throttledReplicas accepts *, nothing, or PARTITION:BROKER pairs.
func throttledReplicas(d *Def) {
	ranged("*, or pairs PARTITION:BROKER", func(v any) bool {
		l := v.([]string)
		if len(l) == 1 && l[0] == "*" {
			return true
		}
		return !slices.ContainsFunc(l, func(s string) bool {
			p, b, ok := strings.Cut(s, ":")
			return !ok || !isID(p) || !isID(b)
		})
	})(d)
}

func isID(s string) bool {
	n, err := strconv.ParseInt(s, 10, 32)
	return err == nil && n >= 0
}

// quorumVoters accepts ID@HOST:PORT entries.
func quorumVoters(d *Def) {
	ranged("entries ID@HOST:PORT", func(v any) bool {
		_, err := ParseVoters(v.([]string))
		return err == nil
	})(d)
}

// hostPorts accepts HOST:PORT entries.
func hostPorts(d *Def) {
	ranged("entries HOST:PORT", func(v any) bool {
		return !slices.ContainsFunc(v.([]string), func(s string) bool {
			_, _, err := splitHostPort(s)
			return err != nil
		})
	})(d)
}

// shareOffsetReset accepts latest, earliest and by_duration:ISO8601.
func shareOffsetReset(d *Def) {
	ranged("latest, earliest, or by_duration: and an ISO 8601 duration such as P1DT2H", func(v any) bool {
		s := v.(string)
		iso, ok := strings.CutPrefix(s, "by_duration:")
		return s == "latest" || s == "earliest" || ok && isoDuration.MatchString(iso) && strings.ContainsAny(iso, "0123456789") && !strings.HasSuffix(iso, "T")
	})(d)
}

var isoDuration = regexp.MustCompile(`^P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d{1,9})?S)?)?$`)

// deadLetterTopic accepts no name of an internal topic.
func deadLetterTopic(d *Def) {
	ranged("a topic whose name does not begin with __, or empty", func(v any) bool { return !strings.HasPrefix(v.(string), "__") })(d)
}

func hostPortOrEmpty(d *Def) {
	ranged("HOST:PORT or empty", func(v any) bool {
		if v == "" {
			return true
		}
		_, _, err := splitHostPort(v.(string))
		return err == nil
	})(d)
}

// clusterID accepts what Kafka accepts: any text without blanks, in practice 22
// characters of base64.
func clusterID(d *Def) {
	ranged("letters, digits, - and _", func(v any) bool { return clusterIDs.MatchString(v.(string)) })(d)
}

var clusterIDs = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// clientMatch accepts KEY=PATTERN entries (KIP-714).
func clientMatch(d *Def) {
	ranged("entries KEY=PATTERN; KEY is client_instance_id, client_id, client_software_name, client_software_version, client_source_address or client_source_port", func(v any) bool {
		return !slices.ContainsFunc(v.([]string), func(s string) bool {
			k, p, ok := strings.Cut(s, "=")
			_, err := regexp.Compile(strings.TrimSpace(p))
			return !ok || err != nil || p == "" || strings.Contains(p, "=") || !slices.Contains(matchKeys, strings.TrimSpace(k))
		})
	})(d)
}

var matchKeys = []string{"client_instance_id", "client_id", "client_software_name", "client_software_version", "client_source_address", "client_source_port"}
