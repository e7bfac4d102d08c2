package show

import (
	"fmt"
	"net/netip"
	"strings"

	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

// portNATT is where peers behind no NAT, or one that leaves ports alone, have IPsec in UDP (RFC 3948).
const portNATT = 4500

// peerPlace is an address of peers of a tunnel.
type peerPlace struct {
	iface string
	addr  netip.Addr
}

// peerSessions finds the sessions of tunnels with peers at an address: there may be thousands.
type peerSessions map[peerPlace][]*dmvpn.SessionStatus

func (s *Status) peerSessions() peerSessions {
	out := make(peerSessions)
	for k := range s.Router.Sessions.Sessions {
		c := &s.Router.Sessions.Sessions[k]
		for _, name := range c.Ifaces {
			p := peerPlace{name, c.Peer}
			out[p] = append(out[p], c)
		}
	}
	return out
}

// with is the session with a peer; nil: there is none.
func (l peerSessions) with(iface string, addr, inside netip.Addr) *dmvpn.SessionStatus {
	here := l[peerPlace{iface, addr}]
	for _, c := range here {
		if c.Inside == inside {
			return c
		}
	}
	if len(here) == 1 {
		return here[0]
	}
	return nil
}

// entry is the session with the peer that an entry is about.
func (l peerSessions) entry(e *nhrp.EntryStatus) *dmvpn.SessionStatus {
	if e.Direct.IsValid() {
		return l.with(e.Iface, e.Direct, e.Inside)
	}
	if e.Flags&nhrp.FlagVia != 0 {
		return nil // it is not known where the peer is
	}
	return l.with(e.Iface, e.NBMA, e.Inside)
}

// natPort is the port that a NAT box has given a peer; 0: none that is worth saying.
func natPort(c *dmvpn.SessionStatus) uint16 {
	if c == nil || c.Port == portNATT {
		return 0
	}
	return c.Port
}

// nbmaText is where a peer is, with its port where a NAT box has chosen that.
func (l peerSessions) nbmaText(iface string, addr, inside netip.Addr) string {
	if port := natPort(l.with(iface, addr, inside)); port != 0 {
		return netip.AddrPortFrom(addr, port).String()
	}
	return address(addr)
}

// unreached says why there is no session with a peer, and when it is tried again; "" where there is one, or nothing is known.
func (s *Status) unreached(c *dmvpn.SessionStatus) string {
	if c == nil || c.State == dmvpn.Up || c.LastWhy == ike.WhyNone {
		return ""
	}
	text := "not reached: " + reasons[c.LastWhy]
	if c.Tries > 0 {
		text += fmt.Sprintf("; tried %d times", c.Tries)
	}
	if !c.NextTry.IsZero() {
		text += fmt.Sprintf(", again in %s", elapsed(max(0, c.NextTry.Sub(s.Time))))
	}
	return text
}

// barredText says that a session is refused by what the hardware can't be; "" for others.
func (s *Status) barredText(c *dmvpn.SessionStatus) string {
	if !c.Barred || c.State == dmvpn.Up {
		return ""
	}
	who := "the hub is"
	if c.BarredSelf {
		who = "this router, the hub, is"
	}
	text := fmt.Sprintf("  Refused: %s behind NAT, and this hardware can be no hub behind NAT, nor a spoke of one", who)
	if h := s.Hardware; h != nil && h.Profile != nil {
		text += " (" + follows(h.Profile, "nat.hub") + ")"
	}
	if !c.NextTry.IsZero() {
		text += fmt.Sprintf("; tried again in %s", elapsed(max(0, c.NextTry.Sub(s.Time))))
	}
	return text + "\n"
}

// natHub is a line about a hub that is where the hardware can have none.
func natHub(tunnels string, l *dmvpn.Log) (text string, severity int) {
	if l.Self {
		return message("DMVPN", severityError, "NAT_HUB", "%s: this router, a hub, is behind NAT (as seen with %s), and this hardware can be no hub behind NAT: peers are refused; "+
			"give it the public address itself, or take another hardware profile", tunnels, withPort(l.Peer))
	}
	return message("DMVPN", severityError, "NAT_HUB", "%s: hub %s is behind NAT, and this hardware can be no spoke of such a hub: it is refused; "+
		"give the hub the public address itself, or take another hardware profile", tunnels, withPort(l.Peer))
}

// natPeers tells of an interface's peers behind NAT what `show dmvpn` has no column for.
func (s *Status) natPeers(b *strings.Builder, i *nhrp.InterfaceStatus, l peerSessions) {
	for _, p := range i.Peers {
		if !p.NATed || p.Local {
			continue
		}
		fmt.Fprintf(b, "  %s (%s) is behind NAT", l.nbmaText(i.Name, p.NBMA, p.Inside), address(p.Tunnel))
		if p.Inside.IsValid() {
			fmt.Fprintf(b, ", where it is %s", p.Inside)
		}
		if why := s.unreached(l.with(i.Name, p.NBMA, p.Inside)); why != "" && p.NoSocket {
			fmt.Fprintf(b, "; %s; its traffic takes the next hop server", why)
		}
		b.WriteString("\n")
	}
}

// natRow adds to a row of JSON where a peer behind NAT is.
func natRow(row map[string]any, c *dmvpn.SessionStatus, inside netip.Addr) {
	row["nbma_inside"], row["nbma_port"] = orInvalid(inside), any(nil)
	if c == nil {
		return
	}
	if c.Port != 0 {
		row["nbma_port"] = c.Port
	}
	if c.State != dmvpn.Up && c.LastWhy != ike.WhyNone {
		row["unreached"], row["tries"], row["next_try"] = c.LastWhy.String(), c.Tries, orNull(c.NextTry)
	}
}

// orInvalid is an address, or null where there is none.
func orInvalid(a netip.Addr) any {
	if !a.IsValid() {
		return nil
	}
	return a
}
