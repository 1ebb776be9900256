package fetchsession

// order has the partitions of a session in the order in which they are read, and finds them
// by their keys. Most clients without a slot name one partition or two, with every request.
type order struct {
	first, last *Partition
	n           int
	byKey       map[Key]*Partition // nil while there are few
}

// few are searched one by one.
const few = 8

func (o *order) find(k Key) *Partition {
	if o.byKey != nil {
		return o.byKey[k]
	}
	for p := o.first; p != nil; p = p.next {
		if p.Key == k {
			return p
		}
	}
	return nil
}

// add puts a new partition at the end.
func (o *order) add(p *Partition) {
	p.named = true
	o.append(p)
	o.n++
	switch {
	case o.byKey != nil:
		o.byKey[p.Key] = p
	case o.n > few:
		o.byKey = make(map[Key]*Partition, 2*o.n)
		for p := o.first; p != nil; p = p.next {
			o.byKey[p.Key] = p
		}
	}
}

// remove forgets a partition that was added.
func (o *order) remove(p *Partition) {
	p.named = false
	o.unlink(p)
	o.n--
	delete(o.byKey, p.Key)
}

// toEnd has a partition read after all others.
func (o *order) toEnd(p *Partition) {
	o.unlink(p)
	o.append(p)
}

func (o *order) append(p *Partition) {
	p.prev, p.next = o.last, nil
	if o.last == nil {
		o.first = p
	} else {
		o.last.next = p
	}
	o.last = p
}

func (o *order) unlink(p *Partition) {
	if p.prev == nil {
		o.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		o.last = p.prev
	} else {
		p.next.prev = p.prev
	}
}
