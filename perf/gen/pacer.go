package gen

// pacer says when packets are due. Time is in nanoseconds.
type pacer struct {
	step  float64 // between two packets; 0: as fast as can be
	next  float64 // when the next burst is due
	burst int
	left  int // of this burst
}

// newPacer starts at time now with packets a second, so many at once.
func newPacer(now int64, pps float64, burst int) pacer {
	p := pacer{burst: burst, next: float64(now)}
	if pps > 0 {
		p.step = 1e9 / pps
	}
	return p
}

// grant is how many packets leave now, most at most.
func (p *pacer) grant(now int64, most int) int {
	if p.step == 0 {
		return most
	}
	n := 0
	for n < most {
		if p.left == 0 {
			behind := float64(now) - p.next
			if behind < 0 {
				break
			}
			if behind > float64(Slack) {
				p.next = float64(now) - float64(Slack)
			}
			p.next += p.step * float64(p.burst)
			p.left = p.burst
		}
		k := min(p.left, most-n)
		p.left -= k
		n += k
	}
	return n
}

// wait is how long nothing is due, nanoseconds.
func (p *pacer) wait(now int64) int64 {
	if p.step == 0 || p.left > 0 {
		return 0
	}
	return max(0, int64(p.next)-now)
}
