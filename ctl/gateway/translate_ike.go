package gateway

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"nave/ctl/config"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// ike translates what IKE is told beside the protections of tunnels.
func (t *translation) ike() {
	c, out := t.tree, &t.out.IKE
	out.NoNATT = c.IPsec.NoNATT
	out.NATKeepalive = cmp.Or(c.ISAKMP.NATKeepalive, c.IKEv2.NATKeepalive)
	if a, b := c.ISAKMP.NATKeepalive, c.IKEv2.NATKeepalive; a != 0 && b != 0 && a != b {
		out.NATKeepalive = min(a, b)
		t.problem("crypto ikev2 nat keepalive", "IKEv1 says otherwise: both send every "+out.NATKeepalive.String())
	}
	out.InvalidSPIRecovery, out.Hostname = c.ISAKMP.InvalidSPIRecovery, c.Hostname
	out.Admission = ike.Limits{
		SAs: least(c.CallAdmission.SA, c.IKEv2.MaxSA), InNegotiation: least(c.CallAdmission.InNegotiation, c.IKEv2.MaxHalfOpen), Load: c.CallAdmission.Load,
	}
	t.trustpoints()
	t.keyrings()
	t.isakmp()
	t.ikev2()
	if c.IPsec.DFBit != "" {
		t.problem("crypto ipsec df-bit", "read, and not carried out by this version: DF is copied where `tunnel path-mtu-discovery` says so, and clear otherwise")
	}
	if c.IPsec.Fragmentation == "after-encryption" {
		t.problem("crypto ipsec fragmentation", "read, and not carried out by this version: packets are cut before encryption")
	}
}

