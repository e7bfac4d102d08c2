package ikev2

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 7296 section 3.7 names authorities by SHA-1
	"crypto/x509"
	"net/netip"
	"slices"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// profile finds a profile by name.
func (e *Engine) profile(name string) *ike.V2Profile {
	k := slices.IndexFunc(e.cfg.V2.Profiles, func(p ike.V2Profile) bool { return p.Name == name })
	if k < 0 {
		return nil
	}
	return &e.cfg.V2.Profiles[k]
}

// profileFor is the profile that a peer's identity chooses, of those that count where its packets arrive: the first one whose own identity is whom
// the peer asks for (IDr), or else the first one.
func (e *Engine) profileFor(path ike.Path, id ike.Identity, list []ikemsg.Payload) (found *ike.V2Profile) {
	var asked ike.Identity
	if body, ok := ikev2msg.Find(list, ikev2msg.PayloadIDr); ok {
		if x, err := ikev2msg.ParseID(body); err == nil {
			asked = identityOf(x)
		}
	}
	for i := range e.cfg.V2.Profiles {
		p := &e.cfg.V2.Profiles[i]
		if p.VRF != ike.AnyVRF && p.VRF != path.VRF || len(p.Local) > 0 && !slices.Contains(p.Local, path.Local.Addr()) {
			continue
		}
		for k := range p.Match {
			if !p.Match[k].Matches(id, path.Remote.Addr(), path.VRF) || len(e.protections(path, p.Name)) == 0 {
				continue
			}
			if e.selfIdentity(p, path) == asked {
				return p
			}
			if found == nil {
				found = p
			}
		}
	}
	return found
}

// protections are those that a peer may ask for: of this address, VRF and profile ("": of any).
func (e *Engine) protections(path ike.Path, profile string) []*ike.Protection {
	var list []*ike.Protection
	for i := range e.cfg.Protections {
		p := &e.cfg.Protections[i]
		if p.VRF == path.VRF && p.Local == path.Local.Addr() && p.IKEv2Profile != "" && (profile == "" || p.IKEv2Profile == profile) &&
			(!p.Remote.IsValid() || p.Remote == path.Remote.Addr()) {
			list = append(list, p)
		}
	}
	// Those of this peer alone come first.
	slices.SortStableFunc(list, func(a, b *ike.Protection) int {
		switch {
		case a.Remote.IsValid() == b.Remote.IsValid():
			return 0
		case a.Remote.IsValid():
			return -1
		}
		return 1
	})
	return list
}

// permitted leaves out the protections that are not for this peer (`set identity`).
func permitted(list []*ike.Protection, id ike.Identity, path ike.Path) []*ike.Protection {
	return slices.DeleteFunc(slices.Clone(list), func(p *ike.Protection) bool {
		return len(p.Peers) > 0 && !slices.ContainsFunc(p.Peers, func(m ike.Match) bool { return m.Matches(id, path.Remote.Addr(), path.VRF) })
	})
}

// selfIdentity is who we are to a peer.
func (e *Engine) selfIdentity(p *ike.V2Profile, path ike.Path) ike.Identity {
	switch {
	case p.Self.Kind == ike.IDDN && p.Self.Value == "":
		if t := e.signer(p); t != nil {
			return ike.DNIdentity(t.Leaf())
		}
	case p.Self.Kind != ike.IDNone && p.Self.Value != "":
		return p.Self
	case p.Self.Kind == ike.IDFQDN:
		return ike.Identity{Kind: ike.IDFQDN, Value: e.cfg.Hostname}
	}
	return ike.Identity{Kind: ike.IDIPv4, Value: path.Local.Addr().String()}
}

// signers are the trustpoints that we may sign by: those of the profile, or all.
func (e *Engine) signers(p *ike.V2Profile) []*ike.Trustpoint {
	var list []*ike.Trustpoint
	for _, name := range p.Sign {
		if t := e.cfg.Trustpoint(name); t != nil && t.Leaf() != nil {
			list = append(list, t)
		}
	}
	for i := range e.cfg.Trustpoints {
		if t := &e.cfg.Trustpoints[i]; len(p.Sign) == 0 && t.Leaf() != nil {
			list = append(list, t)
		}
	}
	return list
}

// signer is the trustpoint whose certificate says who we are.
func (e *Engine) signer(p *ike.V2Profile) *ike.Trustpoint {
	return e.signerFor(p, p.AuthLocal, nil)
}

// signerFor is the trustpoint that we sign by: one that has a key of the kind wanted, and of those the first that is under an authority which the peer has
// asked for.
func (e *Engine) signerFor(p *ike.V2Profile, method ike.AuthMethod, authorities [][]byte) (found *ike.Trustpoint) {
	for _, t := range e.signers(p) {
		if method != ike.AuthPSK && method != 0 && !keyIs(t, method) {
			continue
		}
		if under(t, authorities) {
			return t
		}
		if found == nil {
			found = t
		}
	}
	return found
}

// keyIs tells whether a trustpoint's certificate has a key for a method.
func keyIs(t *ike.Trustpoint, method ike.AuthMethod) bool {
	kind := x509.RSA
	if method == ike.AuthECDSA {
		kind = x509.ECDSA
	}
	return t.Leaf().PublicKeyAlgorithm == kind
}

