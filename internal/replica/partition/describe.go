package partition

import "github.com/odradek/odradek/internal/store/producers"

// Producers lists what the partition remembers of its producers, by id.
func (p *Partition) Producers() ([]producers.Entry, error) {
	log, err := p.Log()
	if err != nil {
		return nil, err
	}
	entries, err := log.Producers()
	return entries, p.storageOf(log, err)
}
