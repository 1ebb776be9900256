package floor

// Table lists what the targets are measured against: each operation in the shape of the
// raw load of the same name (package load), on the file system, with the socket and of the
// amount of s. With Durable every produce is.
func Table(s Spec) []Spec {
	row := func(op string, batch, inFlight, burst int) Spec {
		r := s
		r.Op, r.Batch, r.InFlight, r.Burst = op, batch, inFlight, burst
		return r
	}
	const kib = 1 << 10
	return []Spec{
		row(Produce, 16*kib, 8, 1),
		row(Produce, 64*kib, 8, 1),
		row(Produce, 1024*kib, 4, 1),
		row(Fetch, 16*kib, 8, 1),
		row(Fetch, 64*kib, 8, 1),
		row(Fetch, 1024*kib, 4, 1),
		row(Ping, 0, 1, 1),
		row(Ping, 0, 128, 64),
		row(Produce, kib, 1, 1),
		row(Produce, kib, 128, 64),
	}
}
