package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseProperties reads a Java .properties file: comments, continued lines, escapes. A
// key that comes twice is returned twice; Merge lets the later one win. Java reads such
// files as Latin-1; here they are UTF-8, and Latin-1 only if they are not valid UTF-8.
// file is the name that origins and errors show.
func ParseProperties(file string, data []byte) ([]Setting, error) {
	text := string(data)
	if !utf8.ValidString(text) {
		text = latin1(data)
	}
	text = strings.TrimPrefix(text, "\ufeff")
	var settings []Setting
	for line, no := range logicalLines(text) {
		key, value := splitProperty(line)
		k, err1 := unescape(key)
		v, err2 := unescape(value)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%s:%d: \\u must be followed by four hexadecimal digits", file, no)
		}
		if k == "" && v == "" {
			continue
		}
		settings = append(settings, Setting{Name: k, Value: v, Origin: Origin{LayerFile, fmt.Sprintf("%s:%d", file, no)}})
	}
	return settings, nil
}

func latin1(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		b.WriteRune(rune(c))
	}
	return b.String()
}

const blanks = " \t\f"

// logicalLines yields lines that are neither blank nor comments, with the number of
// their first natural line. A line that ends in an odd number of backslashes goes on
// with the next one, without that one's leading blanks.
func logicalLines(text string) func(yield func(string, int) bool) {
	return func(yield func(string, int) bool) {
		no, start := 0, 0
		var pending strings.Builder
		going := false
		for text != "" {
			var line string
			line, text = cutLine(text)
			no++
			line = strings.TrimLeft(line, blanks)
			if pending.Len() == 0 { // also after a line that was but a backslash
				if line == "" || line[0] == '#' || line[0] == '!' {
					going = false
					continue
				}
				start = no
			}
			body := strings.TrimRight(line, `\`)
			if going = (len(line)-len(body))%2 == 1; going {
				pending.WriteString(line[:len(line)-1])
				continue
			}
			pending.WriteString(line)
			if !yield(pending.String(), start) {
				return
			}
			pending.Reset()
		}
		if going && pending.Len() > 0 {
			yield(pending.String(), start)
		}
	}
}

// cutLine splits at the first \n, \r or \r\n.
func cutLine(s string) (line, rest string) {
	i := strings.IndexAny(s, "\r\n")
	if i < 0 {
		return s, ""
	}
	if strings.HasPrefix(s[i:], "\r\n") {
		return s[:i], s[i+2:]
	}
	return s[:i], s[i+1:]
}

// splitProperty cuts at the first =, : or blank that no backslash protects; blanks
// around it, and one = or : after blanks, belong to neither side.
func splitProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if strings.IndexByte(blanks+"=:", line[i]) >= 0 {
			end = i
			break
		}
	}
	value = strings.TrimLeft(line[end:], blanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blanks)
	}
	return line[:end], value
}

// unescape replaces \t, \n, \r, \f and \uXXXX; of any other \c it leaves c.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		switch c := s[i]; c {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r, n, err := unicodeEscape(s[i+1:])
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
			i += n
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// unicodeEscape reads the digits after \u, and a second escape if the two are halves of
// one character. n is the number of bytes read.
func unicodeEscape(s string) (r rune, n int, err error) {
	hex := func(s string) (rune, error) {
		if len(s) < 4 || strings.ContainsAny(s[:4], "+-_") {
			return 0, strconv.ErrSyntax
		}
		v, err := strconv.ParseUint(s[:4], 16, 16)
		return rune(v), err
	}
	if r, err = hex(s); err != nil {
		return 0, 0, err
	}
	if utf16.IsSurrogate(r) && strings.HasPrefix(s[4:], `\u`) {
		if low, err := hex(s[6:]); err == nil {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return both, 10, nil
			}
		}
	}
	return r, 4, nil
}

// ParseOverrides reads KEY=VALUE arguments of the command line.
func ParseOverrides(args []string) ([]Setting, error) {
	var settings []Setting
	for _, a := range args {
		k, v, ok := strings.Cut(a, "=")
		if k = strings.TrimSpace(k); !ok || k == "" {
			return nil, fmt.Errorf("--override %q is not KEY=VALUE", a)
		}
		settings = append(settings, Setting{Name: k, Value: v, Origin: Origin{LayerOverride, "--override " + k}})
	}
	return settings, nil
}
