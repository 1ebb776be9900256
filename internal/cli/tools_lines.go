package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lineReader makes records of lines, as Kafka's console producer does:
// [headers DELIMITER] [key SEPARATOR] value.
type lineReader struct {
	parseKey, parseHeaders, ignoreError              bool
	keySeparator, headersDelimiter, headersSeparator string
	headerKeySeparator                               string
	split                                            *regexp.Regexp
	null                                             *string
}

func newLineReader(a *App, o *toolOptions) (*lineReader, error) {
	if class, err := o.value("line-reader"); err != nil {
		return nil, err
	} else if class != "" && !strings.HasSuffix(class, "LineMessageReader") {
		return nil, toolFailure{fmt.Errorf("--line-reader %s is a Java class and cannot be loaded here", class)}
	}
	file, err := o.value("reader-config")
	if err != nil {
		return nil, err
	}
	props, err := a.toolProperties(file, o.all("reader-property"))
	if err != nil {
		return nil, err
	}
	text := func(key, def string) string {
		if v, ok := props[key]; ok {
			return v
		}
		return def
	}
	r := &lineReader{
		parseKey: isTrue(props["parse.key"]), parseHeaders: isTrue(props["parse.headers"]), ignoreError: isTrue(props["ignore.error"]),
		keySeparator: text("key.separator", "\t"), headersDelimiter: text("headers.delimiter", "\t"),
		headersSeparator: text("headers.separator", ","), headerKeySeparator: text("headers.key.separator", ":"),
	}
	if v, ok := props["null.marker"]; ok {
		r.null = &v
	}
	if r.split, err = regexp.Compile(r.headersSeparator); err != nil {
		return nil, toolFailure{err}
	}
	return r, r.check()
}

// check refuses separators that cannot be told apart.
func (r *lineReader) check() error {
	names := map[string]string{}
	for _, s := range []struct{ name, value string }{
		{"headers.delimiter", r.headersDelimiter}, {"headers.separator", r.headersSeparator}, {"headers.key.separator", r.headerKeySeparator},
	} {
		if other, ok := names[s.value]; ok {
			return toolFailure{fmt.Errorf("%s and %s may not be equal", other, s.name)}
		}
		names[s.value] = s.name
		if r.isNull(s.value) {
			return toolFailure{fmt.Errorf("null.marker and %s may not be equal", s.name)}
		}
	}
	if r.isNull(r.keySeparator) {
		return toolFailure{errors.New("null.marker and key.separator may not be equal")}
	}
	return nil
}

func (r *lineReader) isNull(text string) bool { return r.null != nil && text == *r.null }

// bytes is text as a key or value: nil if it is the null marker.
func (r *lineReader) bytes(text string) []byte {
	if r.isNull(text) {
		return nil
	}
	return []byte(text)
}

func (r *lineReader) record(topic, line string, number int) (*kgo.Record, error) {
	rec := &kgo.Record{Topic: topic}
	rest := line
	if r.parseHeaders {
		headers, after, found, err := r.cut(rest, line, r.headersDelimiter, "headers delimiter", number)
		if err != nil {
			return nil, err
		}
		if found && !r.isNull(headers) {
			if rec.Headers, err = r.headers(headers, number); err != nil {
				return nil, err
			}
		}
		rest = after
	}
	if r.parseKey {
		key, after, found, err := r.cut(rest, line, r.keySeparator, "key separator", number)
		if err != nil {
			return nil, err
		}
		if found {
			rec.Key = r.bytes(key)
		}
		rest = after
	}
	rec.Value = r.bytes(rest)
	return rec, nil
}

// cut parts text at sep. A line without one is an error, or taken as it is where
// ignore.error says so.
func (r *lineReader) cut(text, line, sep, name string, number int) (before, after string, found bool, err error) {
	before, after, found = strings.Cut(text, sep)
	switch {
	case found:
		return before, after, true, nil
	case r.ignoreError:
		return "", text, false, nil
	}
	return "", "", false, fmt.Errorf("No %s found on line number %d: '%s'", name, number, line)
}

func (r *lineReader) headers(text string, number int) ([]kgo.RecordHeader, error) {
	var out []kgo.RecordHeader
	for _, pair := range r.split.Split(text, -1) {
		key, value, ok := strings.Cut(pair, r.headerKeySeparator)
		switch {
		case !ok && r.ignoreError:
			out = append(out, kgo.RecordHeader{Key: pair})
			continue
		case !ok:
			return nil, fmt.Errorf("No header key separator found in pair '%s' on line number %d", pair, number)
		case r.isNull(key):
			return nil, fmt.Errorf("Header keys should not be equal to the null marker '%s' as they can't be null", *r.null)
		}
		out = append(out, kgo.RecordHeader{Key: key, Value: r.bytes(value)})
	}
	return out, nil
}
