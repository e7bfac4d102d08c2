package dmvpn

import (
	"net/netip"
	"slices"

	"nave/slowpath/ike"
	"nave/slowpath/nbma"
)

// Who is at an address. Behind PAT there may be any number of peers, each with a session of its own: their packets come from ports that differ, and each
// has an address behind NAT that IKE tells of (ike.Child.Claimed). A child says by that to which of the sessions it belongs.

// place is an address that sessions of a protection are at.
type place struct {
	protection uint32
	addr       netip.Addr
}

// called makes a session known by a name.
func (m *Machine) called(s *session, at nbma.Address) {
	p := place{s.protection.ID, at.Addr}
	m.sessions[key{s.protection.ID, at}] = s
	if !slices.Contains(m.places[p], s) {
		m.places[p] = append(m.places[p], s)
	}
}

// uncalled is the reverse of called; the name must not be among the session's any more.
func (m *Machine) uncalled(s *session, at nbma.Address) {
	if k := (key{s.protection.ID, at}); m.sessions[k] == s {
		delete(m.sessions, k)
	}
	if s.isAt(at.Addr) {
		return
	}
	p := place{s.protection.ID, at.Addr}
	m.places[p] = slices.DeleteFunc(m.places[p], func(o *session) bool { return o == s })
	if len(m.places[p]) == 0 {
		delete(m.places, p)
	}
}

// at lists the sessions with peers at an address, in the order they came there. The caller keeps no part of it.
func (m *Machine) at(protection uint32, addr netip.Addr) []*session {
	return m.places[place{protection, addr}]
}

// find is the session that a wish of NHRP is about; nil: there is none. NHRP may know a peer by another name than its children gave the session: the
// address behind NAT is not always known to either.
func (m *Machine) find(p *Protection, at nbma.Address) *session {
	if s := m.sessions[key{p.ID, at}]; s != nil {
		return s
	}
	if at.Inside.IsValid() {
		if s := m.sessions[key{p.ID, nbma.Of(at.Addr)}]; s != nil && s.claim == at.Inside {
			return s
		}
		return nil
	}
	if here := m.at(p.ID, at.Addr); len(here) == 1 && len(here[0].wanted) == 0 && here[0].active != nil {
		return here[0] // who is there has come by itself
	}
	return nil
}

// claimed is what a child tells of its peer's own address; the zero Addr: nothing. Who has begun a negotiation of IKEv1 is not told it by the other side,
// and has the address that it sees.
func claimed(k *ike.Child) netip.Addr {
	a := k.Claimed.Unmap()
	if k.Initiator && a == k.Path.Remote.Addr() || a.IsUnspecified() {
		return netip.Addr{}
	}
	return a
}

// owner is the session that a child belongs to, and the name that a new one would have; nil: there is none yet.
func (m *Machine) owner(p *Protection, k *ike.Child) (*session, nbma.Address) {
	remote, claim := k.Path.Remote, claimed(k)
	name := nbma.Behind(remote.Addr(), claim)
	if p.Remote.IsValid() {
		name = nbma.Of(remote.Addr()) // a point-to-point tunnel has one peer, whatever it calls itself
	}
	if s := m.endpoints[openKey{p.ID, remote}]; s != nil && k.Initiator {
		return s, name // the path was opened for it
	}
	here := m.at(p.ID, remote.Addr())
	if s := m.kin(p, k, here); s != nil {
		return s, name
	}
	if k.Initiator {
		for _, s := range here {
			if s.asked && s.takes(claim) && (s.askedAt.Port() == 0 || s.askedAt.Port() == portIKE || s.askedAt.Port() == remote.Port()) {
				return s, name
			}
		}
	}
	if s := m.sessions[key{p.ID, name}]; s != nil {
		return s, name
	}
	if s := m.sessions[key{p.ID, nbma.Of(remote.Addr())}]; s != nil && s.takes(claim) && !(claim.IsValid() && s.differs(k)) {
		return s, name
	}
	return nil, name
}

// portIKE is where IKE begins.
const portIKE = 500

// kin is the session of another child that is surely of the same peer: the one that this one takes the place of, one of the same IKE SA, or one that comes
// from the same port of the same address.
func (m *Machine) kin(p *Protection, k *ike.Child, here []*session) *session {
	if o := m.children[k.Replaces]; o != nil && o.session.protection == p {
		return o.session
	}
	for _, s := range here {
		for _, c := range s.children {
			sameSA := k.SA != 0 && c.spec.SA == k.SA
			samePort := k.Encap && c.spec.Encap && c.spec.Path.Remote == k.Path.Remote && (c.isInherited() || c.spec.Peer == k.Peer)
			if sameSA || samePort && s.takes(claimed(k)) {
				return s
			}
		}
	}
	return nil
}

// takes tells whether a peer that calls itself so may be the session's. What is not known is no reason against it.
func (s *session) takes(claim netip.Addr) bool {
	return !claim.IsValid() || !s.claim.IsValid() || s.claim == claim
}

// mistaken ends the attempts to reach other peers at the address where a child that we have asked for has come up with this one: a NAT box leads there to one of many.
func (m *Machine) mistaken(of *session, k *ike.Child) {
	if !k.Initiator {
		return
	}
	for _, s := range slices.Clone(m.at(of.protection.ID, k.Path.Remote.Addr())) {
		if s != of && s.asked && s.askedAt.Port() != k.Path.Remote.Port() && s.askedAt.Port() != 0 {
			continue
		}
		if s != of && s.asked && !s.takes(claimed(k)) {
			m.failed(s, ike.WhyIdentity)
		}
	}
}

// asker is the session that IKE's answer about an address and port is for; nil: none is.
func (m *Machine) asker(protection uint32, remote netip.AddrPort) (found *session) {
	here := m.at(protection, remote.Addr())
	for _, s := range here {
		switch {
		case !s.asked:
		case s.askedAt.Port() == remote.Port():
			return s
		case found == nil:
			found = s
		}
	}
	if found == nil && len(here) == 1 {
		return here[0]
	}
	return found
}

// shares tells whether other peers are at the address of the session's.
func (m *Machine) shares(s *session) bool { return len(m.at(s.protection.ID, s.names[0].Addr)) > 1 }

// isHidden tells whether nobody can call the session's peer: others behind the same address are in touch with us, and it is not known at which port it is.
func (m *Machine) isHidden(s *session) bool {
	if !s.names[0].Inside.IsValid() || s.remoteOf().Port() != 0 {
		return false
	}
	return slices.ContainsFunc(m.at(s.protection.ID, s.names[0].Addr), func(o *session) bool { return o != s && o.active != nil && o.claim != s.claim })
}

// release has IKE take down what it has with a session's peer, and with nobody else at its address.
func (m *Machine) release(s *session) {
	if !m.shares(s) {
		m.emit(ToIKE{ike.Release{Protection: s.protection.ID, Remote: s.address()}})
		return
	}
	if s.asked && s.askedAt.Port() != 0 {
		m.emit(ToIKE{ike.Release{Protection: s.protection.ID, Remote: s.askedAt}})
	}
	for _, c := range s.children {
		if !c.isInherited() {
			m.emit(ToIKE{ike.Drop{Child: c.id}})
		}
	}
}
