package bgp

import (
	"slices"
	"testing"

	"nave/testbed/ports"
)

func TestTCPOfANeighbour(t *testing.T) {
	t.Parallel()
	port := ports.TCP(t)
	a, b := newBox(t, 1), newBox(t, 2)
	a.configure(a.base(port, 65000, b))
	if n, err := a.s.Neighbour("", b.addr); err != nil || n.TCP != nil {
		t.Errorf("before there is a connection: %+v, %v", n.TCP, err)
	}
	b.configure(b.base(port, 65000, a))
	established(t, a, b)
	n, err := a.s.Neighbour("", b.addr)
	if err != nil || n.TCP == nil {
		t.Fatalf("no TCP: %+v, %v", n, err)
	}
	// Both have said OPEN and KEEPALIVE: a header of 19 bytes each at least, and an OPEN's body.
	if n.TCP.BytesReceived < 2*19+10 || n.TCP.BytesAcked < 2*19+10 || n.TCP.DataSegmentsIn == 0 || n.TCP.DataSegmentsOut == 0 || n.TCP.MSS == 0 || n.TCP.SRTT <= 0 || n.TCP.RTO <= 0 {
		t.Errorf("%+v", *n.TCP)
	}
	if !slices.Contains(n.Capabilities, Capability{Name: "multiprotocol", Family: IPv4Unicast, Advertised: true, Received: true}) {
		t.Errorf("capabilities %+v", n.Capabilities)
	}
	b.announce(Local{Prefix: pfx("10.1.0.0/16")})
	wait(t, "a version", func() bool { st, err := a.s.Status(); return err == nil && st.Version == 1 })
	st, err := a.s.Status()
	if err != nil || len(st.Neighbours) != 1 || st.Neighbours[0].TCP != nil {
		t.Errorf("the status of all asks the kernel about each: %+v, %v", st.Neighbours, err)
	}
}
