package show

import (
	"fmt"
	"strings"

	"nave/slowpath"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
)

// child writes what becomes of a pair of IPsec SAs.
func (b *traceLines) child(t *slowpath.Traced, e *slowpath.ChildTrace) {
	c := &e.Child
	switch e.Kind {
	case slowpath.ChildInstalled:
		b.add("IPSEC(create_sa): sa created, peer %s, ifc %s, child %d", withPort(c.Path.Remote), tunnelsText(t), c.ID)
		b.spis("ESP", c.ESP)
		b.spis("AH", c.AH)
		encap := mode(c.Transform)
		if c.Encap {
			encap += " UDP-Encaps"
		}
		b.add("    transform= %s (%s), lifetime= %ds", transformText(c.Transform), encap, int(c.Lifetime.Seconds()))
	case slowpath.ChildActive:
		b.add("IPSEC(update_current_outbound_sa): packets to peer %s leave by child %d", withPort(c.Path.Remote), c.ID)
		b.spis("ESP", c.ESP)
		b.spis("AH", c.AH)
	case slowpath.ChildRemoved:
		b.add("IPSEC(delete_sa): deleting SA, peer %s, child %d: %s", withPort(c.Path.Remote), c.ID, reason(c.Version, e.Why, 0, ""))
		b.spis("ESP", c.ESP)
		b.spis("AH", c.AH)
	case slowpath.ChildMoved:
		b.add("IPSEC(rehome): peer of child %d is reached at %s", c.ID, withPort(c.Path.Remote))
	case slowpath.ChildFailed:
		b.add("IPSEC(key_engine): no SA with %s, ifc %s: %s", withPort(c.Path.Remote), tunnelsText(t), reason(c.Version, e.Why, 0, ""))
	}
}

func (b *traceLines) spis(proto string, s ike.SPIs) {
	if s != (ike.SPIs{}) {
		b.add("    %s inbound spi= 0x%X(%d), outbound spi= 0x%X(%d)", proto, s.In, s.In, s.Out, s.Out)
	}
}

func tunnelsText(t *slowpath.Traced) string { return orNone(strings.Join(t.Ifaces, ",")) }

// session writes what a session wants done.
func (b *traceLines) session(t *slowpath.Traced, event any) {
	switch e := event.(type) {
	case dmvpn.Secure:
		how := fmt.Sprintf("SA %d", e.Way.SA)
		if e.Way.SA == 0 {
			how = fmt.Sprintf("AH SA %d", e.Way.AH)
		} else if e.Way.AH != 0 {
			how += fmt.Sprintf(" and AH SA %d", e.Way.AH)
		}
		if e.Way.Encap {
			how += fmt.Sprintf(" in UDP %d to port %d", e.Way.LocalPort, e.Way.RemotePort)
		}
		b.add("IPSEC-IFC MGRE/%s(%s): packets leave protected by %s to %s", e.Iface, e.NBMA, how, e.Way.To)
	case dmvpn.Unsecure:
		b.add("IPSEC-IFC MGRE/%s(%s): nothing leaves any more", e.Iface, e.NBMA)
	case dmvpn.ToIKE:
		switch ev := e.Event.(type) {
		case ike.Initiate:
			b.add("CRYPTO_SS(TUNNEL SEC): Sending request for CRYPTO SS to IKE: remote %s, ifc %s", withPort(ev.Remote), tunnelsText(t))
		case ike.Release:
			b.add("CRYPTO_SS(TUNNEL SEC): Sending release of CRYPTO SS to IKE: remote %s, ifc %s", withPort(ev.Remote), tunnelsText(t))
		}
	}
}

// sessionLog writes a line of a session: that of its crypto socket, or what the log says, too.
func (b *traceLines) sessionLog(e *dmvpn.Log) {
	where := strings.Join(e.Ifaces, ",")
	switch e.Kind {
	case dmvpn.LogSocketOpen:
		b.add("CRYPTO_SS(TUNNEL SEC): Socket is now OPEN: local %s, remote %s, prot 47, ifc %s", e.Local, e.Peer.Addr(), where)
		return
	case dmvpn.LogSocketClosed:
		due := ""
		if r := reason(0, e.Why, 0, ""); r != "" {
			due = ": " + r
		}
		b.add("CRYPTO_SS(TUNNEL SEC): Socket is now CLOSED: local %s, remote %s, prot 47, ifc %s%s", e.Local, e.Peer.Addr(), where, due)
		return
	}
	if text, _ := logSession(e); text != "" {
		b.add("IPSEC-IFC MGRE/%s(%s): %s", where, withPort(e.Peer), withoutMnemonic(text))
	}
}
