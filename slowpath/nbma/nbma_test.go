package nbma

import (
	"net/netip"
	"slices"
	"testing"
)

func TestBehind(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.50"), netip.MustParseAddr("10.0.0.2")
	for _, tt := range []struct {
		got  Address
		want Address
		text string
	}{
		{Of(a), Address{Addr: a}, "192.0.2.50"},
		{Behind(a, b), Address{a, b}, "192.0.2.50 (10.0.0.2)"},
		{Behind(a, netip.AddrFrom16(b.As16())), Address{a, b}, "192.0.2.50 (10.0.0.2)"},
		{Behind(a, a), Of(a), "192.0.2.50"},
		{Behind(a, netip.Addr{}), Of(a), "192.0.2.50"},
		{Behind(a, netip.IPv4Unspecified()), Of(a), "192.0.2.50"},
		{Behind(a, b).At(b), Of(b), "10.0.0.2"},
		{Behind(a, b).At(netip.MustParseAddr("192.0.2.51")), Address{netip.MustParseAddr("192.0.2.51"), b}, "192.0.2.51 (10.0.0.2)"},
	} {
		if tt.got != tt.want || tt.got.String() != tt.text || !tt.got.IsValid() {
			t.Errorf("%+v is %q, want %+v, %q", tt.got, tt.got, tt.want, tt.text)
		}
	}
	if (Address{}).IsValid() {
		t.Error("the zero Address is somewhere")
	}
}

func TestCompare(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.50"), netip.MustParseAddr("192.0.2.51")
	in := []Address{Of(b), Behind(a, b), Of(a), Behind(b, a)}
	slices.SortFunc(in, Address.Compare)
	if !slices.Equal(in, []Address{Of(a), Behind(a, b), Of(b), Behind(b, a)}) {
		t.Errorf("%v", in)
	}
}

func TestText(t *testing.T) {
	for _, want := range []Address{{}, Of(netip.MustParseAddr("192.0.2.50")), Behind(netip.MustParseAddr("192.0.2.50"), netip.MustParseAddr("10.0.0.2"))} {
		b, err := want.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		got := Of(netip.IPv4Unspecified())
		if err := got.UnmarshalText(b); err != nil || got != want {
			t.Errorf("%q is %v, %v, and was %v", b, got, err, want)
		}
	}
	for _, bad := range []string{"x", "192.0.2.50 (", "192.0.2.50 (10.0.0.2", "192.0.2.50 (x)", " (10.0.0.2)", "192.0.2.50 10.0.0.2"} {
		got := Of(netip.IPv4Unspecified())
		if got.UnmarshalText([]byte(bad)) == nil || got != Of(netip.IPv4Unspecified()) {
			t.Errorf("%q is taken as %v", bad, got)
		}
	}
}
