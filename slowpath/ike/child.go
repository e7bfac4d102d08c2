package ike

import (
	"net/netip"
	"time"

	"nave/slowpath/ike/suite"
)

// SAID numbers IKE SAs, ChildID the children of all of them. They are never used again; zero is none.
type (
	SAID    uint32
	ChildID uint32
)

// Path is where IKE messages come from and go to.
type Path struct {
	VRF    uint16
	Local  netip.AddrPort
	Remote netip.AddrPort
}

// Child is a pair of IPsec SAs (of each protocol that Transform has), as negotiated.
type Child struct {
	ID         ChildID
	SA         SAID // the IKE SA that made it
	Version    int
	Initiator  bool // we asked for it
	Protection uint32
	// Path is between which outer addresses it leads. With Encap the ports are those of UDP (RFC 3948).
	Path      Path
	Encap     bool
	NAT       NAT // which side is behind it, as far as IKE looks for that
	Transform Transform
	Window    uint16
	ESP, AH   Pair
	PFS       suite.Group

	Lifetime  time.Duration // after Created; engines rekey before
	SoftBytes uint64        // Volume is wanted from here on; 0: never
	HardBytes uint64        // the fast path ends it here; 0: never
	Created   time.Time

	Peer, Self Identity
	// Claimed is the peer's own address as it says in its selectors: another than Path.Remote behind NAT.
	Claimed  netip.Addr
	Replaces ChildID // the child that this one takes the place of; 0: none
}

// Pair is the two SAs of one protocol. SPIs are zero without it.
type Pair struct {
	InSPI, OutSPI uint32
	In, Out       Keys
}

// Keys is the key material of one SA: Cipher with the salt or nonce at its end.
type Keys struct{ Cipher, Auth Secret }

// Clear overwrites all keys of the child.
func (c *Child) Clear() {
	for _, p := range []*Pair{&c.ESP, &c.AH} {
		for _, k := range []*Keys{&p.In, &p.Out} {
			k.Cipher.Clear()
			k.Auth.Clear()
		}
	}
}
