package ldp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ldp/ldpmsg"
	"nave/testbed/golden"
)

// TestGoldenFRR puts a machine in the place of the hub of a capture: FRR's spokes say what they said then, and have to be answered as their hub answered.
func TestGoldenFRR(t *testing.T) {
	n := newNet(t)
	b := n.add("hub", "10.255.0.1", [3]string{"Tunnel0", "mgre", "10.255.0.1"})
	b.start()
	b.route(FromIGP, "10.1.0.0/24", "Tunnel0", "10.255.0.11")
	b.route(FromIGP, "10.2.0.0/24", "Tunnel0", "10.255.0.12")
	said := map[netip.Addr][]ldpmsg.Type{} // by the machine, and by the hub of the capture
	then := map[netip.Addr][]ldpmsg.Type{}
	conns := map[netip.Addr]Conn{}
	hub := ip("10.255.0.1")
	first := map[ldpmsg.Type]bool{ldpmsg.TypeInitialization: true, ldpmsg.TypeKeepAlive: true, ldpmsg.TypeAddress: true}
	collect := func(into map[netip.Addr][]ldpmsg.Type, to netip.Addr, data []byte) {
		for len(data) > 0 {
			k, _ := ldpmsg.Frame(data, ownMaxPDU)
			_, body, err := ldpmsg.ParsePDU(data, ownMaxPDU)
			for err == nil && len(body) > 0 {
				var raw ldpmsg.Raw
				if raw, body, err = ldpmsg.Next(body); first[raw.Type] {
					into[to] = append(into[to], raw.Type)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			data = data[k:]
		}
	}
	var begin time.Time
	for _, p := range golden.LDP(t, "frr8.4-ldp-mgre.pcap") {
		if begin.IsZero() {
			begin = p.Time
		}
		n.run(begin.Add(n.now.Sub(epoch)).Sub(p.Time) * -1)
		from := p.From.Addr()
		switch {
		case from == hub:
			if p.TCP {
				collect(then, p.To.Addr(), p.Payload)
			}
			continue
		case !p.TCP:
			b.handle(HelloReceived{"Tunnel0", from, p.Payload})
			continue
		case conns[from] == 0:
			conns[from] = Inbound | Conn(len(conns)+1)
			b.handle(Accepted{conns[from], p.To, p.From, false})
		}
		for _, e := range b.handle(Data{conns[from], p.Payload}) {
			if s, ok := e.(Send); ok {
				collect(said, from, s.Bytes)
			}
		}
	}
	for _, spoke := range []string{"10.255.0.11", "10.255.0.12"} {
		st, _ := b.neighbor(spoke)
		if st.State != StateOperational || st.Active || st.KeepAlive != 180*time.Second || st.PeerAddr.Addr() != ip(spoke) || len(st.Addresses) != 3 {
			t.Errorf("%+v", st)
		}
		if !bytes.Equal(types(said[ip(spoke)]), types(then[ip(spoke)])) {
			t.Errorf("to %s: %v, not %v", spoke, said[ip(spoke)], then[ip(spoke)])
		}
	}
	b.expect(t, "10.1.0.0/24", "Tunnel0", "10.255.0.11", 3)
	b.expect(t, "10.2.0.0/24", "Tunnel0", "10.255.0.12", 3)
	for _, l := range b.logs {
		if l.Kind != LogNeighborUp {
			t.Errorf("%+v", l)
		}
	}
}

func types(ts []ldpmsg.Type) (out []byte) {
	for _, t := range ts {
		out = append(out, byte(t>>8), byte(t))
	}
	return out
}

// TestGoldenSession hears one side of a session, with loop detection and addresses of IPv6, which make no difference to what is learned.
func TestGoldenSession(t *testing.T) {
	n := newNet(t)
	b := n.add("b", "192.168.0.1", [3]string{"Ethernet0/0", "one", "12.0.0.1"}, [3]string{"Ethernet0/1", "two", "12.1.3.1"})
	b.start()
	b.route(FromIGP, "192.168.0.2/32", "Ethernet0/0", "12.0.0.2")
	var labels []int
	unbound := 0
	conn := Inbound | 1
	accepted := false
	for _, p := range golden.LDP(t, "ldp-common-session.pcap") {
		switch {
		case p.To.Addr() == ip("224.0.0.2"):
			iface := "Ethernet0/0"
			if p.From.Addr() == ip("12.1.3.2") {
				iface = "Ethernet0/1"
			}
			b.handle(HelloReceived{iface, p.From.Addr(), p.Payload})
			continue
		case p.Frame == 1: // the end of the session before
			continue
		case !accepted:
			accepted = true
			b.handle(Accepted{conn, p.To, p.From, false})
		}
		for _, e := range b.handle(Data{conn, p.Payload}) {
			switch e := e.(type) {
			case Bind:
				labels = append(labels, int(e.Out))
			case Unbind:
				unbound++
			}
		}
	}
	st, _ := b.neighbor("192.168.0.2")
	if st.State != StateOperational || st.KeepAlive != 30*time.Second || len(st.Sources) != 1 || len(st.Addresses) == 0 || st.Bindings == 0 {
		t.Errorf("%+v", st)
	}
	// The other link has another label space, which is another neighbor, whose session is ours to open.
	if o, ok := b.neighbor("172.168.0.2"); !ok || !o.Active || len(b.connects) != 1 {
		t.Errorf("%+v", o)
	}
	if len(labels) == 0 || labels[0] != 3 || b.logged(LogMalformed, ldpmsg.UnsupportedFamily, false) != 1 {
		t.Errorf("labels %v, %d times none; %v", labels, unbound, b.logs)
	}
}
