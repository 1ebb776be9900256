package config

// nearest returns the broker key that name was probably meant to be, or nothing.
func nearest(name string) string {
	best, bestDist := "", len(name)/4+1
	if bestDist > 6 {
		bestDist = 6
	}
	for _, d := range registry[Broker].defs {
		if d.Internal {
			continue
		}
		if n := distance(name, d.Name, bestDist); n < bestDist {
			best, bestDist = d.Name, n
		}
	}
	if best == "" {
		// A topic's key in a broker's file is the other common mistake.
		if t, ok := Find(Topic, name); ok && len(t.Synonyms) > 0 {
			return t.Synonyms[0].Name
		}
	}
	return best
}

// distance is the number of insertions, deletions, replacements and swaps of
// neighbours that turn a into b, or limit if it is not less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return min(prev[len(b)], limit)
}
