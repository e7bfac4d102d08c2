package dmvpn

import (
	"net/netip"
	"slices"
	"time"
)

// Config is all that the machine is told. It is a value.
type Config struct {
	Protections []Protection
}

// Protection is `tunnel protection` of one tunnel, or of all tunnels of one source and profile with `shared`.
type Protection struct {
	ID      uint32 // as in ike.Protection and fib.Tunnel
	Profile string // the IPsec profile
	Shared  bool
	Ifaces  []string // tunnels, sorted
	VRF     uint16   // of the outer packets
	Local   netip.Addr
	Remote  netip.Addr // of a point-to-point tunnel; the zero Addr: any peer
	// IdleTime takes a session down that carried nothing for so long (`set security-association idle-time`); 0: never.
	IdleTime      time.Duration
	ResponderOnly bool // never asks for a child
	// NoHubBehindNAT: this hardware can be no hub behind NAT, nor a spoke of one. Hub says that a tunnel has no next hop server, so that peers are its spokes; Servers are
	// where those of the others are.
	NoHubBehindNAT, Hub bool
	Servers             []netip.Addr
	// Always are the peers that are wanted whatever NHRP says: of point-to-point tunnels without NHRP.
	Always []Always
}

// Always is a tunnel and its only peer.
type Always struct {
	Iface string
	Peer  netip.Addr
}

// same tells whether sessions of p can go on under q.
func (p *Protection) same(q *Protection) bool {
	return p.VRF == q.VRF && p.Local == q.Local && p.Remote == q.Remote
}

func (p *Protection) has(iface string) bool { return slices.Contains(p.Ifaces, iface) }
