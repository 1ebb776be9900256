package cli

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// layout is how a record is written as text, or read from it: fields and what stands
// between them. Its words, %k and so on, are those of help texts: formatHelp.
type layout []layoutPart

type layoutPart struct {
	field   byte   // 'k' and so on; 0 for text
	literal string // of text
}

const formatHelp = `Formats: %k key, %v value, %h headers (name=value,…), %T timestamp, %t topic,
%p partition, %o offset, %% a percent sign; \n, \t, \0 and \xHH as in C.`

// parseLayout reads a format with the given fields.
func parseLayout(format, fields string) (layout, error) {
	var l layout
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			l = append(l, layoutPart{literal: text.String()})
			text.Reset()
		}
	}
	unescaped, err := unescape(format)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(unescaped); i++ {
		if unescaped[i] != '%' {
			text.WriteByte(unescaped[i])
			continue
		}
		i++
		switch {
		case i == len(unescaped):
			return nil, usagef("format %q ends in the middle of a field", format)
		case unescaped[i] == '%':
			text.WriteByte('%')
		case strings.IndexByte(fields, unescaped[i]) >= 0:
			flush()
			l = append(l, layoutPart{field: unescaped[i]})
		default:
			return nil, usagef("format %q: there is no field %%%c; there are %s", format, unescaped[i], "%"+strings.Join(strings.Split(fields, ""), " %"))
		}
	}
	flush()
	return l, nil
}

// unescape reads \n, \t, \r, \0, \\ and \xHH.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", usagef("%q ends in the middle of an escape", s)
		}
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case '0':
			b.WriteByte(0)
		case '\\':
			b.WriteByte('\\')
		case 'x':
			n, err := strconv.ParseUint(s[min(i+1, len(s)):min(i+3, len(s))], 16, 8)
			if err != nil {
				return "", usagef("%q: \\x wants two hexadecimal digits", s)
			}
			b.WriteByte(byte(n))
			i += 2
		default:
			return "", usagef("%q: there is no escape \\%c", s, s[i])
		}
	}
	return b.String(), nil
}

// timeLayout is how timestamps are written: with milliseconds, which is all they have.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// write appends a record as text. null stands for keys and values that are null.
func (l layout) write(dst []byte, r *kgo.Record, null string) []byte {
	for _, p := range l {
		switch p.field {
		case 0:
			dst = append(dst, p.literal...)
		case 'k':
			dst = appendOrNull(dst, r.Key, null)
		case 'v':
			dst = appendOrNull(dst, r.Value, null)
		case 'h':
			for i, h := range r.Headers {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = append(append(dst, h.Key...), '=')
				dst = appendOrNull(dst, h.Value, null)
			}
		case 'T':
			dst = r.Timestamp.UTC().AppendFormat(dst, timeLayout)
		case 't':
			dst = append(dst, r.Topic...)
		case 'p':
			dst = strconv.AppendInt(dst, int64(r.Partition), 10)
		case 'o':
			dst = strconv.AppendInt(dst, r.Offset, 10)
		}
	}
	return dst
}

func appendOrNull(dst, b []byte, null string) []byte {
	if b == nil {
		return append(dst, null...)
	}
	return append(dst, b...)
}

// parse reads a record from text. A field goes on until what stands behind it in the
// layout; the last one takes the rest.
func (l layout) parse(line []byte, r *kgo.Record) error {
	rest := line
	for i, p := range l {
		if p.field == 0 {
			if !bytes.HasPrefix(rest, []byte(p.literal)) {
				return fmt.Errorf("want %q before %q", p.literal, clip(rest))
			}
			rest = rest[len(p.literal):]
			continue
		}
		value := rest
		if i+1 < len(l) {
			end := bytes.Index(rest, []byte(l[i+1].literal))
			if end < 0 {
				return fmt.Errorf("want %q after %%%c in %q", l[i+1].literal, p.field, clip(rest))
			}
			value = rest[:end]
		}
		rest = rest[len(value):]
		if err := setField(r, p.field, value); err != nil {
			return err
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("%q is left over", clip(rest))
	}
	return nil
}

func setField(r *kgo.Record, field byte, value []byte) error {
	switch field {
	case 'k':
		r.Key = bytes.Clone(value)
	case 'v':
		r.Value = bytes.Clone(value)
	case 'h':
		for h := range strings.SplitSeq(string(value), ",") {
			if h == "" {
				continue
			}
			if err := addHeader(r, h); err != nil {
				return err
			}
		}
	case 'p':
		n, err := strconv.ParseInt(string(value), 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a partition", clip(value))
		}
		r.Partition = int32(n)
	case 'T':
		ms, err := parseTime(string(value), time.Now())
		if err != nil {
			return err
		}
		r.Timestamp = time.UnixMilli(ms)
	}
	return nil
}

func addHeader(r *kgo.Record, text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("header %q: want NAME=VALUE", text)
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	return nil
}

func clip(b []byte) string {
	if len(b) > 60 {
		return string(b[:60]) + "…"
	}
	return string(b)
}
