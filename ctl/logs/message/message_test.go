package message

import (
	"testing"
	"time"
)

func TestNames(t *testing.T) {
	for s := Emergency; s <= Debugging; s++ {
		if got, ok := ParseSeverity(s.String()); !ok || got != s {
			t.Errorf("%s: %d", s, got)
		}
	}
	if s, ok := ParseSeverity("5"); !ok || s != Notice || s.String() != "notifications" {
		t.Errorf("5 is %s", s)
	}
	for f := Facility(0); f <= Local7; f++ {
		if got, ok := ParseFacility(f.String()); !ok || got != f {
			t.Errorf("%s: %d", f, got)
		}
	}
	if Local7.String() != "local7" || Daemon.String() != "daemon" {
		t.Error("facilities are not where they belong")
	}
	if _, ok := ParseSeverity("8"); ok {
		t.Error("there is no severity 8")
	}
	if _, ok := ParseFacility(""); ok {
		t.Error("there is no facility without a name")
	}
	if Severity(9).String() != "9" || Facility(-1).String() != "-1" {
		t.Error("numbers without a name")
	}
}

func TestStamp(t *testing.T) {
	at := time.Date(2026, 3, 7, 4, 5, 6, 78_900_000, time.UTC)
	zone := time.FixedZone("XYZ", 3600)
	was := time.Local
	time.Local = zone
	defer func() { time.Local = was }()
	for _, c := range []struct {
		s    Stamp
		up   time.Duration
		want string
	}{
		{DefaultStamp, 0, "Mar  7 04:05:06.078: x"},
		{Stamp{}, 0, "Mar  7 04:05:06: x"},
		{Stamp{Year: true, Zone: true, Numbering: true}, 0, "000042: Mar  7 2026 04:05:06 UTC: x"},
		{Stamp{Local: true, Zone: true, Msec: true}, 0, "Mar  7 05:05:06.078 XYZ: x"},
		{Stamp{Form: Uptime}, 3*time.Hour + 4*time.Minute + 5*time.Second, "03:04:05: x"},
		{Stamp{Form: Uptime}, 30 * time.Hour, "1d06h: x"},
		{Stamp{Form: Uptime}, 17 * 24 * time.Hour, "2w3d: x"},
		{Stamp{Form: Uptime}, -time.Hour, "00:00:00: x"},
		{Stamp{Form: NoStamp}, 0, "x"},
		{Stamp{Form: NoStamp, Numbering: true}, 0, "000042: x"},
	} {
		if got := c.s.Put("x", 42, at, at.Add(-c.up)); got != c.want {
			t.Errorf("%+v: %q, want %q", c.s, got, c.want)
		}
	}
}
