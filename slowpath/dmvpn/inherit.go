package dmvpn

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
	"nave/slowpath/nbma"
)

// Times of what outlived the process before.
const (
	// inheritedLife is how long an inherited association without a known end may stay.
	inheritedLife = ike.DefaultChildLifetime
	// inheritedGrace is for packets that the peer has on their way by an inherited association once a new one is in use, as after a rekey.
	inheritedGrace = 30 * time.Second
	// Inherited sessions are renewed within renewWithin and renewEach of each: before peers find that nobody answers their questions, and not all at once.
	renewWithin = time.Second
	renewEach   = 4 * time.Millisecond
)

// inheritedIDs is where the numbers of inherited children begin: IKE counts from 1.
const inheritedIDs ike.ChildID = 1 << 31

// Inherited is what the fast path has of the process before.
type Inherited struct {
	SAs []fib.SA // without keys
	// Sending are the outbound associations that adjacencies use: each with the AH association that goes around it, 0 for none. AH alone stands for itself.
	Sending map[fib.SAID]fib.SAID
}

// Inherit makes the machine begin with associations that the fast path has already. It comes before the first Configure. Once there is a
// protection that an association is of, the peer has a session that is up by it, and IKE is asked for a child to take its place: at once where
// somebody wants the peer, spread so that many do not come at the same moment. The old one goes when its lifetime is over, when the new one has been in use for a
// while, or when the peer answers nothing. What no protection takes is given up by Disinherit.
func (m *Machine) Inherit(in Inherited) {
	in.SAs = slices.Clone(in.SAs)
	m.inherited = in
	used := make(map[fib.SAID]bool, len(in.SAs))
	first := m.ids.next
	for i := range in.SAs {
		used[in.SAs[i].ID] = true
		m.ids.next = max(m.ids.next, in.SAs[i].ID+1)
	}
	for id := first; id < m.ids.next; id++ {
		if !used[id] {
			m.ids.free = append(m.ids.free, freed{id: id})
		}
	}
	slices.SortFunc(m.inherited.SAs, func(a, b fib.SA) int { return cmp.Compare(a.ID, b.ID) })
}

// Disinherit gives up what no protection has taken.
func (m *Machine) Disinherit(now time.Time) []Effect {
	m.begin(now)
	for i := range m.inherited.SAs {
		id := m.inherited.SAs[i].ID
		m.emit(RemoveSA{id})
		m.ids.give(id, now)
	}
	m.inherited = Inherited{}
	return m.end()
}

// Outlives tells whether associations of the process before stand with a peer.
func (m *Machine) Outlives(vrf uint16, remote netip.Addr) bool {
	for _, p := range m.protections {
		if p.VRF != vrf {
			continue
		}
		for _, s := range m.at(p.ID, remote) {
			if slices.ContainsFunc(s.children, (*child).isInherited) {
				return true
			}
		}
	}
	return false
}

func (c *child) isInherited() bool { return c.id >= inheritedIDs }

// takeOver makes sessions of the inherited associations whose protections there are.
func (m *Machine) takeOver() {
	if len(m.inherited.SAs) == 0 {
		return
	}
	type with struct {
		k       key
		remote  netip.AddrPort
		expires int64
	}
	groups := make(map[with][]fib.SA)
	m.inherited.SAs = slices.DeleteFunc(m.inherited.SAs, func(sa fib.SA) bool {
		p := m.protections[uint32(sa.Protection)]
		if p == nil || fib.VRF(p.VRF) != sa.OuterVRF || p.Local != sa.Local || p.Remote.IsValid() && p.Remote != sa.Remote {
			return false
		}
		w := with{key{p.ID, nbma.Behind(sa.Remote, sa.Inside)}, netip.AddrPortFrom(sa.Remote, sa.RemotePort), sa.Expires}
		groups[w] = append(groups[w], sa)
		return true
	})
	order := make([]with, 0, len(groups))
	for w := range groups {
		order = append(order, w)
	}
	slices.SortFunc(order, func(a, b with) int {
		return cmp.Or(cmp.Compare(a.k.protection, b.k.protection), a.k.at.Compare(b.k.at), a.remote.Compare(b.remote), cmp.Compare(a.expires, b.expires))
	})
	sessions := make(map[*session]struct{})
	for _, w := range order {
		s := m.open(m.protections[w.k.protection], w.k.at)
		sessions[s] = struct{}{}
		for _, sas := range m.pairUp(groups[w]) {
			m.inheritChild(s, sas)
		}
	}
	within := renewWithin + time.Duration(len(sessions))*renewEach
	for _, s := range m.sorted() {
		if _, ours := sessions[s]; ours {
			m.resume(s, time.Duration(m.rng.Int64N(int64(within))))
		}
	}
}

