package wire

//go:generate go run ./schemagen -out schema_tables.go
//go:generate go run ./schemagen -answers -out answer_tables.go

// Schema tells which bytes a request may consist of.
type Schema struct {
	Key  int16
	Name string // Kafka's, without "Request"
	// Min and Max are the versions that Kafka 4.2 speaks. Unstable says that Max is
	// not offered unless unstable versions are enabled.
	Min, Max int16
	Unstable bool
	// FlexibleFrom is the first flexible version (KIP-482), or 32767.
	FlexibleFrom int16

	body *structure
}

// MaxKey is the largest key that Lookup knows.
const MaxKey = int16(len(schemas) - 1)

// Lookup finds the schema of a request by its key.
func Lookup(key int16) (*Schema, bool) {
	if key < 0 || key > MaxKey || schemas[key] == nil {
		return nil, false
	}
	return schemas[key], true
}

// Supports reports whether the version can be checked and decoded.
func (s *Schema) Supports(version int16) bool { return s.Min <= version && version <= s.Max }

// Flexible reports whether the request and its answer use compact lengths and tagged
// fields. SaslHandshake never does.
func (s *Schema) Flexible(version int16) bool { return version >= s.FlexibleFrom }

// FlexibleResponseHeader reports whether the answer's header has tagged fields: as
// the request's, but never for ApiVersions.
func (s *Schema) FlexibleResponseHeader(version int16) bool {
	return s.Key != keyAPIVersions && s.Flexible(version)
}

// The keys that may be read before authentication.
const (
	keySaslHandshake    int16 = 17
	keyAPIVersions      int16 = 18
	keySaslAuthenticate int16 = 36
)

type kind uint8

const (
	kind1 kind = iota
	kind2
	kind4
	kind8
	kind16
	kindString    // int16 length, or compact
	kindBytes     // int32 length, or compact
	kindArray     // int32 count, or compact
	kindStructure // an int8 in front if it may be null
)

// fixedSizes is the size of the kinds that have one, or 0.
var fixedSizes = [...]int{kind1: 1, kind2: 2, kind4: 4, kind8: 8, kind16: 16, kindStructure: 0}

func fixedSize(k kind) int { return fixedSizes[k] }

// versions is a closed range.
type versions struct{ from, to int16 }

var never = versions{1, 0}

func (v versions) has(n int16) bool { return v.from <= n && n <= v.to }

type structure struct {
	cost   int    // upper bound of the decoded size, without what it points to
	least  string // a byte for each version from Schema.Min: the least encoded size
	fields []field
}

type field struct {
	name       string
	kind, elem kind
	in, null   versions
	tagged     versions // in which it is a tagged field, if the version is flexible
	tag        int
	sub        *structure // of a structure, or of an array's elements
}
