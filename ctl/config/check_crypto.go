package config

import "slices"

// IPsecProfile returns the IPsec profile with the name, nil if it is not defined.
func (c *Config) IPsecProfile(name string) *IPsecProfile {
	return find(c.IPsec.Profiles, func(p *IPsecProfile) bool { return p.Name == name })
}

// TransformSet returns the transform set with the name, nil if it is not defined.
func (c *Config) TransformSet(name string) *TransformSet {
	return find(c.IPsec.TransformSets, func(t *TransformSet) bool { return t.Name == name })
}

// ISAKMPProfile returns the IKEv1 profile with the name, nil if it is not defined.
func (c *Config) ISAKMPProfile(name string) *ISAKMPProfile {
	return find(c.ISAKMP.Profiles, func(p *ISAKMPProfile) bool { return p.Name == name })
}

// IKEv2Profile returns the IKEv2 profile with the name, nil if it is not defined.
func (c *Config) IKEv2Profile(name string) *IKEv2Profile {
	return find(c.IKEv2.Profiles, func(p *IKEv2Profile) bool { return p.Name == name })
}

func find[T any](list []*T, hit func(*T) bool) *T {
	for _, e := range list {
		if hit(e) {
			return e
		}
	}
	return nil
}

// IKEv2ProfileOf returns the name of the IKEv2 profile that a tunnel's protection uses, empty where it uses IKEv1.
func (c *Config) IKEv2ProfileOf(t *Tunnel) string {
	if t.Protection.IKEv2Profile != "" {
		return t.Protection.IKEv2Profile
	}
	if p := c.IPsecProfile(t.Protection.Profile); p != nil {
		return p.IKEv2Profile
	}
	return ""
}

// crypto checks IKE and IPsec.
func (k *checker) crypto() {
	v1 := false
	for _, i := range k.c.tunnels() {
		if i.Tunnel.Protection.Profile == "" {
			continue
		}
		k.protection(i)
		if k.c.IKEv2ProfileOf(&i.Tunnel) == "" {
			v1 = true
			k.spokeKeys(i)
		}
	}
	if v1 {
		k.isakmpNeeds()
	}
	for _, p := range k.c.IPsec.Profiles {
		k.ipsecProfile(p)
	}
	for _, t := range k.c.IPsec.TransformSets {
		k.transformSet(t)
	}
	k.isakmp()
	k.ikev2()
	k.contradictions()
}

func (k *checker) protection(i *Interface) {
	p := i.Tunnel.Protection
	pos := i.at("tunnel protection ipsec profile")
	profile := k.c.IPsecProfile(p.Profile)
	if profile == nil {
		k.undefined(pos, "IPsec profile", p.Profile, "crypto ipsec profile")
	}
	if p.ISAKMPProfile != "" && k.c.ISAKMPProfile(p.ISAKMPProfile) == nil {
		k.undefined(pos, "ISAKMP profile", p.ISAKMPProfile, "crypto isakmp profile")
	}
	if p.IKEv2Profile != "" && k.c.IKEv2Profile(p.IKEv2Profile) == nil {
		k.undefined(pos, "IKEv2 profile", p.IKEv2Profile, "crypto ikev2 profile")
	}
	if profile == nil {
		return
	}
	for _, name := range profile.TransformSets {
		if t := k.c.TransformSet(name); t != nil && t.Mode != "transport" && i.NHRP.Enabled() {
			k.add(t.Lines.at(t.Pos, "mode"), Warning, "ipsec-tunnel-mode", "add `mode transport` to the transform set",
				"transform set %s of %s is in tunnel mode: peers behind NAT can't register, and packets are 20 bytes longer", t.Name, i.Name)
		}
	}
}

