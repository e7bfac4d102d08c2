package fastpath

import (
	"encoding/binary"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// remember makes a rig's worker remember flows.
func remember(n int) func(*Config, *fib.Batch) {
	return func(c *Config, _ *fib.Batch) { c.FlowCache = n }
}

// ports is the first bytes of a UDP or TCP header.
func ports(src, dst uint16) []byte {
	b := pattern(40)
	binary.BigEndian.PutUint16(b, src)
	binary.BigEndian.PutUint16(b[2:], dst)
	return b
}

// flows is what the engine remembers.
func (r *rig) flows() []Flow {
	var out []Flow
	r.e.Flows(func(f *Flow) bool { out = append(out, *f); return true })
	return out
}

// oneFlow is the only flow there is.
func (r *rig) oneFlow() Flow {
	r.t.Helper()
	fs := r.flows()
	if len(fs) != 1 {
		r.t.Fatalf("%d flows, want one: %+v", len(fs), fs)
	}
	return fs[0]
}

// A flow is remembered with where it came from and goes to, and its packets are counted.
func TestFlow(t *testing.T) {
	r := newRig(t, remember(1000))
	r.now = 5e9
	p := ipv4(behind1, hostIP, ports(4000, 53), tos(0x20))
	for range 3 {
		r.fromWAN(fromSpoke1(p))
		r.now += 1e9
	}
	r.poll()
	f := r.oneFlow()
	want := Flow{
		Src: addr(behind1), Dst: addr(hostIP), Proto: packet.ProtoUDP, SrcPort: 4000, DstPort: 53, TOS: 0x20, InPort: wan, InTunnel: tunnelID, Adj: adjHost, OutPort: lan,
		Packets: 3, Bytes: 3 * uint64(len(p)), Age: 3e9, Idle: 1e9,
	}
	if f != want {
		t.Errorf("flow\n%+v, want\n%+v", f, want)
	}
	if n := r.e.Counters().Flows; n.Live != 1 || n.Added != 1 || n.Capacity != 1600 || n.Evicted != 0 || n.Moved != 0 {
		t.Errorf("counts %+v", n)
	}
	if len(r.lan.out) != 3 {
		t.Errorf("%d packets left, want 3", len(r.lan.out))
	}
}
