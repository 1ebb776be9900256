package model

// Once is a list without what is there twice, in its order. What is large when it is
// described is described once: a request that repeats a name, which takes some bytes, would
// else have an answer of any size.
func Once(names []string) []string {
	known := make(map[string]struct{}, min(len(names), 16))
	list := names[:0:0]
	for _, name := range names {
		if _, ok := known[name]; !ok {
			known[name] = struct{}{}
			list = append(list, name)
		}
	}
	return list
}