// under tells whether one of the authorities, named by the hash of its key, stands above a trustpoint's certificate.
func under(t *ike.Trustpoint, authorities [][]byte) bool {
	for _, list := range [][]*x509.Certificate{t.Chain, t.Roots} {
		for _, c := range list {
			h := sha1.Sum(c.RawSubjectPublicKeyInfo)
			if slices.ContainsFunc(authorities, func(a []byte) bool { return bytes.Equal(a, h[:]) }) {
				return true
			}
		}
	}
	return false
}

// verifiers are the trustpoints that a peer may be signed by: those of the profile, or all.
func (e *Engine) verifiers(p *ike.V2Profile) []*ike.Trustpoint {
	var list []*ike.Trustpoint
	for i := range e.cfg.Trustpoints {
		t := &e.cfg.Trustpoints[i]
		if len(t.Roots) > 0 && (len(p.Verify) == 0 || slices.Contains(p.Verify, t.Name)) {
			list = append(list, t)
		}
	}
	return list
}

// wireID is an identity as it stands in a message.
func wireID(i ike.Identity) ikev2msg.ID {
	switch i.Kind {
	case ike.IDIPv4:
		if a, err := netip.ParseAddr(i.Value); err == nil && a.Is4() {
			return ikev2msg.ID{Kind: ikev2msg.IDIPv4, Data: a.AsSlice()}
		}
	case ike.IDFQDN:
		return ikev2msg.ID{Kind: ikev2msg.IDFQDN, Data: []byte(i.Value)}
	case ike.IDEmail:
		return ikev2msg.ID{Kind: ikev2msg.IDEmail, Data: []byte(i.Value)}
	case ike.IDDN:
		return ikev2msg.ID{Kind: ikev2msg.IDDN, Data: []byte(i.Value)}
	case ike.IDOther:
		if len(i.Value) > 1 {
			return ikev2msg.ID{Kind: i.Value[0], Data: []byte(i.Value[1:])}
		}
	}
	return ikev2msg.ID{Kind: ikev2msg.IDKey, Data: []byte(i.Value)}
}

// identityOf is the reverse of wireID.
func identityOf(i ikev2msg.ID) ike.Identity {
	switch i.Kind {
	case ikev2msg.IDIPv4:
		return ike.Identity{Kind: ike.IDIPv4, Value: netip.AddrFrom4([4]byte(i.Data)).String()}
	case ikev2msg.IDFQDN:
		return ike.Identity{Kind: ike.IDFQDN, Value: string(i.Data)}
	case ikev2msg.IDEmail:
		return ike.Identity{Kind: ike.IDEmail, Value: string(i.Data)}
	case ikev2msg.IDDN:
		return ike.Identity{Kind: ike.IDDN, Value: string(i.Data)}
	case ikev2msg.IDKey:
		return ike.Identity{Kind: ike.IDKey, Value: string(i.Data)}
	}
	return ike.Identity{Kind: ike.IDOther, Value: string(i.Kind) + string(i.Data)}
}

// certRequest names the authorities by which peers of this address may prove who they are; nil without any.
func (e *Engine) certRequest(path ike.Path) *ikev2msg.Out {
	var hashes []byte
	for i := range e.cfg.V2.Profiles {
		p := &e.cfg.V2.Profiles[i]
		if !byCertificate(p.AuthRemote) || len(e.protections(path, p.Name)) == 0 {
			continue
		}
		for _, t := range e.verifiers(p) {
			for _, r := range t.Roots {
				h := sha1.Sum(r.RawSubjectPublicKeyInfo)
				hashes = append(hashes, h[:]...)
			}
		}
	}
	if hashes == nil {
		return nil
	}
	return &ikev2msg.Out{Type: ikev2msg.PayloadCertReq, Body: ikev2msg.Cert{Encoding: ikev2msg.CertX509, Data: hashes}.Append(nil)}
}

func byCertificate(methods []ike.AuthMethod) bool {
	return slices.ContainsFunc(methods, func(m ike.AuthMethod) bool { return m != ike.AuthPSK })
}

// authorities are the hashes of a peer's certificate requests.
func authorities(list []ikemsg.Payload) (hashes [][]byte) {
	for _, p := range list {
		if p.Type != ikev2msg.PayloadCertReq {
			continue
		}
		c, err := ikev2msg.ParseCert(p.Body)
		if err != nil || c.Encoding != ikev2msg.CertX509 {
			continue
		}
		for b := c.Data; len(b) >= sha1.Size && len(hashes) < 64; b = b[sha1.Size:] {
			hashes = append(hashes, slices.Clone(b[:sha1.Size]))
		}
	}
	return hashes
}

// certificates are a peer's: its own first, then those between it and the authority.
func certificates(list []ikemsg.Payload) (leaf *x509.Certificate, between []*x509.Certificate, text string) {
	for _, p := range list {
		if p.Type != ikev2msg.PayloadCert {
			continue
		}
		c, err := ikev2msg.ParseCert(p.Body)
		if err != nil {
			return nil, nil, "the certificate payload can't be read"
		}
		switch c.Encoding {
		case ikev2msg.CertX509:
		case ikev2msg.CertHash:
			return nil, nil, "the certificate is given by hash and URL, which is not fetched"
		default:
			continue
		}
		x, err := x509.ParseCertificate(c.Data)
		switch {
		case err != nil && leaf == nil:
			return nil, nil, "the certificate can't be read"
		case err != nil:
		case leaf == nil:
			leaf = x
		case len(between) < 8:
			between = append(between, x)
		}
	}
	return leaf, between, ""
}
