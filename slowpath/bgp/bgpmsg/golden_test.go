package bgpmsg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"testing"

	"nave/testbed/golden"
)

// asIs are rules that change nothing, of every family that there can be rules for.
func asIs(h Hop, l Labels) *Rules {
	r := FamilyRules{Default: h, Communities: true, Extended: true}
	return &Rules{Families: map[Family]FamilyRules{IPv4: r, VPNv4: r, VPNv6: r}, Labels: l}
}

// TestGoldenAsIs: what real routers sent is cut into the same messages, and passes through rules that change nothing as it is. No part of it makes anything fall over.
func TestGoldenAsIs(t *testing.T) {
	types := map[uint8]int{}
	for _, file := range golden.BGPFiles {
		var stream []byte
		messages := golden.BGPMessages(t, file)
		for _, m := range messages {
			stream = append(stream, m.Bytes...)
		}
		r := NewReader(bytes.NewReader(stream))
		for k := 0; ; k++ {
			got, err := r.Next()
			if err == io.EOF {
				if k != len(messages) {
					t.Errorf("%s: %d messages of %d", file, k, len(messages))
				}
				break
			}
			if err != nil || k == len(messages) || !bytes.Equal(got, messages[k].Bytes) {
				t.Fatalf("%s: message %d is %x, %v", file, k, got, err)
			}
			types[Type(got)]++
			out, err := asIs(Hop{}, nil).Rewrite(nil, got)
			if err != nil || !bytes.Equal(out, got) {
				t.Errorf("%s frame %d:\n%x became\n%x, %v", file, messages[k].Frame, got, out, err)
			}
			swapping := asIs(Hop{Address: netip.MustParseAddr("10.0.0.1"), Swap: true}, &serial{})
			for n := range got {
				cut := bytes.Clone(got[:n])
				if _, err := swapping.Rewrite(nil, cut); !errors.Is(err, ErrMalformed) {
					t.Errorf("%s frame %d: %d bytes: %v", file, messages[k].Frame, n, err)
				}
				if n >= HeaderLen {
					binary.BigEndian.PutUint16(cut[16:], uint16(n)) // a length that is right: the fields end early
					_, _ = swapping.Rewrite(nil, cut)
				}
			}
		}
	}
	for _, typ := range []uint8{Open, Update, Keepalive, RouteRefresh} {
		if types[typ] == 0 {
			t.Errorf("no message of type %d seen", typ)
		}
	}
}

// serial gives labels in order, and remembers what for.
type serial struct {
	keys []Key
}

func (s *serial) Label(k Key) (uint32, bool) {
	s.keys = append(s.keys, k)
	return uint32(700000 + len(s.keys)), true
}

// asNumbers is a route distinguisher of two numbers as text.
func asNumbers(rd uint64) string { return fmt.Sprintf("%d:%d", rd>>32&0xffff, rd&0xffffffff) }

// TestGoldenSwap: where the router swaps, each VPN route that tshark finds in a message has our next hop and a label of ours, and not a bit else is another one.
func TestGoldenSwap(t *testing.T) {
	const file = "frr8.4-vpnv4-mgre.pcap"
	hub := netip.MustParseAddr("10.99.88.77")
	routes := golden.VPNRoutes(t, file)
	swapped := 0
	for _, m := range golden.BGPMessages(t, file) {
		l := &serial{}
		rules := asIs(Hop{}, l)
		rules.Families[VPNv4] = FamilyRules{Default: Hop{Address: hub, Swap: true}, Extended: true}
		out, err := rules.Rewrite(nil, m.Bytes)
		if err != nil {
			t.Fatalf("frame %d: %v", m.Frame, err)
		}
		want := bytes.Clone(m.Bytes)
		for i, k := range l.keys {
			r := routes[0]
			routes = routes[1:]
			if r.Frame != m.Frame || r.To != m.To || r.RD != asNumbers(k.RD) || r.Prefix != k.Prefix {
				t.Fatalf("frame %d to %s: %s %s; tshark has %+v", m.Frame, m.To, asNumbers(k.RD), k.Prefix, r)
			}
			// By what tshark says, this is where they are: in front of the route distinguisher the label, with the bottom bit and whatever is
			// in the three bits between (FRR sets one of them), and the next hop behind its own route distinguisher, which is zero.
			prefix := r.Prefix.Addr().AsSlice()[:(r.Prefix.Bits()+7)/8]
			at := bytes.Index(want, append(binary.BigEndian.AppendUint64(nil, k.RD), prefix...))
			hopAt := bytes.Index(want, append(make([]byte, 8), r.NextHop.AsSlice()...)) + 8
			if at < 4 || hopAt < 8 || want[at-4] != uint8(88+r.Prefix.Bits()) || binary.BigEndian.Uint32(want[at-4:])&0xfffff0>>4 != r.Label || want[at-1]&1 != 1 {
				t.Fatalf("frame %d: the route is not where tshark sees it: %+v in %x", m.Frame, r, want)
			}
			label := uint32(700000 + i + 1)
			want[at-3], want[at-2], want[at-1] = byte(label>>12), byte(label>>4), byte(label<<4)|1
			copy(want[hopAt:], hub.AsSlice())
			swapped++
		}
		if !bytes.Equal(out, want) {
			t.Errorf("frame %d:\n%x became\n%x and not\n%x", m.Frame, m.Bytes, out, want)
		}
	}
	if len(routes) > 0 || swapped == 0 {
		t.Errorf("%d routes swapped, and tshark has more: %+v", swapped, routes)
	}
}

// TestGoldenOpen: FRR offers graceful restart without preserved state, which can be said for it.
func TestGoldenOpen(t *testing.T) {
	opens := 0
	for _, m := range golden.BGPMessages(t, "frr8.4-vpnv4-mgre.pcap") {
		if Type(m.Bytes) != Open {
			continue
		}
		opens++
		// It is a helper only, and names no family: there is nothing to preserve.
		if open := bytes.Clone(m.Bytes); Preserves(open) {
			t.Errorf("frame %d: %x preserves", m.Frame, open)
		} else if Preserve(open); !bytes.Equal(open, m.Bytes) {
			t.Errorf("frame %d: changed", m.Frame)
		}
	}
	if opens != 4 {
		t.Errorf("%d OPENs", opens)
	}
}
