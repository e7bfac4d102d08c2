package dmvpn

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
	"nave/slowpath/nhrp"
)

// child is a child of IKE, and its associations in the fast path.
type child struct {
	id        ike.ChildID
	session   *session
	spec      ike.Child // without keys
	sas       []fib.SA  // inbound before outbound, AH before the ESP over it; with keys of our own
	activated bool
	replaced  bool // another was activated in its place: the peer takes nothing by it any more
	refused   bool
	heard     time.Time
	used      time.Time
	until     time.Time // of an inherited child: its end
}

// idPool hands out dense numbers; those given back rest before they come again, so that a late word about an old one finds nothing, and no
// batch removes and installs the same one.
type idPool struct {
	next fib.SAID
	free []freed
}

type freed struct {
	id fib.SAID
	at time.Time
}

// take is the lowest number that has rested, or a new one: low numbers are sure to be among those that the fast path has.
func (p *idPool) take(now time.Time) fib.SAID {
	const rest = 30 * time.Second
	lowest := -1
	for i, f := range p.free {
		if now.Sub(f.at) < rest {
			break
		}
		if lowest < 0 || f.id < p.free[lowest].id {
			lowest = i
		}
	}
	if lowest >= 0 {
		v := p.free[lowest].id
		p.free = slices.Delete(p.free, lowest, lowest+1)
		return v
	}
	p.next++
	return p.next - 1
}

func (p *idPool) give(v fib.SAID, now time.Time) { p.free = append(p.free, freed{v, now}) }

// install puts a child's associations into the fast path. A peer that nobody has asked for opens its session itself.
func (m *Machine) install(k *ike.Child) {
	p := m.protections[k.Protection]
	if p == nil || m.children[k.ID] != nil {
		m.emit(ToIKE{ike.Drop{Child: k.ID}})
		return
	}
	remote := netip.AddrPortFrom(k.Path.Remote.Addr().Unmap(), k.Path.Remote.Port())
	k.Path.Remote = remote
	s, name := m.owner(p, k)
	if s != nil && s.isOther(k) && !m.makeWay(s, k) {
		m.emit(ToIKE{ike.Drop{Child: k.ID}})
		return
	}
	if yes, self := p.bars(s, k); yes {
		m.refuseNew(p, s, name, k, self)
		return
	}
	c := &child{id: k.ID, spec: *k}
	c.spec.ESP, c.spec.AH = withoutKeys(k.ESP), withoutKeys(k.AH)
	if err := m.associate(c, k); err != nil {
		m.emit(ToIKE{ike.Drop{Child: k.ID}})
		return
	}
	if s == nil {
		s = m.open(p, name)
	}
	if claim := claimed(k); claim.IsValid() {
		s.claim = claim
	}
	m.alias(s, s.name(remote.Addr()))
	for i := range c.sas {
		c.sas[i].Inside = s.names[0].Inside
	}
	c.session = s
	s.children = append(s.children, c)
	s.identity = k.Peer
	m.children[c.id] = c
	for i := range c.sas {
		m.bySA[c.sas[i].ID] = c
		m.emit(InstallSA{withOwnKeys(&c.sas[i])})
	}
	if len(s.wanted) == 0 && s.releaseAt.IsZero() {
		s.releaseAt = m.now.Add(graceTime)
	}
	m.settle(s)
	m.mistaken(s, k)
}

func withoutKeys(p ike.Pair) ike.Pair { return ike.Pair{InSPI: p.InSPI, OutSPI: p.OutSPI} }

// withOwnKeys is a copy of an association for whoever clears it when it is used.
func withOwnKeys(sa *fib.SA) fib.SA {
	out := *sa
	out.CipherKey, out.AuthKey = slices.Clone(sa.CipherKey), slices.Clone(sa.AuthKey)
	return out
}

// associate makes the fast path's associations of a child.
func (m *Machine) associate(c *child, k *ike.Child) error {
	t := &k.Transform
	if k.Encap && (t.AH != suite.HashNone || k.Path.Remote.Port() == 0 || k.Path.Local.Port() == 0) {
		return fmt.Errorf("dmvpn: child %d: no UDP around AH, and none without ports", k.ID)
	}
	both := func(ah bool, pair *ike.Pair, cipher fib.Cipher, auth fib.Auth) {
		in, out := m.association(k, ah, pair.InSPI, &pair.In), m.association(k, ah, pair.OutSPI, &pair.Out)
		in.Inbound = true
		in.Cipher, out.Cipher, in.Auth, out.Auth = cipher, cipher, auth, auth
		if !ah {
			in.ICV, out.ICV = uint8(t.ICV), uint8(t.ICV)
			in.TunnelMode, out.TunnelMode = t.Tunnel, t.Tunnel
		} else if t.Cipher == suite.CipherNone {
			in.TunnelMode, out.TunnelMode = t.Tunnel, t.Tunnel
		}
		in.Window = window(k.Window)
		c.sas = append(c.sas, in, out)
	}
	cipher, auth, err := algorithms(t)
	if err != nil {
		return err
	}
	if t.AH != suite.HashNone {
		ah, err := authOf(t.AH)
		if err != nil {
			return err
		}
		both(true, &k.AH, fib.CipherNull, ah)
	}
	if t.Cipher != suite.CipherNone {
		both(false, &k.ESP, cipher, auth)
	}
	if len(c.sas) == 0 {
		return fmt.Errorf("dmvpn: child %d protects nothing", k.ID)
	}
	if len(c.sas) == 4 {
		c.sas[2].Under, c.sas[0].Over = c.sas[0].ID, true
		c.sas[1], c.sas[2] = c.sas[2], c.sas[1] // inbound first
	}
	return nil
}