func (k *checker) ipsecProfile(p *IPsecProfile) {
	if len(p.TransformSets) == 0 {
		k.add(p.Pos, Error, "profile-empty", "add `set transform-set NAME`", "IPsec profile %s has no transform set", p.Name)
	}
	for _, name := range p.TransformSets {
		if k.c.TransformSet(name) == nil {
			k.undefined(p.Lines.at(p.Pos, "set transform-set"), "transform set", name, "crypto ipsec transform-set")
		}
	}
	if p.ISAKMPProfile != "" && k.c.ISAKMPProfile(p.ISAKMPProfile) == nil {
		k.undefined(p.Lines.at(p.Pos, "set isakmp-profile"), "ISAKMP profile", p.ISAKMPProfile, "crypto isakmp profile")
	}
	if p.IKEv2Profile != "" && k.c.IKEv2Profile(p.IKEv2Profile) == nil {
		k.undefined(p.Lines.at(p.Pos, "set ikev2-profile"), "IKEv2 profile", p.IKEv2Profile, "crypto ikev2 profile")
	}
	if p.Identity != "" && find(k.c.IPsec.Identities, func(i *CryptoIdentity) bool { return i.Name == p.Identity }) == nil {
		k.undefined(p.Lines.at(p.Pos, "set identity"), "crypto identity", p.Identity, "crypto identity")
	}
	if p.PFS != 0 && p.PFS <= 5 {
		k.add(p.Lines.at(p.Pos, "set pfs"), Warning, "weak-group", "use group14 or higher, on all routers", "PFS group %d of profile %s is weak", p.PFS, p.Name)
	}
}

func (k *checker) transformSet(t *TransformSet) {
	if t.Cipher != "" && t.Cipher != "esp-null" && t.Cipher != "esp-ctr" && !t.Authenticated() {
		k.add(t.Pos, Warning, "esp-no-auth", "add esp-sha256-hmac, or use esp-gcm, on all routers",
			"transform set %s encrypts with %s and AUTHENTICATES NOTHING: whoever is on the way can change packets unseen", t.Name, t.Cipher)
	}
	switch {
	case t.Cipher == "esp-des" || t.Cipher == "esp-3des":
		k.add(t.Pos, Warning, "weak-cipher", "use esp-aes or esp-gcm, on all routers", "%s of transform set %s is weak", t.Cipher, t.Name)
	case t.Cipher == "esp-null" || t.Cipher == "esp-gmac" || t.Cipher == "":
		k.add(t.Pos, Warning, "weak-cipher", "use esp-gcm", "transform set %s does not encrypt", t.Name)
	}
	for _, a := range []string{t.Auth, t.AH} {
		if a == "esp-md5-hmac" || a == "ah-md5-hmac" {
			k.add(t.Pos, Warning, "weak-hash", "use SHA-256, on all routers", "%s of transform set %s is weak", a, t.Name)
		}
	}
}

// isakmpNeeds checks that IKEv1 has what it cannot do without.
func (k *checker) isakmpNeeds() {
	if len(k.c.ISAKMP.Policies) == 0 {
		k.add(Pos{File: k.file()}, Error, "isakmp-no-policy", "add `crypto isakmp policy 10` with the algorithms", "tunnels are protected by IKEv1, and no ISAKMP policy is defined")
		return
	}
	psk, certificates := false, false
	for _, p := range k.c.ISAKMP.Policies {
		if p.Effective().Authentication == "pre-share" {
			psk = true
		} else {
			certificates = true
		}
	}
	first := k.c.ISAKMP.Policies[0]
	if psk && !certificates && len(k.keys()) == 0 {
		k.add(first.Pos, Error, "no-key", "add `crypto isakmp key KEY address ADDRESS`", "IKE authenticates by pre-shared key, and there is none")
	}
	if certificates && !psk && len(k.c.PKI.Trustpoints) == 0 {
		k.add(first.Pos, Error, "no-certificate", "add `crypto pki trustpoint`, or `authentication pre-share` to the policy",
			"IKE authenticates by certificate, and there is no trustpoint")
	}
}

// file returns the name of the file that the configuration was read from.
func (k *checker) file() string {
	for _, p := range k.c.Lines {
		return p.File
	}
	return ""
}

// keys lists the pre-shared keys of all rings.
func (k *checker) keys() []ISAKMPKey {
	out := slices.Clone(k.c.ISAKMP.Keys)
	for _, r := range k.c.ISAKMP.Keyrings {
		out = append(out, r.Keys...)
	}
	return out
}

