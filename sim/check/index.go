package check

import "github.com/odradek/odradek/sim/history"

// index finds a send by its value: by its producer's number, and its own among those.
type index struct {
	// dense has, for each producer, 1 + the send of each sequence number; sparse has what
	// would leave dense mostly empty.
	dense  map[int32][]int32
	sparse map[history.Value]int32

	// last is the producer that was asked for last: neighbours are mostly of one.
	last     int32
	lastList []int32
}

// slack is how many sequence numbers may be unused before a producer's are sparse.
const slack = 1 << 16

// newIndex returns the sends by their values, and the first that has the value of an
// earlier one, or -1.
func newIndex(sends []history.Sent) (*index, int) {
	x := &index{dense: make(map[int32][]int32), sparse: make(map[history.Value]int32)}
	twice := -1
	for i := range sends {
		v := sends[i].Value
		if twice < 0 && x.find(v) >= 0 {
			twice = i
		}
		p, seq := v.Producer(), v.Seq()
		list := x.dense[p]
		if seq > 4*int64(len(list))+slack {
			x.sparse[v] = int32(i)
			continue
		}
		if n := int(seq) + 1; n > len(list) {
			list = append(list, make([]int32, n-len(list))...)
			x.dense[p] = list
			x.last = 0
		}
		list[seq] = int32(i) + 1
	}
	return x, twice
}

// find returns the send of a value, or -1.
func (x *index) find(v history.Value) int {
	p, seq := v.Producer(), v.Seq()
	if p != x.last || p == 0 {
		x.last, x.lastList = p, x.dense[p]
	}
	if seq < int64(len(x.lastList)) {
		if i := x.lastList[seq]; i > 0 {
			return int(i) - 1
		}
	}
	if len(x.sparse) > 0 {
		if i, ok := x.sparse[v]; ok {
			return int(i)
		}
	}
	return -1
}