// association is one direction, as far as both have it in common. Its limits are drawn: a pair of routers that made many children at once
// does not rekey them all at once.
func (m *Machine) association(k *ike.Child, ah bool, spi uint32, keys *ike.Keys) fib.SA {
	sa := fib.SA{
		ID: m.ids.take(m.now), AH: ah, SPI: spi, OuterVRF: fib.VRF(k.Path.VRF), Local: k.Path.Local.Addr().Unmap(), Remote: k.Path.Remote.Addr(),
		CipherKey: slices.Clone(fib.Key(keys.Cipher)), AuthKey: slices.Clone(fib.Key(keys.Auth)), ESN: k.Transform.ESN,
		Protection: fib.ProtectionID(k.Protection), SoftBytes: k.SoftBytes, HardBytes: k.HardBytes,
	}
	if k.Lifetime > 0 {
		sa.Expires = k.Created.Add(k.Lifetime).Unix()
	}
	if k.Encap {
		sa.Encap, sa.LocalPort, sa.RemotePort = true, k.Path.Local.Port(), k.Path.Remote.Port()
	}
	if n := k.SoftBytes / 10; n > 0 {
		sa.SoftBytes -= m.rng.Uint64N(n)
	}
	if sa.HardBytes > 0 && sa.SoftBytes >= sa.HardBytes {
		sa.SoftBytes = sa.HardBytes - sa.HardBytes/10
	}
	return sa
}

// window is a replay window that the fast path has: multiples of 64 up to 1024.
func window(n uint16) uint16 { return min(1024, (n+63)/64*64) }

// algorithms are those of ESP.
func algorithms(t *ike.Transform) (fib.Cipher, fib.Auth, error) {
	auth, err := authOf(t.Auth)
	if err != nil {
		return 0, 0, err
	}
	switch t.Cipher {
	case suite.CipherNone, suite.CipherNull:
		return fib.CipherNull, auth, nil
	case suite.CipherDES:
		return fib.CipherDES, auth, nil
	case suite.Cipher3DES:
		return fib.Cipher3DES, auth, nil
	case suite.CipherAESCBC:
		return fib.CipherAESCBC, auth, nil
	case suite.CipherAESCTR:
		return fib.CipherAESCTR, auth, nil
	case suite.CipherAESGCM:
		return fib.CipherAESGCM, auth, nil
	case suite.CipherAESGMAC:
		return fib.CipherAESGMAC, auth, nil
	case suite.CipherChaCha20Poly1305:
		return fib.CipherChaCha20Poly1305, auth, nil
	}
	return 0, 0, fmt.Errorf("dmvpn: the fast path has no cipher %d", t.Cipher)
}

func authOf(h suite.Hash) (fib.Auth, error) {
	switch h {
	case suite.HashNone:
		return fib.AuthNone, nil
	case suite.HashMD5:
		return fib.AuthHMACMD5, nil
	case suite.HashSHA1:
		return fib.AuthHMACSHA1, nil
	case suite.HashSHA256:
		return fib.AuthHMACSHA256, nil
	case suite.HashSHA384:
		return fib.AuthHMACSHA384, nil
	case suite.HashSHA512:
		return fib.AuthHMACSHA512, nil
	}
	return 0, fmt.Errorf("dmvpn: the fast path has no integrity algorithm %d", h)
}

// activate has a child sent by, in the place of the one before.
func (m *Machine) activate(c *child) {
	c.activated, c.replaced = true, false
	if old := m.children[c.spec.Replaces]; old != nil {
		old.replaced = true
	}
	s := c.session
	m.replaceOld(c)
	m.movedOn(c)
	m.use(s, c)
	m.outlived(s)
	if m.now.Sub(s.since) >= stableAfter {
		s.tries = 0
	}
	m.settle(s)
}

// removed takes a child away. The newest of the others takes over, one that was sent by before if there is such; one that stays for its late
// packets only does not.
func (m *Machine) removed(c *child, why ike.Why) {
	s := c.session
	s.children = slices.DeleteFunc(s.children, func(o *child) bool { return o == c })
	if s.active == c {
		if next := s.fallback(); next != nil {
			m.use(s, next)
		} else {
			m.down(s, why)
		}
	}
	m.discard(c)
	if len(s.children) == 0 && len(s.wanted) == 0 {
		m.drop(s)
		return
	}
	if s.asked && s.active == nil && len(s.children) == 0 { // the peer took it away before it was used: IKE has made it, and says no more
		m.failed(s, why)
		return
	}
	m.settle(s)
}