// pairUp makes children of associations with one peer that end at the same time. Which inbound one belongs to which outbound one is of no
// matter: they only come and go together.
func (m *Machine) pairUp(sas []fib.SA) (children [][]fib.SA) {
	take := func(which func(*fib.SA) bool) (out []fib.SA) {
		if k := slices.IndexFunc(sas, func(sa fib.SA) bool { return which(&sa) }); k >= 0 {
			out = append(out, sas[k])
			sas = slices.Delete(sas, k, k+1)
		}
		return out
	}
	for len(sas) > 0 {
		var c []fib.SA
		if in := take(func(sa *fib.SA) bool { return sa.Inbound && !sa.AH }); len(in) > 0 {
			c = append(take(func(sa *fib.SA) bool { return sa.ID == in[0].Under }), in...)
		} else {
			c = take(func(sa *fib.SA) bool { return sa.Inbound })
		}
		if out := take(func(sa *fib.SA) bool { return !sa.Inbound && !sa.AH }); len(out) > 0 {
			ah, known := m.inherited.Sending[out[0].ID]
			over := take(func(sa *fib.SA) bool { return ah != 0 && sa.ID == ah })
			if !known && len(c) > 1 { // not in use, and one of two: whichever is left
				over = take(func(sa *fib.SA) bool { return !sa.Inbound && sa.AH })
			}
			c = append(append(c, over...), out...)
		} else {
			c = append(c, take(func(sa *fib.SA) bool { return !sa.Inbound })...)
		}
		children = append(children, c)
	}
	return children
}

// inheritChild makes a child of associations that are installed.
func (m *Machine) inheritChild(s *session, sas []fib.SA) {
	sa := &sas[len(sas)-1] // outbound if there is one, and ESP rather than AH
	m.lastInherited++
	c := &child{
		id: inheritedIDs + m.lastInherited, session: s, sas: sas, until: m.now.Add(inheritedLife),
		replaced: sa.Inbound, // nothing can be sent by it
	}
	if sa.Expires != 0 {
		c.until = time.Unix(sa.Expires, 0)
	}
	c.spec = ike.Child{
		ID: c.id, Protection: s.protection.ID, Encap: sa.Encap, Created: m.now, Lifetime: c.until.Sub(m.now), Window: sas[0].Window,
		SoftBytes: sa.SoftBytes, HardBytes: sa.HardBytes, Transform: transformOf(sas),
		Path: ike.Path{
			VRF: s.protection.VRF, Local: netip.AddrPortFrom(sa.Local, sa.LocalPort), Remote: netip.AddrPortFrom(sa.Remote, sa.RemotePort),
		},
	}
	for i := range sas {
		o := &sas[i]
		pair := &c.spec.ESP
		if o.AH {
			pair = &c.spec.AH
		}
		if o.Inbound {
			pair.InSPI = o.SPI
		} else {
			pair.OutSPI = o.SPI
		}
		m.bySA[o.ID] = c
		if _, sends := m.inherited.Sending[o.ID]; sends {
			c.activated = true
		}
	}
	s.children = append(s.children, c)
	m.children[c.id] = c
}

// transformOf is what associations do to a packet, as IKE would say it.
func transformOf(sas []fib.SA) (t ike.Transform) {
	for i := range sas {
		sa := &sas[i]
		t.ESN, t.Tunnel = t.ESN || sa.ESN, t.Tunnel || sa.TunnelMode
		if sa.AH {
			t.AH = hashOf(sa.Auth)
			continue
		}
		t.Cipher, t.KeyBits, t.ICV, t.Auth = cipherOf(sa.Cipher), keyBits(sa), int(sa.ICV), hashOf(sa.Auth)
	}
	return t
}

// keyBits is how long the key of AES is, without the salt or nonce behind it; 0 for other ciphers, which have one length.
func keyBits(sa *fib.SA) int {
	const salt = 4
	switch sa.Cipher {
	case fib.CipherAESCBC:
		return 8 * int(sa.KeyLen)
	case fib.CipherAESCTR, fib.CipherAESGCM, fib.CipherAESGMAC:
		return 8 * max(int(sa.KeyLen)-salt, 0)
	}
	return 0
}

func cipherOf(c fib.Cipher) suite.Cipher {
	switch c {
	case fib.CipherDES:
		return suite.CipherDES
	case fib.Cipher3DES:
		return suite.Cipher3DES
	case fib.CipherAESCBC:
		return suite.CipherAESCBC
	case fib.CipherAESCTR:
		return suite.CipherAESCTR
	case fib.CipherAESGCM:
		return suite.CipherAESGCM
	case fib.CipherAESGMAC:
		return suite.CipherAESGMAC
	case fib.CipherChaCha20Poly1305:
		return suite.CipherChaCha20Poly1305
	}
	return suite.CipherNull
}

