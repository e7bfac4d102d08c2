package debug

import "time"

// How much is written: LinesBurst at once, and LinesASecond in the long run. A terminal takes no more, nobody reads it, and the log's own queues are not much longer.
const (
	LinesASecond = 1000
	LinesBurst   = 1000
)

// Pace bounds how many lines are written.
type Pace struct {
	tokens float64
	last   time.Time
}

// Room tells whether a line at all may be written now: without, no text need be made.
func (p *Pace) Room(now time.Time) bool {
	if p.last.IsZero() {
		p.tokens = LinesBurst
	} else if d := now.Sub(p.last); d > 0 {
		p.tokens = min(LinesBurst, p.tokens+LinesASecond*d.Seconds())
	}
	p.last = now
	return p.tokens >= 1
}

// Take asks whether n lines may be written now. What is long is written whole or not at all.
func (p *Pace) Take(now time.Time, n int) bool {
	p.Room(now)
	if p.tokens < float64(min(n, LinesBurst)) {
		return false
	}
	p.tokens -= float64(n)
	return true
}