func (s *session) fallback() *child {
	var best *child
	for _, c := range s.children {
		if !c.refused && !c.replaced && (best == nil || c.activated || !best.activated) {
			best = c
		}
	}
	return best
}

// discard takes a child's associations out of the fast path, and clears their keys.
func (m *Machine) discard(c *child) {
	for i := range c.sas {
		sa := &c.sas[i]
		clear(sa.CipherKey)
		clear(sa.AuthKey)
		delete(m.bySA, sa.ID)
		m.emit(RemoveSA{sa.ID})
		m.ids.give(sa.ID, m.now)
	}
	delete(m.children, c.id)
}

// rehomed follows a peer to another address or port. NHRP may go on naming it by the old one.
func (m *Machine) rehomed(c *child, path ike.Path) {
	if c.spec.Encap && path.Remote.Port() == 0 {
		return // nobody is there
	}
	was := c.spec.Path.Remote
	now := netip.AddrPortFrom(path.Remote.Addr().Unmap(), path.Remote.Port())
	if was == now {
		return
	}
	c.spec.Path.Remote = now
	for i := range c.sas {
		sa := &c.sas[i]
		sa.Remote = now.Addr()
		if sa.Encap {
			sa.RemotePort = now.Port()
		}
		m.emit(InstallSA{withOwnKeys(sa)})
	}
	s := c.session
	for _, at := range slices.Clone(s.names) {
		if at.Addr == was.Addr() {
			m.alias(s, at.At(now.Addr()))
		}
	}
	m.alias(s, s.name(now.Addr()))
	if s.active != nil {
		m.secure(s) // it has another name, whichever child is sent by
	}
	if s.active == c {
		l := s.log(LogMoved, ike.WhyNone)
		l.Was = was
		m.emit(l)
	}
	if was.Addr() != now.Addr() {
		m.follow(c, was.Addr(), now.Addr())
		for _, at := range slices.Clone(s.names) {
			if at.Addr == was.Addr() {
				m.unname(s, at)
			}
		}
	}
	m.settle(s)
}

// follow tells NHRP that a peer is at another address: it need not wait for the peer to say so, as what was authentic has come from there.
func (m *Machine) follow(c *child, was, now netip.Addr) {
	s := c.session
	if s.active != c {
		return
	}
	for _, w := range s.wishes() {
		if to := w.at.At(now); w.at.Addr == was && m.sessions[key{s.protection.ID, to}] == s {
			m.emit(ToNHRP{nhrp.PeerMoved{Iface: w.iface, From: w.at, To: to}})
		}
	}
}

// movedOn says of a session's children that the peer has begun anew without them, as one that has restarted behind NAT comes from another port: it takes nothing by them any more.
func (m *Machine) movedOn(c *child) {
	if c.spec.Initiator || !c.spec.Encap || c.spec.Replaces != 0 {
		return
	}
	for _, o := range c.session.children {
		if o != c && !o.isInherited() && o.spec.SA != c.spec.SA && o.spec.Encap && o.spec.Peer == c.spec.Peer && o.spec.Path.Remote != c.spec.Path.Remote && o.heard.Before(c.spec.Created) {
			o.replaced = true
		}
	}
}

// replaceOld ends the session that the same peer had from another address. Only identities that name one peer count: an address may be a
// private one that two peers behind different NATs have. A session of the same address is rekeyed, not replaced.
func (m *Machine) replaceOld(c *child) {
	id := c.spec.Peer
	if id.Kind == ike.IDNone || id.Kind == ike.IDIPv4 || id.Kind == ike.IDOther {
		return
	}
	for _, s := range m.sorted() {
		if s == c.session || s.protection != c.session.protection || s.identity != id || len(s.children) == 0 {
			continue
		}
		m.replaced(s, c.spec.Path.Remote)
		s.tries = max(s.tries, 2) // who has left an address is not called back there at once
		if len(s.wanted) == 0 {
			m.drop(s)
			continue
		}
		s.retryAt = m.now.Add(m.backoff(s, s.tries))
		m.settle(s)
	}
}

// replaced ends a session that another one takes the place of, with a peer at an address.
func (m *Machine) replaced(s *session, by netip.AddrPort) {
	l := s.log(LogReplaced, ike.WhyReplaced)
	l.Was, l.Peer = l.Peer, by
	m.emit(l)
	for _, o := range s.children {
		if !o.isInherited() {
			m.emit(ToIKE{ike.Drop{Child: o.id}})
		}
	}
	m.forget(s, ike.WhyReplaced)
}

// way is how packets are sealed by the child's outbound associations.
func (c *child) way() Way {
	w := Way{Seal: SealOf(&c.spec.Transform, c.spec.Encap), To: c.spec.Path.Remote.Addr()}
	for i := range c.sas {
		switch sa := &c.sas[i]; {
		case sa.Inbound:
		case sa.AH:
			w.AH = sa.ID
		default:
			w.SA = sa.ID
		}
	}
	if c.spec.Encap {
		w.Encap, w.LocalPort, w.RemotePort = true, c.spec.Path.Local.Port(), c.spec.Path.Remote.Port()
	}
	return w
}