// spokeKeys warns of keys for single peers where direct tunnels need more.
func (k *checker) spokeKeys(i *Interface) {
	if i.Tunnel.Mode != GREMultipoint || len(i.NHRP.NHS) == 0 {
		return
	}
	for _, p := range k.c.ISAKMP.Policies {
		if p.Effective().Authentication != "pre-share" {
			return
		}
	}
	keys := k.keys()
	for _, key := range keys {
		if key.Hostname == "" && key.Prefix.Bits() < 32 {
			return
		}
	}
	if len(keys) > 0 {
		k.add(keys[0].Pos, Warning, "peer-key", "use certificates, or a key for the range of all spokes, or a point-to-point tunnel",
			"the pre-shared keys are for single peers: direct tunnels of %s to other spokes can't be set up", i.Name)
	}
}

func (k *checker) isakmp() {
	for _, key := range k.keys() {
		if key.Wildcard() {
			k.add(key.Pos, Warning, "wildcard-key", "use certificates, or a key a peer where spokes do not talk directly",
				"the pre-shared key is good for every address: whoever takes one router can pose as any")
		}
	}
	for _, r := range k.c.ISAKMP.Keyrings {
		k.needVRF(r.Pos, r.VRF)
		k.needInterface(r.Lines.at(r.Pos, "local-address"), r.LocalInterface)
	}
	for _, p := range k.c.ISAKMP.Profiles {
		k.needVRF(p.Lines.at(p.Pos, "vrf"), p.VRF)
		k.needTrustpoint(p.Lines.at(p.Pos, "ca trust-point"), p.Trustpoint)
		k.needInterface(p.Lines.at(p.Pos, "local-address"), p.LocalInterface)
		for _, name := range p.Keyrings {
			if find(k.c.ISAKMP.Keyrings, func(r *Keyring) bool { return r.Name == name }) == nil && name != "default" {
				k.undefined(p.Lines.at(p.Pos, "keyring"), "keyring", name, "crypto keyring")
			}
		}
		for _, m := range p.Match {
			k.needVRF(p.Lines.at(p.Pos, "match identity"), m.VRF)
		}
		if len(p.Match) == 0 {
			k.add(p.Pos, Error, "profile-no-match", "add `match identity address 0.0.0.0`", "ISAKMP profile %s matches no peer", p.Name)
		}
	}
	for _, p := range k.c.ISAKMP.Policies {
		e := p.Effective()
		if e.Encryption == "des" || e.Encryption == "3des" {
			k.add(p.Lines.at(p.Pos, "encryption"), Warning, "weak-cipher", "add `encryption aes 256`, on all routers", "ISAKMP policy %d encrypts with %s", p.Priority, e.Encryption)
		}
		if e.Hash == "md5" {
			k.add(p.Lines.at(p.Pos, "hash"), Warning, "weak-hash", "add `hash sha256`, on all routers", "ISAKMP policy %d hashes with MD5", p.Priority)
		}
		if e.Group <= 5 {
			k.add(p.Lines.at(p.Pos, "group"), Warning, "weak-group", "add `group 14` or higher, on all routers", "Diffie-Hellman group %d of ISAKMP policy %d is weak", e.Group, p.Priority)
		}
	}
	for _, t := range k.c.PKI.Trustpoints {
		if t.CAFile == "" {
			k.add(t.Pos, Error, "trustpoint-incomplete", "add `ca-file PATH`", "trustpoint %s names no file with the authority's certificate", t.Name)
		}
		if (t.CertificateFile == "") != (t.KeyFile == "") {
			k.add(t.Pos, Error, "trustpoint-incomplete", "name both `certificate-file` and `key-file`", "trustpoint %s has a certificate without key or a key without certificate", t.Name)
		}
	}
}

func (k *checker) ikev2() {
	v := &k.c.IKEv2
	for _, p := range v.Proposals {
		k.ikev2Proposal(p)
	}
	for _, p := range v.Policies {
		for _, name := range p.Proposals {
			if find(v.Proposals, func(o *IKEv2Proposal) bool { return o.Name == name }) == nil && name != "default" {
				k.undefined(p.Lines.at(p.Pos, "proposal"), "IKEv2 proposal", name, "crypto ikev2 proposal")
			}
		}
		if p.MatchVRF != "any" {
			k.needVRF(p.Lines.at(p.Pos, "match fvrf"), p.MatchVRF)
		}
	}
	for _, r := range v.Keyrings {
		k.ikev2Keys(r)
		for _, p := range r.Peers {
			if p.Prefix.IsValid() && p.Prefix.Bits() == 0 {
				k.add(p.Lines.at(p.Pos, "address"), Warning, "wildcard-key", "use certificates, or a key a peer where spokes do not talk directly",
					"the pre-shared key is good for every address: whoever takes one router can pose as any")
			}
		}
	}
	for _, p := range v.Profiles {
		k.ikev2Profile(p)
	}
}

