package dmvpn

import (
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
)

// Status is a copy of what the machine knows. It holds no secret.
type Status struct {
	Sessions []SessionStatus // by protection and address of the peer
	SAs      int             // associations in the fast path, each direction counted
}

// State is how far a session has come: the state column of `show dmvpn`.
type State uint8

// The states.
const (
	Closed      State = iota // nothing wants it
	Negotiating              // no IKE SA with the peer yet: "IKE"
	Securing                 // IKE SA, no IPsec SAs yet: "IPSEC"
	Up                       // packets go under protection
)

var stateNames = [...]string{"closed", "IKE", "IPSEC", "UP"}

// String names the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// SessionStatus is one session.
type SessionStatus struct {
	Protection uint32
	Profile    string
	Shared     bool
	Ifaces     []string // tunnels of the protection
	Wanted     []string // of those, the ones whose NHRP wants the peer
	VRF        uint16
	Local      netip.Addr
	Peer       netip.Addr
	Inside     netip.Addr   // the peer's address behind NAT, where the session is named by one
	Port       uint16       // of the peer, with ESP in UDP; 0: without
	Identity   ike.Identity // of the peer, from its newest child
	State      State
	Since      time.Time      // of State
	Socket     bool           // the crypto socket is open
	Passive    bool           // the peer began, and NHRP has not asked for it
	Endpoint   netip.AddrPort // where a next hop server sees the peer; the zero AddrPort: it has not said so
	Opening    bool           // the path is being opened from both sides
	Opened     bool           // the session is up by it
	Inherited  bool           // up by associations of the process before, until IKE has made others
	Children   []ChildStatus
	Tries      int       // negotiations begun since it was last up
	NextTry    time.Time // the zero Time: none is planned
	// What ended it, or a negotiation, last; WhyNone where nothing has.
	LastWhy ike.Why
	LastEnd time.Time
	// Barred says that it was refused as a hub is behind NAT; BarredSelf, that this router is that hub.
	Barred, BarredSelf bool
}

// ChildStatus is a child of a session and its associations in the fast path; zero IDs where there are none.
type ChildStatus struct {
	Child             ike.ChildID
	IKE               ike.SAID
	Active            bool
	ESPIn, ESPOut     fib.SAID
	AHIn, AHOut       fib.SAID
	InSPI, OutSPI     uint32 // of ESP, or of AH where there is no ESP
	Remote            netip.AddrPort
	Created           time.Time
	SoftBytes         uint64
	Refused           bool // the fast path has no room for it
	HeardAt, UsedLast time.Time
	// Inherited associations are of the process before: no child of IKE stands behind them, and they end at Until.
	Inherited bool
	Until     time.Time
	// Was is what can be told of an inherited child by its associations. Nil for others.
	Was *ike.ChildStatus
}

// Status copies the state.
func (m *Machine) Status(now time.Time) Status {
	st := Status{SAs: len(m.bySA)}
	for _, s := range m.sorted() {
		p := s.protection
		out := SessionStatus{
			Protection: p.ID, Profile: p.Profile, Shared: p.Shared, Ifaces: slices.Clone(p.Ifaces), VRF: p.VRF, Local: p.Local, Peer: s.names[0].Addr, Inside: s.names[0].Inside,
			Identity: s.identity, State: s.state, Since: s.since, Socket: true, Passive: len(s.wanted) == 0, Tries: s.tries, NextTry: s.retryAt,
			LastWhy: s.lastWhy, LastEnd: s.lastEnd, Endpoint: s.endpoint, Opening: s.opening != nil, Opened: s.endpoint.IsValid() && s.active != nil,
			Barred: s.barred, BarredSelf: s.barredSelf,
		}
		for _, w := range s.wishes() {
			if !slices.Contains(out.Wanted, w.iface) {
				out.Wanted = append(out.Wanted, w.iface)
			}
		}
		if s.asked {
			out.NextTry = time.Time{}
		}
		for _, c := range s.children {
			out.Children = append(out.Children, c.status(s.active == c))
			if c == s.active {
				out.Peer = c.spec.Path.Remote.Addr()
			}
			if c.spec.Encap && (c == s.active || out.Port == 0) {
				out.Port = c.spec.Path.Remote.Port()
			}
		}
		out.Inherited = s.active != nil && s.active.isInherited()
		st.Sessions = append(st.Sessions, out)
	}
	return st
}

func (c *child) status(active bool) ChildStatus {
	out := ChildStatus{
		Child: c.id, IKE: c.spec.SA, Active: active, InSPI: c.spec.ESP.InSPI, OutSPI: c.spec.ESP.OutSPI, Remote: c.spec.Path.Remote,
		Created: c.spec.Created, Refused: c.refused, HeardAt: c.heard, UsedLast: c.used, Inherited: c.isInherited(), Until: c.until,
	}
	if c.isInherited() {
		k := &c.spec
		out.Was = &ike.ChildStatus{
			ID: c.id, Protection: k.Protection, Path: k.Path, Encap: k.Encap, Transform: k.Transform, Window: k.Window, Created: k.Created,
			Lifetime: k.Lifetime, ESP: ike.SPIs{In: k.ESP.InSPI, Out: k.ESP.OutSPI}, AH: ike.SPIs{In: k.AH.InSPI, Out: k.AH.OutSPI}, Active: active,
		}
	}
	if out.InSPI == 0 {
		out.InSPI, out.OutSPI = c.spec.AH.InSPI, c.spec.AH.OutSPI
	}
	for i := range c.sas {
		switch sa := &c.sas[i]; {
		case sa.AH && sa.Inbound:
			out.AHIn = sa.ID
		case sa.AH:
			out.AHOut = sa.ID
		case sa.Inbound:
			out.ESPIn = sa.ID
		default:
			out.ESPOut, out.SoftBytes = sa.ID, sa.SoftBytes
		}
	}
	return out
}
