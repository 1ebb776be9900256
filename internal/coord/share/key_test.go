package share

import "testing"

func TestKeys(t *testing.T) {
	for _, k := range []Key{{"g", topicID("t"), 0}, {"a:b::c", topicID("u"), 1<<31 - 1}, {":", topicID("t"), -1}} {
		if got, err := ParseKey(k.String()); err != nil || got != k {
			t.Errorf("%v became %v, %v", k, got, err)
		}
	}
	id := topicID("t").String()
	for _, name := range []string{"", ":", "::", "g:" + id, " :" + id + ":0", ":" + id + ":0", "g:" + id + ":", "g:" + id + ":x", "g:t:0", "g:" + id + ":2147483648"} {
		if k, err := ParseKey(name); err == nil {
			t.Errorf("%q became %v", name, k)
		}
	}
}