func (k *checker) ikev2Proposal(p *IKEv2Proposal) {
	aead, plain := false, false
	for _, e := range p.Encryption {
		switch e {
		case "aes-gcm-128", "aes-gcm-256", "chacha20-poly1305":
			aead = true
		case "des", "3des":
			k.add(p.Lines.at(p.Pos, "encryption"), Warning, "weak-cipher", "use aes-gcm-256", "IKEv2 proposal %s encrypts with %s", p.Name, e)
			plain = true
		default:
			plain = true
		}
	}
	missing := ""
	switch {
	case len(p.Encryption) == 0:
		missing = "encryption"
	case len(p.Groups) == 0:
		missing = "group"
	case plain && len(p.Integrity) == 0:
		missing = "integrity"
	case aead && len(p.PRF) == 0 && len(p.Integrity) == 0:
		missing = "prf"
	}
	if missing != "" {
		k.add(p.Pos, Error, "proposal-incomplete", "add `"+missing+" ...`", "IKEv2 proposal %s has no %s", p.Name, missing)
	}
	if aead && plain {
		k.add(p.Pos, Error, "proposal-mixed", "make two proposals", "IKEv2 proposal %s mixes ciphers that authenticate with others that do not", p.Name)
	}
	if slices.Contains(p.Integrity, "md5") || slices.Contains(p.PRF, "md5") {
		k.add(p.Lines.at(p.Pos, "integrity", "prf"), Warning, "weak-hash", "use sha256", "IKEv2 proposal %s hashes with MD5", p.Name)
	}
	for _, g := range p.Groups {
		if g <= 5 {
			k.add(p.Lines.at(p.Pos, "group"), Warning, "weak-group", "use 19 or 31", "Diffie-Hellman group %d of IKEv2 proposal %s is weak", g, p.Name)
		}
	}
}

func (k *checker) ikev2Profile(p *IKEv2Profile) {
	missing := func(what string) {
		k.add(p.Pos, Error, "profile-incomplete", "add `"+what+"`", "IKEv2 profile %s is incomplete", p.Name)
	}
	if len(p.MatchRemote) == 0 {
		missing("match identity remote any")
	}
	if p.AuthLocal == "" {
		missing("authentication local pre-share")
	}
	if len(p.AuthRemote) == 0 {
		missing("authentication remote pre-share")
	}
	psk := p.AuthLocal == "pre-share" || slices.Contains(p.AuthRemote, "pre-share")
	if psk && p.Keyring == "" {
		missing("keyring local NAME")
	}
	certificates := p.AuthLocal == "rsa-sig" || p.AuthLocal == "ecdsa-sig" || slices.Contains(p.AuthRemote, "rsa-sig") || slices.Contains(p.AuthRemote, "ecdsa-sig")
	if certificates && len(p.Trustpoints) == 0 {
		missing("pki trustpoint NAME")
	}
	if p.Keyring != "" && find(k.c.IKEv2.Keyrings, func(r *IKEv2Keyring) bool { return r.Name == p.Keyring }) == nil {
		k.undefined(p.Lines.at(p.Pos, "keyring local"), "IKEv2 keyring", p.Keyring, "crypto ikev2 keyring")
	}
	k.ikev2Certificates(p)
	for _, t := range p.Trustpoints {
		k.needTrustpoint(p.Lines.at(p.Pos, "pki trustpoint"), t.Name)
	}
	if p.MatchVRF != "any" {
		k.needVRF(p.Lines.at(p.Pos, "match fvrf"), p.MatchVRF)
	}
	k.needVRF(p.Lines.at(p.Pos, "ivrf"), p.IVRF)
	k.needInterface(p.Lines.at(p.Pos, "match address local interface"), p.MatchLocalIf)
}
