package ikev1

import (
	"crypto/x509"
	"net/netip"
	"slices"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// protoUDP is the protocol of the identities of phase 1 (RFC 2407 section 4.6.2).
const protoUDP = 17

// identityOf is who an identification payload names.
func identityOf(d ikev1msg.ID) ike.Identity {
	switch {
	case d.Type == ikev1msg.IDIPv4 && len(d.Data) == 4:
		return ike.Identity{Kind: ike.IDIPv4, Value: netip.AddrFrom4([4]byte(d.Data)).String()}
	case d.Type == ikev1msg.IDFQDN:
		return ike.Identity{Kind: ike.IDFQDN, Value: string(d.Data)}
	case d.Type == ikev1msg.IDUserFQDN:
		return ike.Identity{Kind: ike.IDEmail, Value: string(d.Data)}
	case d.Type == ikev1msg.IDDN:
		return ike.Identity{Kind: ike.IDDN, Value: string(d.Data)}
	case d.Type == ikev1msg.IDKeyID:
		return ike.Identity{Kind: ike.IDKey, Value: string(d.Data)}
	}
	return ike.Identity{Kind: ike.IDOther, Value: string(append([]byte{d.Type}, d.Data...))}
}

// payloadOf is the body of the payload that names an identity.
func (s *sa) payloadOf(id ike.Identity) []byte {
	d := ikev1msg.ID{Protocol: protoUDP, Port: port, Data: []byte(id.Value)}
	if s.natted() {
		d.Port = 0 // it would be wrong on the way (RFC 3947 section 4)
	}
	switch id.Kind {
	case ike.IDIPv4:
		d.Type = ikev1msg.IDIPv4
		a, err := netip.ParseAddr(id.Value)
		if err != nil || !a.Is4() {
			a = s.path.Local.Addr()
		}
		b := a.As4()
		d.Data = b[:]
	case ike.IDFQDN:
		d.Type = ikev1msg.IDFQDN
	case ike.IDEmail:
		d.Type = ikev1msg.IDUserFQDN
	case ike.IDDN:
		d.Type = ikev1msg.IDDN
	default:
		d.Type = ikev1msg.IDKeyID
	}
	return d.Append(nil)
}

// whoAmI is the identity that we show on the SA: the profile's, or as `crypto isakmp identity` says, or our address.
func (s *sa) whoAmI() ike.Identity {
	kind := s.e.cfg.V1.Identity
	if p := s.e.profile(s.profile); p != nil && p.Self.Kind != ike.IDNone {
		if p.Self.Value != "" {
			return p.Self
		}
		kind = p.Self.Kind
	}
	switch {
	case kind == ike.IDFQDN && s.e.cfg.Hostname != "":
		return ike.Identity{Kind: ike.IDFQDN, Value: s.e.cfg.Hostname}
	case kind == ike.IDDN && s.p1.point.Leaf() != nil:
		return ike.Identity{Kind: ike.IDDN, Value: string(s.p1.point.Leaf().RawSubject)}
	}
	return ike.Identity{Kind: ike.IDIPv4, Value: s.path.Local.Addr().String()}
}

func (e *Engine) profile(name string) *ike.V1Profile {
	for i := range e.cfg.V1.Profiles {
		if name != "" && e.cfg.V1.Profiles[i].Name == name {
			return &e.cfg.V1.Profiles[i]
		}
	}
	return nil
}

// keyrings are those that a peer's key may be in: the profile's, or without a profile all of this version.
func (e *Engine) keyrings(profile string) []*ike.Keyring {
	var list []*ike.Keyring
	if p := e.profile(profile); p != nil && len(p.Keyrings) > 0 {
		for _, name := range p.Keyrings {
			if k := e.cfg.Keyring(name); k != nil {
				list = append(list, k)
			}
		}
		return list
	}
	for i := range e.cfg.Keyrings {
		k := &e.cfg.Keyrings[i]
		if k.Name == "" || k.VRF != ike.AnyVRF || e.inProfile(k.Name) {
			list = append(list, k)
		}
	}
	return list
}

func (e *Engine) inProfile(keyring string) bool {
	return slices.ContainsFunc(e.cfg.V1.Profiles, func(p ike.V1Profile) bool { return slices.Contains(p.Keyrings, keyring) })
}

// findKey is the pre-shared key for a peer and the keyring that it is in. In main mode the peer is known by its address only, as its identity comes
// encrypted with what the key makes.
func (e *Engine) findKey(profile string, path ike.Path, id ike.Identity) (key ike.Secret, keyring string) {
	best := -1
	for _, k := range e.keyrings(profile) {
		entry := k.Find(path.VRF, path.Local.Addr(), path.Remote.Addr(), id)
		if entry == nil {
			continue
		}
		rank := 1000
		if entry.Hostname == "" && entry.Identity == nil {
			rank = entry.Prefix.Bits()
		}
		if rank > best {
			if key = entry.Local; len(key) == 0 {
				key = entry.Remote
			}
			best, keyring = rank, k.Name
		}
	}
	return key, keyring
}

// trustpoints are those that peers are checked by.
func (e *Engine) trustpoints(profile string) []*ike.Trustpoint {
	if name := e.trustpointName(profile); name != "" {
		if t := e.cfg.Trustpoint(name); t != nil {
			return []*ike.Trustpoint{t}
		}
		return nil
	}
	var list []*ike.Trustpoint
	for i := range e.cfg.Trustpoints {
		list = append(list, &e.cfg.Trustpoints[i])
	}
	return list
}

func (e *Engine) trustpointName(profile string) string {
	if p := e.profile(profile); p != nil && p.Trustpoint != "" {
		return p.Trustpoint
	}
	return e.cfg.V1.Trustpoint
}

// arm finds what phase 1 with a peer can be authenticated by. id is IDNone while the peer has not said who it is.
func (s *sa) arm(id ike.Identity) {
	s.p1.psk, s.p1.keyring = s.e.findKey(s.profile, s.path, id)
	if t := s.e.cfg.Trustpoint(s.e.trustpointName(s.profile)); t.Leaf() != nil {
		s.p1.point = t
	}
}

// requests are the certificate request payloads that name whom we trust.
func (s *sa) requests() []ikemsg.Payload {
	if !s.policy.RSA {
		return nil
	}
	var list []ikemsg.Payload
	for _, t := range s.e.trustpoints(s.profile) {
		for _, root := range t.Roots {
			c := ikev1msg.Cert{Encoding: ikev1msg.CertX509Signature, Data: root.RawSubject}
			list = append(list, ikemsg.Payload{Type: ikev1msg.PayloadCertRequest, Body: c.Append(nil)})
		}
	}
	return list
}

// proof is what shows the peer who we are: HASH, or certificates and SIG.
func (s *sa) proof(hash []byte) ([]ikemsg.Payload, *fault) {
	if !s.policy.RSA {
		return []ikemsg.Payload{{Type: ikev1msg.PayloadHash, Body: hash}}, nil
	}
	sig, err := ike.SignV1(s.p1.point, hash)
	if err != nil {
		return nil, faultf(ike.WhyNoKey, 0, "%v", err)
	}
	var list []ikemsg.Payload
	for _, crt := range s.p1.point.Chain {
		c := ikev1msg.Cert{Encoding: ikev1msg.CertX509Signature, Data: crt.Raw}
		list = append(list, ikemsg.Payload{Type: ikev1msg.PayloadCert, Body: c.Append(nil)})
	}
	return append(list, ikemsg.Payload{Type: ikev1msg.PayloadSignature, Body: sig}), nil
}

// prove checks what shows who the peer is; hash is what it has to be.
func (s *sa) prove(m *message, id ike.Identity, hash []byte) *fault {
	if !s.policy.RSA {
		got, f := m.payload(ikev1msg.PayloadHash)
		if f != nil {
			return f
		}
		if !equal(got, hash) {
			return faultf(ike.WhyAuthentication, ikev1msg.NotifyAuthenticationFailed, "the hash of %s is wrong: its pre-shared key is another one", id)
		}
		return nil
	}
	sig, f := m.payload(ikev1msg.PayloadSignature)
	if f != nil {
		return f
	}
	var chain []*x509.Certificate
	for _, body := range m.all(ikev1msg.PayloadCert) {
		c, err := ikev1msg.ParseCert(body)
		if err != nil || c.Encoding != ikev1msg.CertX509Signature {
			continue
		}
		crt, err := x509.ParseCertificate(c.Data)
		if err != nil {
			return faultf(ike.WhyCertificate, ikev1msg.NotifyAuthenticationFailed, "the certificate of %s cannot be read: %v", id, err)
		}
		chain = append(chain, crt)
	}
	if len(chain) == 0 {
		return faultf(ike.WhyCertificate, ikev1msg.NotifyAuthenticationFailed, "%s sent no certificate", id)
	}
	s.p1.chain = chain
	if err := ike.VerifyV1(chain[0], hash, sig); err != nil {
		return faultf(ike.WhyAuthentication, ikev1msg.NotifyAuthenticationFailed, "the signature of %s: %v", id, err)
	}
	if err := ike.VerifyPeer(s.e.trustpoints(s.profile), chain[0], chain[1:], id, s.e.now); err != nil {
		return faultf(ike.WhyCertificate, ikev1msg.NotifyAuthenticationFailed, "%v", err)
	}
	return nil
}

// welcome finds the profile of a peer that has said who it is, and whether it may be that one.
func (s *sa) welcome(id ike.Identity) *fault {
	s.other = id
	if s.profile != "" {
		p := s.e.profile(s.profile)
		if p == nil {
			return faultf(ike.WhyPolicy, 0, "profile %s is gone", s.profile)
		}
		if len(p.Match) > 0 && !s.matches(p, id) {
			return faultf(ike.WhyIdentity, ikev1msg.NotifyAuthenticationFailed, "%s is not who profile %s is for", id, p.Name)
		}
		return nil
	}
	for i := range s.e.cfg.V1.Profiles {
		p := &s.e.cfg.V1.Profiles[i]
		if p.LocalAddr.IsValid() && p.LocalAddr != s.path.Local.Addr() || !s.matches(p, id) {
			continue
		}
		if s.policy.RSA && p.Trustpoint != "" && ike.VerifyPeer(s.e.trustpoints(p.Name), s.p1.chain[0], s.p1.chain[1:], id, s.e.now) != nil {
			continue // whom this profile trusts has not vouched for the peer
		}
		if s.policy.RSA || len(p.Keyrings) == 0 || slices.Contains(p.Keyrings, s.p1.keyring) {
			s.profile = p.Name
			return nil
		}
	}
	return nil
}

func (s *sa) matches(p *ike.V1Profile, id ike.Identity) bool {
	for i := range p.Match {
		if p.Match[i].Matches(id, s.path.Remote.Addr(), s.path.VRF) {
			return true
		}
	}
	return false
}
