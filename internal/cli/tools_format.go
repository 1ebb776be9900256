package cli

//lint:file-ignore ST1005 these are the words of Kafka's own tools

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lineFormatter prints records as Kafka's console consumer does.
type lineFormatter struct {
	nothing                                             bool // NoOpMessageFormatter
	timestamp, partition, offset, epoch, delivery       bool
	headers, key, value                                 bool
	keySeparator, lineSeparator, headersSeparator, null string
	keyAs, valueAs, headersAs                           func([]byte) (string, error)
}

func newLineFormatter(a *App, o *toolOptions) (*lineFormatter, error) {
	class, err := o.value("formatter")
	if err != nil {
		return nil, err
	}
	short := class[strings.LastIndexByte(class, '.')+1:]
	if short != "" && short != "DefaultMessageFormatter" && short != "NoOpMessageFormatter" {
		return nil, o.usage("%s", class)
	}
	file, err := o.value("formatter-config")
	if err != nil {
		return nil, err
	}
	props, err := a.toolProperties(file, nil)
	if err != nil {
		return nil, err
	}
	for option, key := range map[string]string{"key-deserializer": "key.deserializer", "value-deserializer": "value.deserializer"} {
		text, err := o.value(option)
		if err != nil {
			return nil, err
		}
		if text != "" {
			props[key] = text
		}
	}
	for _, arg := range o.all("formatter-property") {
		k, v, _ := strings.Cut(arg, "=")
		props[k] = v
	}
	f := &lineFormatter{nothing: short == "NoOpMessageFormatter"}
	return f, f.configure(props)
}

func (f *lineFormatter) configure(props map[string]string) error {
	flag := func(key string, def bool) bool {
		if v, ok := props[key]; ok {
			return isTrue(v)
		}
		return def
	}
	text := func(key, def string) string {
		if v, ok := props[key]; ok {
			return v
		}
		return def
	}
	f.timestamp, f.partition, f.offset = flag("print.timestamp", false), flag("print.partition", false), flag("print.offset", false)
	f.delivery, f.epoch, f.headers = flag("print.delivery", false), flag("print.epoch", false), flag("print.headers", false)
	f.key, f.value = flag("print.key", false), flag("print.value", true)
	f.keySeparator, f.lineSeparator = text("key.separator", "\t"), text("line.separator", "\n")
	f.headersSeparator, f.null = text("headers.separator", ","), text("null.literal", "null")
	for key, as := range map[string]*func([]byte) (string, error){
		"key.deserializer": &f.keyAs, "value.deserializer": &f.valueAs, "headers.deserializer": &f.headersAs,
	} {
		class := props[key]
		*as = deserializers[strings.TrimSuffix(class[strings.LastIndexByte(class, '.')+1:], "Deserializer")]
		if *as == nil {
			return toolFailure{fmt.Errorf("%s %s is a Java class and cannot be loaded here: String, Short, Integer, Long, Float, Double, Boolean and UUID can be read", key, class)}
		}
	}
	return nil
}

func asText(b []byte) (string, error) { return string(b), nil }

// deserializers read what Kafka's serializers of the same names wrote.
var deserializers = map[string]func([]byte) (string, error){
	"": asText, "String": asText, "UUID": asText,
	"Short":   sized(2, func(b []byte) string { return strconv.Itoa(int(int16(binary.BigEndian.Uint16(b)))) }),
	"Integer": sized(4, func(b []byte) string { return strconv.Itoa(int(int32(binary.BigEndian.Uint32(b)))) }),
	"Long":    sized(8, func(b []byte) string { return strconv.FormatInt(int64(binary.BigEndian.Uint64(b)), 10) }),
	"Float":   sized(4, func(b []byte) string { return javaFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(b))), 32) }),
	"Double":  sized(8, func(b []byte) string { return javaFloat(math.Float64frombits(binary.BigEndian.Uint64(b)), 64) }),
	"Boolean": sized(1, func(b []byte) string { return strconv.FormatBool(b[0] != 0) }),
}

func sized(n int, show func([]byte) string) func([]byte) (string, error) {
	return func(b []byte) (string, error) {
		if len(b) != n {
			return "", fmt.Errorf("Size of data received by deserializer is not %d", n)
		}
		return show(b), nil
	}
}

// javaFloat prints a number as Java does: 1.0, 1.0E10, NaN, Infinity.
func javaFloat(v float64, bits int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return map[bool]string{true: "-Infinity", false: "Infinity"}[v < 0]
	}
	if abs := math.Abs(v); abs != 0 && (abs < 1e-3 || abs >= 1e7) {
		mantissa, exp, _ := strings.Cut(strconv.FormatFloat(v, 'E', -1, bits), "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exp)
		return mantissa + "E" + strconv.Itoa(n)
	}
	text := strconv.FormatFloat(v, 'f', -1, bits)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// write prints one record: the parts that were asked for, parted by the key separator,
// and the line separator after the last.
func (f *lineFormatter) write(w *bufio.Writer, r *kgo.Record) error {
	if f.nothing {
		return nil
	}
	var parts []string
	if f.timestamp {
		kind := "CreateTime"
		if r.Attrs.TimestampType() == 1 {
			kind = "LogAppendTime"
		}
		parts = append(parts, fmt.Sprintf("%s:%d", kind, r.Timestamp.UnixMilli()))
	}
	if f.partition {
		parts = append(parts, fmt.Sprintf("Partition:%d", r.Partition))
	}
	if f.offset {
		parts = append(parts, fmt.Sprintf("Offset:%d", r.Offset))
	}
	if f.delivery {
		delivery := "NOT_PRESENT"
		if n := r.DeliveryCount(); n > 0 { // of a share group
			delivery = strconv.Itoa(int(n))
		}
		parts = append(parts, "Delivery:"+delivery)
	}
	if f.epoch {
		parts = append(parts, "Epoch:NOT_PRESENT") // Kafka's tool does not hand it on either
	}
	if f.headers {
		text, err := f.headerText(r.Headers)
		if err != nil {
			return err
		}
		parts = append(parts, text)
	}
	for _, field := range []struct {
		print bool
		bytes []byte
		as    func([]byte) (string, error)
	}{{f.key, r.Key, f.keyAs}, {f.value, r.Value, f.valueAs}} {
		if field.print {
			text, err := f.text(field.bytes, field.as)
			if err != nil {
				return err
			}
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	_, err := w.WriteString(strings.Join(parts, f.keySeparator) + f.lineSeparator)
	return err
}

func (f *lineFormatter) text(b []byte, as func([]byte) (string, error)) (string, error) {
	if b == nil {
		return f.null, nil
	}
	return as(b)
}

func (f *lineFormatter) headerText(headers []kgo.RecordHeader) (string, error) {
	if len(headers) == 0 {
		return "NO_HEADERS", nil
	}
	var out []string
	for _, h := range headers {
		value, err := f.text(h.Value, f.headersAs)
		if err != nil {
			return "", err
		}
		out = append(out, h.Key+":"+value)
	}
	return strings.Join(out, f.headersSeparator), nil
}
