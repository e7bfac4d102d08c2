package debug

import "time"

// How much is written: LinesBurst at once, and LinesASecond in the long run. A terminal takes no more, and nobody reads it.
const (
	LinesASecond = 1000
	LinesBurst   = 4000
)

// Pace bounds how many lines are written.
type Pace struct {
	tokens float64
	last   time.Time
}

// Take asks whether n lines may be written now. What is long is written whole or not at all.
func (p *Pace) Take(now time.Time, n int) bool {
	if p.last.IsZero() {
		p.tokens = LinesBurst
	} else if d := now.Sub(p.last); d > 0 {
		p.tokens = min(LinesBurst, p.tokens+LinesASecond*d.Seconds())
	}
	p.last = now
	if p.tokens < float64(min(n, LinesBurst)) {
		return false
	}
	p.tokens -= float64(n)
	return true
}
