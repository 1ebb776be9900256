package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Parse turns text into the key's Go value as Kafka would, and checks it against the
// key's range. The error names the key, the value and the range.
func (d *Def) Parse(text string) (any, error) {
	v, ok := d.parse(strings.TrimSpace(text))
	if !ok {
		return nil, d.invalid(text, "is not "+d.article())
	}
	if l, isList := v.([]string); isList {
		if slices.Contains(l, "") {
			return nil, d.invalid(text, "has an empty entry")
		}
		if dup := duplicate(l); dup != "" {
			return nil, d.invalid(text, "names "+dup+" twice")
		}
	}
	if d.check != nil && !d.check(v) {
		return nil, d.invalid(text, "is out of range")
	}
	return v, nil
}

// parse knows only types. The Go type it returns is that of the Key the Def came with.
func (d *Def) parse(s string) (any, bool) {
	switch d.Type {
	case TypeBoolean:
		return strings.EqualFold(s, "true"), strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
	case TypeInt:
		n, err := strconv.ParseInt(s, 10, 32)
		return int(n), err == nil
	case TypeShort:
		n, err := strconv.ParseInt(s, 10, 16)
		return int(n), err == nil
	case TypeLong:
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	case TypeDouble:
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil && !math.IsNaN(f) && !strings.Contains(s, "_")
	case TypeList:
		return splitList(s), true
	case TypePassword:
		return Secret(s), true
	case TypeString, TypeClass:
		return s, true
	}
	panic("bug: config key " + d.Name + " has no type")
}

// splitList cuts at commas and trims; the empty text is the empty list.
func splitList(s string) []string {
	if s == "" {
		return []string{}
	}
	l := strings.Split(s, ",")
	for i := range l {
		l[i] = strings.TrimSpace(l[i])
	}
	return l
}

func duplicate(l []string) string {
	for i, s := range l {
		if slices.Contains(l[:i], s) {
			return s
		}
	}
	return ""
}

func (d *Def) article() string {
	switch d.Type {
	case TypeBoolean:
		return "true or false"
	case TypeInt:
		return "an int (32 bits)"
	case TypeShort:
		return "a short (16 bits)"
	case TypeLong:
		return "a long (64 bits)"
	}
	return "a " + d.Type.String()
}

// An InvalidError is a value that its key cannot have.
type InvalidError struct {
	Key    *Def
	Value  string // empty for sensitive keys
	Reason string
}

func (e *InvalidError) Error() string {
	want := ""
	if e.Key.Range != "" {
		want = " (" + e.Key.Range + ")"
	}
	return fmt.Sprintf("%s=%s %s%s", e.Key.Name, e.Value, e.Reason, want)
}

func (d *Def) invalid(text, reason string) error {
	if d.Sensitive() {
		text = "[hidden]"
	}
	return &InvalidError{Key: d, Value: text, Reason: reason}
}

// Format is the opposite of Parse: a value in the text form that Kafka shows.
func (d *Def) Format(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return formatDouble(v)
	case []string:
		return strings.Join(v, ",")
	case Secret:
		return v.String()
	case string:
		return v
	}
	panic(fmt.Sprintf("bug: %s holds a %T", d.Name, v))
}

// formatDouble writes f as Java's Double.toString does: at least one digit after the
// point, and an exponent only outside [1e-3, 1e7).
func formatDouble(f float64) string {
	if a := math.Abs(f); f == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mant, exp, ok := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !ok { // infinities
		return mant
	}
	if !strings.Contains(mant, ".") {
		mant += ".0"
	}
	n, _ := strconv.Atoi(exp)
	return mant + "E" + strconv.Itoa(n)
}
