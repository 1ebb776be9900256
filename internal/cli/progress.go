package cli

import (
	"fmt"
	"time"
)

// progress tells how far work is and when it will be done. It looks at the last while
// only, since speeds change.
type progress struct {
	total, done           int64 // bytes to copy
	totalParts, doneParts int
	looks                 []look // the older first
}

// look is how much was done at a time.
type look struct {
	at    time.Time
	bytes int64
}

// progressWindow is the while by which speed is judged.
const progressWindow = 15 * time.Second

// observe notes what is done now. Less than before counts as no step.
func (p *progress) observe(now time.Time, bytes int64, parts int) {
	p.done, p.doneParts = min(max(p.done, bytes), p.total), max(p.doneParts, parts)
	for len(p.looks) > 1 && now.Sub(p.looks[1].at) > progressWindow {
		p.looks = p.looks[1:]
	}
	p.looks = append(p.looks, look{now, p.done})
}

// speed is in bytes a second, 0 if nothing can be said yet.
func (p *progress) speed() float64 {
	if len(p.looks) < 2 {
		return 0
	}
	first, last := p.looks[0], p.looks[len(p.looks)-1]
	took := last.at.Sub(first.at).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(last.bytes-first.bytes) / took
}

// left is how long it will take yet, -1 if nothing can be said.
func (p *progress) left() time.Duration {
	rest := p.total - p.done
	if rest <= 0 {
		return 0
	}
	s := p.speed()
	if s <= 0 {
		return -1
	}
	return time.Duration(float64(rest) / s * float64(time.Second)).Round(time.Second)
}

func (p *progress) String() string {
	text := fmt.Sprintf("%d of %s, %s of %s", p.doneParts, count(p.totalParts, "partition"), size(p.done), size(p.total))
	if s := p.speed(); s > 0 && p.done < p.total {
		text += fmt.Sprintf(", %s/s, %v to go", size(int64(s)), p.left())
	}
	return text
}
