package show

import (
	"fmt"
	"strings"
	"time"
)

// elapsed is a time as IOS prints it: 00:01:34, 1d02h, 3w0d, 1y2w.
func elapsed(d time.Duration) string {
	const day, week, year = 24 * time.Hour, 7 * 24 * time.Hour, 365 * 24 * time.Hour
	d = max(0, d)
	switch {
	case d < day:
		s := int(d / time.Second)
		return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
	case d < week:
		return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
	case d < year:
		return fmt.Sprintf("%dw%dd", d/week, d%week/day)
	}
	return fmt.Sprintf("%dy%dw", d/year, d%year/week)
}

// since is elapsed, or "never" for the zero time.
func since(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return elapsed(now.Sub(t))
}

// uptime is a time in words, as `show version` has it.
func uptime(d time.Duration) string {
	units := []struct {
		n    int
		name string
	}{
		{int(d / (7 * 24 * time.Hour)), "week"}, {int(d / (24 * time.Hour) % 7), "day"},
		{int(d / time.Hour % 24), "hour"}, {int(d / time.Minute % 60), "minute"},
	}
	var parts []string
	for _, u := range units {
		if u.n == 1 {
			parts = append(parts, "1 "+u.name)
		} else if u.n > 1 {
			parts = append(parts, fmt.Sprintf("%d %ss", u.n, u.name))
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%d seconds", int(d/time.Second))
	}
	return strings.Join(parts, ", ")
}

// mac is an address as IOS prints it: 0200.0000.0001.
func mac(a [6]byte) string {
	return fmt.Sprintf("%02x%02x.%02x%02x.%02x%02x", a[0], a[1], a[2], a[3], a[4], a[5])
}

// ratio is a/b, 0 where there is nothing to divide by.
func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
