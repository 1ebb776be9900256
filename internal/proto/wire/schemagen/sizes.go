package main

func (f *field) kind() string {
	if f.isArray() {
		return "kindArray"
	}
	return kindOf(f.Type)
}

func kindOf(typ string) string {
	switch typ {
	case "bool", "int8":
		return "kind1"
	case "int16", "uint16":
		return "kind2"
	case "int32", "uint32":
		return "kind4"
	case "int64", "float64":
		return "kind8"
	case "uuid":
		return "kind16"
	case "string":
		return "kindString"
	case "bytes", "records":
		return "kindBytes"
	}
	return "kindStructure"
}

// leastSizes is the least encoded size of a structure in each valid version: what an
// element of an array cannot be smaller than.
func (m *message) leastSizes(fields []*field) string {
	var b []byte
	for v := m.valid.from; v <= m.valid.to; v++ {
		n := m.least(fields, v)
		if n > 255 {
			panic("bug: a structure of more than 255 bytes at least")
		}
		b = append(b, byte(n))
	}
	return string(b)
}

func (m *message) least(fields []*field, v int) (n int) {
	flex := v >= m.flexible.from
	for _, f := range fields {
		if f.present.has(v) && !(flex && f.tagged.has(v)) {
			n += m.leastField(f, v, flex)
		}
	}
	if flex {
		n++ // the number of tagged fields
	}
	return n
}

func (m *message) leastField(f *field, v int, flex bool) int {
	switch f.kind() {
	case "kind1":
		return 1
	case "kind2":
		return 2
	case "kind4":
		return 4
	case "kind8":
		return 8
	case "kind16":
		return 16
	case "kindStructure":
		if f.nullable.has(v) {
			return 1
		}
		return m.least(f.sub, v)
	}
	switch {
	case flex:
		return 1
	case f.kind() == "kindString":
		return 2
	}
	return 4
}

// goSize is an upper bound of the memory that a decoded structure takes, its
// strings' and elements' bytes aside. kmsg's structures have each field, in every
// version, and a map of unknown tags.
func goSize(fields []*field) int {
	n := 24 // the map, and fields of versions that are gone
	for _, f := range fields {
		switch f.kind() {
		case "kind16", "kindString":
			n += 16
		case "kindBytes", "kindArray":
			n += 24
		case "kindStructure":
			if f.nullable.empty() {
				n += goSize(f.sub)
			} else {
				n += 8
			}
		default:
			n += 8
		}
	}
	return n
}
