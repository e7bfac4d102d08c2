package daemon

import (
	"testing"

	"nave/ctl/api"
)

// A user who may only look has few pings at a time, whatever others do; and there is an end for all.
func TestPingLimits(t *testing.T) {
	var p pings
	look, other, admin := &api.Caller{UID: 7}, &api.Caller{UID: 8}, &api.Caller{UID: 9, Change: true}
	var ends []func()
	begin := func(who *api.Caller, want bool) {
		t.Helper()
		end, err := p.begin(who)
		if (err == nil) != want {
			t.Errorf("%v: %v", who, err)
		}
		if end != nil {
			ends = append(ends, end)
		}
	}
	for range lookPings {
		begin(look, true)
	}
	begin(look, false)
	begin(other, true)
	ends[0]()
	ends = ends[1:]
	begin(look, true)
	for range allPings - lookPings - 1 {
		begin(admin, true)
	}
	begin(admin, false)
	for _, end := range ends {
		end()
	}
	if p.all != 0 || len(p.users) != 0 {
		t.Errorf("%+v", &p)
	}
}

// However many users may only look, they leave room for who may change things.
func TestPingLookers(t *testing.T) {
	var p pings
	admin := &api.Caller{UID: 9, Change: true}
	began := 0
	for user := range uint32(allPings) {
		if _, err := p.begin(&api.Caller{UID: 100 + user}); err == nil {
			began++
		}
	}
	if began != lookers {
		t.Errorf("%d pings of who may only look, want %d", began, lookers)
	}
	for range allPings - lookers {
		if _, err := p.begin(admin); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.begin(admin); err == nil {
		t.Error("there is no end")
	}
}