func hashOf(a fib.Auth) suite.Hash {
	switch a {
	case fib.AuthHMACMD5:
		return suite.HashMD5
	case fib.AuthHMACSHA1:
		return suite.HashSHA1
	case fib.AuthHMACSHA256, fib.AuthHMACSHA256x96:
		return suite.HashSHA256
	case fib.AuthHMACSHA384:
		return suite.HashSHA384
	case fib.AuthHMACSHA512:
		return suite.HashSHA512
	}
	return suite.HashNone
}

// resume has a session go on by what it has inherited, and renewed after a while.
func (m *Machine) resume(s *session, after time.Duration) {
	if s.active == nil {
		var best *child
		for _, c := range s.children {
			if c.replaced || !c.isInherited() {
				continue
			}
			if best == nil || c.activated && !best.activated || c.activated == best.activated && c.until.After(best.until) {
				best = c
			}
		}
		if best == nil {
			m.settle(s)
			return
		}
		s.active, s.state, s.since, s.lastUsed = best, Up, m.now, m.now
		m.secure(s)
		m.log(s, LogTakenOver, ike.WhyNone)
		for _, w := range s.wishes() {
			m.tell(s, w)
		}
	}
	s.retryAt = m.now.Add(after)
	if len(s.wanted) == 0 {
		s.releaseAt = m.now.Add(graceTime)
	}
	m.settle(s)
}

// renews tells whether the session needs a child of IKE: it has none to send by, or an inherited one.
func (s *session) renews() bool { return s.active == nil || s.active.isInherited() }

// outlived shortens the life of what is inherited, now that a child of IKE is in use.
func (m *Machine) outlived(s *session) {
	for _, c := range s.children {
		if end := m.now.Add(inheritedGrace); c.isInherited() {
			c.replaced = true
			if end.Before(c.until) {
				c.until = end
			}
		}
	}
}

// endsAt is when the first of the inherited children ends; the zero Time: there is none.
func (s *session) endsAt() (at time.Time) {
	for _, c := range s.children {
		if c.isInherited() && (at.IsZero() || c.until.Before(at)) {
			at = c.until
		}
	}
	return at
}

// endInherited takes away the inherited children whose time has come, or for a reason all of them. It returns whether the session is still there.
func (m *Machine) endInherited(s *session, all ike.Why) bool {
	k := key{s.protection.ID, s.names[0]}
	for _, c := range slices.Clone(s.children) {
		if !c.isInherited() || all == ike.WhyNone && c.until.After(m.now) || m.children[c.id] != c {
			continue
		}
		why := all
		switch {
		case all != ike.WhyNone:
		case c.replaced:
			why = ike.WhyReplaced
		default:
			why = ike.WhyExpired
		}
		m.removed(c, why)
	}
	return m.sessions[k] == s
}

// isSilent tells whether a session is up by what it has inherited, and nothing has come by that for a while.
func (s *session) isSilent(now time.Time) bool {
	return s.active != nil && s.active.isInherited() && now.Sub(s.lastHeard()) > quietAfter && now.Sub(s.since) > quietAfter/2
}

// renewSoon asks IKE for a child in the place of an inherited one that has come to a limit.
func (m *Machine) renewSoon(c *child, hard bool) {
	if hard {
		m.removed(c, ike.WhyExpired)
		return
	}
	if s := c.session; s.renews() && !s.asked {
		s.retryAt = m.now
		m.settle(s)
	}
}

// remoteOf is where IKE finds the peer: behind NAT only by the port that its packets come from.
func (s *session) remoteOf() netip.AddrPort {
	if c := s.active; c != nil && c.isInherited() && c.spec.Encap {
		return netip.AddrPortFrom(c.spec.Path.Remote.Addr(), c.spec.Path.Remote.Port())
	}
	return s.address()
}

// stray hurries the renewal of inherited sessions whose peer sends by an association that we do not have: the process before ended while it was
// negotiating.
func (m *Machine) stray(ev Stray) {
	for _, p := range m.protections {
		if p.VRF != ev.VRF || p.Local != ev.Local.Addr() {
			continue
		}
		for _, s := range slices.Clone(m.at(p.ID, ev.Remote.Addr())) {
			if s.asked || s.active == nil || !s.active.isInherited() || s.tries > 0 || s.active.spec.Encap && s.active.spec.Path.Remote.Port() != ev.Remote.Port() {
				continue
			}
			s.retryAt = m.now
			m.settle(s)
		}
	}
}