// least is the smaller of two limits, of which 0 is none.
func least(a, b int) int {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func (t *translation) trustpoints() {
	for _, p := range t.tree.PKI.Trustpoints {
		what := "crypto pki trustpoint " + p.Name
		got, ok := t.facts.Trust[p.Name]
		if got.Problem != "" {
			t.problem(what, got.Problem)
		}
		if !ok || len(got.Point.Roots) == 0 {
			continue
		}
		for _, trouble := range got.Point.Trouble(got.Point.Loaded) {
			t.problem(what, trouble)
		}
		t.out.IKE.Trustpoints = append(t.out.IKE.Trustpoints, got.Point)
	}
}

// keyrings translates `crypto isakmp key`, `crypto keyring` and `crypto ikev2 keyring`.
func (t *translation) keyrings() {
	add := func(k ike.Keyring) { t.out.IKE.Keyrings = append(t.out.IKE.Keyrings, k) }
	if keys := t.isakmpKeys(t.tree.ISAKMP.Keys); len(keys) > 0 {
		add(ike.Keyring{Keys: keys})
	}
	for _, k := range t.tree.ISAKMP.Keyrings {
		what := "crypto keyring " + k.Name
		vrf, known := t.frontVRF(what, k.VRF)
		local, ok := t.localAddress(what, k.VRF, k.LocalAddr, k.LocalInterface)
		if known && ok {
			add(ike.Keyring{Name: k.Name, VRF: vrf, LocalAddr: local, Keys: t.isakmpKeys(k.Keys)})
		}
	}
	for _, k := range t.tree.IKEv2.Keyrings {
		r := ike.Keyring{Name: k.Name, VRF: ike.AnyVRF}
		for _, p := range k.Peers {
			e := ike.KeyEntry{Name: p.Name, Prefix: p.Prefix, Hostname: p.Hostname, Local: secret(p.Local), Remote: secret(p.Remote)}
			switch {
			case len(e.Local) == 0 && len(e.Remote) == 0:
				t.problem("crypto ikev2 keyring "+k.Name, "peer "+p.Name+" has no key: say `pre-shared-key KEY`")
				continue
			case len(e.Local) == 0:
				e.Local = secret(p.Remote)
			case len(e.Remote) == 0:
				e.Remote = secret(p.Local)
			}
			if p.Identity.Kind != "" {
				m := match(p.Identity)
				e.Prefix, e.Hostname, e.Identity = netip.Prefix{}, "", &m
			}
			r.Keys = append(r.Keys, e)
			if a := t.known(p.Hostname); e.Identity == nil && a.IsValid() {
				e.Hostname, e.Prefix = "", netip.PrefixFrom(a, a.BitLen())
				r.Keys = append(r.Keys, e)
			}
		}
		add(r)
	}
}

func secret(s config.Secret) ike.Secret { return ike.Secret(s.Reveal()) }

// known is what `ip host` says of a name.
func (t *translation) known(name string) netip.Addr {
	for _, h := range t.tree.Hosts {
		if name != "" && h.Name == name {
			return h.Addr
		}
	}
	return netip.Addr{}
}

func (t *translation) isakmpKeys(keys []config.ISAKMPKey) (out []ike.KeyEntry) {
	for _, k := range keys {
		e := ike.KeyEntry{Prefix: k.Prefix, Hostname: k.Hostname, Local: secret(k.Key), Remote: secret(k.Key)}
		if k.Hostname != "" {
			e.Prefix = netip.Prefix{}
		}
		out = append(out, e)
		if a := t.known(k.Hostname); a.IsValid() { // main mode has no name before the key
			e.Hostname, e.Prefix = "", netip.PrefixFrom(a, a.BitLen())
			out = append(out, e)
		}
	}
	return out
}

// localAddress is an address, or that of an interface of a VRF ("any": of whichever); ok is false where the interface has none or is in another, so that nothing is valid
// for more than it says.
func (t *translation) localAddress(what, vrf string, addr netip.Addr, iface string) (netip.Addr, bool) {
	if iface == "" {
		return addr, true
	}
	if i := t.find(iface); i != nil && misplaced(t.tree, i) == "" {
		if vrf != "any" && i.VRF != vrf {
			t.problem(what, "interface "+iface+" is in "+table(i.VRF)+", and this is about "+table(vrf)+": it counts for nobody")
			return netip.Addr{}, false
		}
		if a := t.addresses(i); len(a) > 0 {
			return a[0].Addr(), true
		}
	}
	t.problem(what, "interface "+iface+" has no address: it counts for nobody until it has")
	return netip.Addr{}, false
}

func (t *translation) isakmp() {
	c, out := &t.tree.ISAKMP, &t.out.IKE.V1
	out.Disabled, out.NoAggressive, out.Keepalive = c.Disabled, c.NoAggressive, keepalive(c.Keepalive)
	out.Identity = map[string]ike.IDKind{"hostname": ike.IDFQDN, "dn": ike.IDDN}[c.Identity]
	if out.Identity == ike.IDNone {
		out.Identity = ike.IDIPv4
	}
	for _, p := range c.Policies {
		e := p.Effective()
		q := ike.V1Policy{
			Priority: e.Priority, Cipher: map[string]suite.Cipher{"des": suite.CipherDES, "3des": suite.Cipher3DES, "aes": suite.CipherAESCBC}[e.Encryption],
			KeyBits: e.KeyBits, Hash: hashes[e.Hash], RSA: e.Authentication == "rsa-sig", Group: suite.Group(e.Group), Lifetime: e.Lifetime,
		}
		what := fmt.Sprintf("crypto isakmp policy %d", e.Priority)
		switch {
		case !q.Group.Supported():
			t.problem(what, fmt.Sprintf("there is no group %d; take 14, 19 or 31: the policy is left out", e.Group))
		case q.Cipher == suite.CipherNone || q.Hash == suite.HashNone:
			t.problem(what, "has an algorithm that this version does not know: the policy is left out")
		default:
			out.Policies = append(out.Policies, q)
		}
	}
	slices.SortStableFunc(out.Policies, func(a, b ike.V1Policy) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, p := range c.Profiles {
		what := "crypto isakmp profile " + p.Name
		local, ok := t.localAddress(what, "any", p.LocalAddr, p.LocalInterface)
		t.insideVRF(what, p.VRF, func(tun *config.Tunnel) bool {
			return isakmpProfileOf(tun, cmp.Or(t.tree.IPsecProfile(tun.Protection.Profile), &config.IPsecProfile{})) == p.Name
		})
		if !ok {
			continue
		}
		q := ike.V1Profile{
			Name: p.Name, Self: t.self(p.SelfIdentity, p.Trustpoint), Keepalive: keepalive(p.Keepalive), Trustpoint: p.Trustpoint,
			Aggressive: p.Aggressive, LocalAddr: local,
		}
		for _, r := range p.Keyrings {
			if r == "default" {
				r = ""
			}
			q.Keyrings = append(q.Keyrings, r)
		}
		for _, m := range p.Match {
			w := match(m)
			if m.Kind == "address" { // the address of another VRF is another's
				if w.VRF, ok = t.frontVRF(what, m.VRF); !ok {
					continue
				}
			}
			q.Match = append(q.Match, w)
		}
		out.Profiles = append(out.Profiles, q)
	}
}

func keepalive(k config.Keepalive) ike.Keepalive {
	return ike.Keepalive{Interval: k.Interval, Retry: k.Retry, Periodic: k.Periodic}
}

// self is who we say that we are; nothing: our address, or what the version's own default is.
func (t *translation) self(i config.Identity, trustpoint string) ike.Identity {
	switch i.Kind {
	case "address":
		if i.Prefix.IsValid() {
			return ike.Identity{Kind: ike.IDIPv4, Value: i.Prefix.Addr().String()}
		}
	case "fqdn":
		return ike.Identity{Kind: ike.IDFQDN, Value: cmp.Or(i.Value, t.tree.Hostname)}
	case "email":
		return ike.Identity{Kind: ike.IDEmail, Value: i.Value}
	case "key-id", "group":
		return ike.Identity{Kind: ike.IDKey, Value: i.Value}
	case "dn":
		if p := t.out.IKE.Trustpoint(trustpoint); p.Leaf() != nil {
			return ike.DNIdentity(p.Leaf())
		}
		return ike.Identity{Kind: ike.IDDN}
	}
	return ike.Identity{}
}

// match is who is meant by `match identity ...`.
func match(i config.Identity) ike.Match {
	m := ike.Match{VRF: ike.AnyVRF, Value: i.Value}
	switch i.Kind {
	case "address":
		return ike.Match{Kind: ike.IDIPv4, Prefix: i.Prefix, VRF: ike.AnyVRF}
	case "fqdn":
		m.Kind = ike.IDFQDN
	case "fqdn-domain":
		m.Kind, m.Domain = ike.IDFQDN, true
	case "email":
		m.Kind = ike.IDEmail
	case "email-domain":
		m.Kind, m.Domain = ike.IDEmail, true
	case "dn":
		m.Kind, m.Value, m.DN = ike.IDDN, "", parts(i.Value)
	case "key-id", "group":
		m.Kind = ike.IDKey
	case "any":
		m.Kind, m.Value = ike.IDNone, ""
	default:
		m.Kind = ike.IDOther // nobody
	}
	return m
}

func (t *translation) ikev2() {
	c, out := &t.tree.IKEv2, &t.out.IKE.V2
	out.DPD, out.Cookies, out.Fragmentation, out.FragmentMTU = keepalive(c.DPD), c.Cookies, c.Fragmentation, c.FragmentMTU
	for _, p := range c.Proposals {
		if q, ok := t.v2Proposal(p); ok {
			out.Proposals = append(out.Proposals, q)
		}
	}
	if !slices.ContainsFunc(out.Proposals, func(p ike.V2Proposal) bool { return p.Name == "default" }) {
		out.Proposals = append(out.Proposals, defaultProposal)
	}
	for _, p := range c.Policies {
		vrf, ok := t.frontVRF("crypto ikev2 policy "+p.Name, p.MatchVRF)
		if !ok {
			continue
		}
		q := ike.V2Policy{Name: p.Name, Proposals: slices.Clone(p.Proposals), VRF: vrf, Local: slices.Clone(p.MatchLocal)}
		if len(q.Proposals) == 0 {
			q.Proposals = []string{"default"}
		}
		out.Policies = append(out.Policies, q)
	}
	if len(out.Policies) == 0 {
		out.Policies = []ike.V2Policy{{Name: "default", Proposals: []string{"default"}, VRF: ike.AnyVRF}}
	}
	for _, p := range c.Profiles {
		t.v2Profile(p)
	}
}

// insideVRF compares what a profile says of the VRF of the packets inside with the tunnels that use it: they say it by `ip vrf forwarding`, and that counts.
func (t *translation) insideVRF(what, vrf string, uses func(*config.Tunnel) bool) {
	for _, i := range t.tree.Interfaces {
		if vrf != "" && i.IsTunnel() && i.Tunnel.Protection.Profile != "" && i.VRF != vrf && uses(&i.Tunnel) {
			t.problem(what, "says VRF "+vrf+", and "+i.Name+" is in "+table(i.VRF)+": the interface's counts")
		}
	}
}

// defaultProposal is what is offered where nothing is configured, as IOS has it, without what is weak by now.
var defaultProposal = ike.V2Proposal{
	Name:      "default",
	Ciphers:   []ike.V2Cipher{{Cipher: suite.CipherAESCBC, KeyBits: 256}, {Cipher: suite.CipherAESCBC, KeyBits: 192}, {Cipher: suite.CipherAESCBC, KeyBits: 128}},
	Integrity: []suite.Hash{suite.HashSHA512, suite.HashSHA384, suite.HashSHA256},
	Groups:    []suite.Group{suite.GroupECP256, suite.GroupMODP2048, suite.GroupECP521},
}

var v2Ciphers = map[string]ike.V2Cipher{
	"des": {Cipher: suite.CipherDES}, "3des": {Cipher: suite.Cipher3DES},
	"aes-cbc-128": {Cipher: suite.CipherAESCBC, KeyBits: 128}, "aes-cbc-192": {Cipher: suite.CipherAESCBC, KeyBits: 192},
	"aes-cbc-256": {Cipher: suite.CipherAESCBC, KeyBits: 256}, "aes-gcm-128": {Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 16},
	"aes-gcm-256": {Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16}, "chacha20-poly1305": {Cipher: suite.CipherChaCha20Poly1305, ICV: 16},
}

func (t *translation) v2Proposal(p *config.IKEv2Proposal) (out ike.V2Proposal, ok bool) {
	what := "crypto ikev2 proposal " + p.Name
	out.Name = p.Name
	for _, e := range p.Encryption {
		c, known := v2Ciphers[e]
		if !known {
			t.problem(what, "cipher "+e+" is not known to this version")
			continue
		}
		out.Ciphers = append(out.Ciphers, c)
	}
	for _, h := range p.Integrity {
		out.Integrity = append(out.Integrity, hashes[h])
	}
	for _, h := range p.PRF {
		out.PRFs = append(out.PRFs, hashes[h])
	}
	for _, g := range p.Groups {
		if !suite.Group(g).Supported() {
			t.problem(what, fmt.Sprintf("there is no group %d; take 14, 19 or 31", g))
			continue
		}
		out.Groups = append(out.Groups, suite.Group(g))
	}
	for round, list := range p.Additional {
		if out.Additional == nil {
			out.Additional = make(map[int][]suite.Group)
		}
		for _, name := range list {
			g := suite.GroupNone
			if name == "mlkem768" {
				g = suite.GroupMLKEM768
			}
			out.Additional[round] = append(out.Additional[round], g)
		}
	}
	if len(out.Ciphers) == 0 || len(out.Groups) == 0 {
		t.problem(what, "has no cipher or no group that can be used: it is left out")
		return out, false
	}
	return out, true
}

var authMethods = map[string]ike.AuthMethod{"pre-share": ike.AuthPSK, "rsa-sig": ike.AuthRSA, "ecdsa-sig": ike.AuthECDSA}

func (t *translation) v2Profile(p *config.IKEv2Profile) {
	what := "crypto ikev2 profile " + p.Name
	vrf, known := t.frontVRF(what, p.MatchVRF)
	if !known {
		return
	}
	t.insideVRF(what, p.IVRF, func(tun *config.Tunnel) bool { return t.tree.IKEv2ProfileOf(tun) == p.Name })
	q := ike.V2Profile{
		Name: p.Name, VRF: vrf, Local: slices.Clone(p.MatchLocal), AuthLocal: authMethods[p.AuthLocal], Keyring: p.Keyring,
		Lifetime: cmp.Or(p.Lifetime, ike.DefaultSALifetime), DPD: keepalive(p.DPD),
	}
	if p.MatchLocalIf != "" {
		a, ok := t.localAddress(what, p.MatchVRF, netip.Addr{}, p.MatchLocalIf)
		if !ok {
			return
		}
		q.Local = append(q.Local, a)
	}
	for _, m := range p.MatchRemote {
		if m.Kind == "dn" && m.Value == "" {
			t.problem(what, "`match identity remote dn` names nobody: restrict by the trustpoint, and match `any`")
		}
		q.Match = append(q.Match, match(m))
	}
	for _, a := range p.AuthRemote {
		q.AuthRemote = append(q.AuthRemote, authMethods[a])
	}
	sign := ""
	for _, tp := range p.Trustpoints {
		if tp.Use != "verify" {
			q.Sign = append(q.Sign, tp.Name)
			sign = cmp.Or(sign, tp.Name)
		}
		if tp.Use != "sign" {
			q.Verify = append(q.Verify, tp.Name)
		}
	}
	q.Self = t.self(p.IdentityLocal, sign)
	t.out.IKE.V2.Profiles = append(t.out.IKE.V2.Profiles, q)
}
