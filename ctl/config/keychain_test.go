package config

import (
	"strings"
	"testing"
	"time"
)

func TestKeyLifetimes(t *testing.T) {
	zone := time.FixedZone("home", 2*3600)
	at := func(text string) time.Time {
		v, err := time.Parse(time.DateTime, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		text, canonical string
		from, until     time.Time
	}{
		{"", "", time.Time{}, time.Time{}},
		{"00:00:00 Jan 1 2026 infinite", "00:00:00 Jan 1 2026 infinite", at("2026-01-01 00:00:00"), time.Time{}},
		{"23:59:59 31 december 2026 inf", "23:59:59 Dec 31 2026 infinite", at("2026-12-31 23:59:59"), time.Time{}},
		{"00:00:00 Feb 29 2028 duration 61", "00:00:00 Feb 29 2028 duration 61", at("2028-02-29 00:00:00"), at("2028-02-29 00:01:01")},
		{"8:30:00 Mar 1 2026 09:30:00 2 Mar 2026", "08:30:00 Mar 1 2026 09:30:00 Mar 2 2026", at("2026-03-01 08:30:00"), at("2026-03-02 09:30:00")},
		{"local 12:00:00 Jul 1 2026 14:00:00 Jul 1 2026", "local 12:00:00 Jul 1 2026 14:00:00 Jul 1 2026", at("2026-07-01 10:00:00"), at("2026-07-01 12:00:00")},
		{"local 12:00:00 Jul 1 2026 duration 5", "local 12:00:00 Jul 1 2026 duration 5", at("2026-07-01 10:00:00"), at("2026-07-01 10:00:05")},
	} {
		l, err := ParseKeyLifetime(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		from, until := l.In(zone)
		if l.String() != c.canonical || !from.Equal(c.from) || !until.Equal(c.until) {
			t.Errorf("%q is %q, from %s until %s", c.text, l, from, until)
		}
	}
	for text, why := range map[string]string{
		"00:00:00": "lacks its end", "local": "lacks its end", "00:00:00 Jan 1 2026": "lacks its end", "24:00:00 Jan 1 2026 infinite": "time of day", "00:00 Jan 1 2026 infinite": "time of day",
		"00:00:00 Jan 32 2026 infinite": "day of a month", "00:00:00 Feb 29 2026 infinite": "day of February", "00:00:00 Jix 1 2026 infinite": "date", "00:00:00 Jan Feb 2026 infinite": "day of a month",
		"00:00:00 Ja 1 2026 infinite": "date", "00:00:00 Jan 1 1992 infinite": "year", "00:00:00 Jan 1 x infinite": "year", "00:00:00 Jan 1 2026 forever": "end of a lifetime",
		"00:00:00 Jan 1 2026 duration 0": "seconds", "00:00:00 Jan 1 2026 duration 2147483647": "seconds", "00:00:00 Jan 1 2026 duration": "end of a lifetime",
		"00:00:00 Jan 1 2026 00:00:00 Jan 1 2026": "before it begins", "00:00:00 Jan 1 2026 infinite x": "end of a lifetime", "00:00:00 Jan 1 2026 Januaryx": "end of a lifetime",
	} {
		if l, err := ParseKeyLifetime(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %q, %v; want an error about its %s", text, l, err, why)
		}
	}
}

// What is read prints as it reads again, whatever is written.
func FuzzKeyLifetime(f *testing.F) {
	for _, s := range []string{"", "local 00:00:00 Jan 1 2026 infinite", "1:2:3 9 sep 9999 duration 7", "00:00:00 Jan 1 2026 00:00:01 1 Jan 2026"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseKeyLifetime(s)
		if err != nil {
			if l != (KeyLifetime{}) {
				t.Errorf("%q: %+v with an error", s, l)
			}
			return
		}
		again, err := ParseKeyLifetime(l.String())
		if err != nil || again != l {
			t.Errorf("%q is %q, which is %+v, %v", s, l, again, err)
		}
		if from, until := l.In(time.UTC); !until.IsZero() && !until.After(from) {
			t.Errorf("%q: from %s until %s", s, from, until)
		}
	})
}
