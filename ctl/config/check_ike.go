package config

import "slices"

// contradictions finds what is well formed and cannot work together: modes, algorithms, profiles and IKE versions.
func (k *checker) contradictions() {
	v1, v2 := k.versions()
	if len(v1) > 0 && k.c.ISAKMP.Disabled {
		k.add(Pos{File: k.file()}, Error, "isakmp-disabled", "remove `no crypto isakmp enable`", "tunnels are protected by IKEv1, and IKEv1 is switched off")
	}
	for _, t := range k.c.IPsec.TransformSets {
		k.transformOf(t, v1[t.Name], v2[t.Name])
	}
	for _, p := range k.c.IPsec.Profiles {
		if p.ISAKMPProfile != "" && p.IKEv2Profile != "" {
			k.add(p.Lines.at(p.Pos, "set isakmp-profile"), Warning, "two-ike-profiles", "keep one of them", "IPsec profile %s has an IKEv2 profile and an ISAKMP profile: the IKEv2 profile counts", p.Name)
		}
		if p.ReplayOff {
			k.add(p.Lines.at(p.Pos, "set security-association replay disable"), Warning, "replay-off", "use a larger window instead", "IPsec profile %s takes repeated packets", p.Name)
		}
	}
	k.policies(len(v1) > 0)
	for _, p := range k.c.ISAKMP.Profiles {
		k.isakmpProfile(p)
	}
	k.hostKeys()
	for _, i := range k.c.tunnels() {
		if p := k.c.IPsecProfile(i.Tunnel.Protection.Profile); p != nil && p.ResponderOnly && (len(i.NHRP.NHS) > 0 || i.Tunnel.HasDestination()) {
			k.add(i.at("tunnel protection ipsec profile"), Warning, "responder-only", "remove `responder-only`, or use another profile here",
				"%s reaches a hub, and its IPsec profile %s never begins: the tunnel waits until the hub does", i.Name, p.Name)
		}
	}
}

// versions tells which transform sets tunnels use with which version of IKE.
func (k *checker) versions() (v1, v2 map[string]bool) {
	v1, v2 = make(map[string]bool), make(map[string]bool)
	for _, i := range k.c.tunnels() {
		p := k.c.IPsecProfile(i.Tunnel.Protection.Profile)
		if p == nil {
			continue
		}
		used := v1
		if k.c.IKEv2ProfileOf(&i.Tunnel) != "" {
			used = v2
		}
		for _, name := range p.TransformSets {
			used[name] = true
		}
	}
	return v1, v2
}

func (k *checker) transformOf(t *TransformSet, v1, v2 bool) {
	switch {
	case v2 && t.AH != "" && (t.Cipher != "" || t.Auth != ""):
		k.add(t.Pos, Error, "ikev2-bundle", "use ESP alone, with a cipher that authenticates, or IKEv1", "transform set %s has AH and ESP together, which IKEv2 can't negotiate", t.Name)
	case v1 && t.Cipher == "esp-chacha20-poly1305":
		k.add(t.Pos, Error, "ikev1-cipher", "use esp-gcm, or IKEv2 (`set ikev2-profile`)", "%s of transform set %s does not exist in IKEv1", t.Cipher, t.Name)
	}
	if v1 && t.ESN {
		k.add(t.Lines.at(t.Pos, "esn"), Warning, "ikev1-esn", "use IKEv2 (`set ikev2-profile`)", "`esn` of transform set %s needs IKEv2: with IKEv1 sequence numbers have 32 bits", t.Name)
	}
	if t.Cipher == "esp-ctr" && !t.Authenticated() {
		k.add(t.Pos, Error, "esp-ctr-no-auth", "add esp-sha256-hmac, or use esp-gcm", "esp-ctr of transform set %s has no authentication: whoever is on the way can set each bit of a packet", t.Name)
	}
}

// policies checks that what ISAKMP policies authenticate by is there. Where nothing is, isakmpNeeds has said so.
func (k *checker) policies(used bool) {
	psk, rsa := 0, 0
	for _, p := range k.c.ISAKMP.Policies {
		if p.Effective().Authentication == "pre-share" {
			psk++
		} else {
			rsa++
		}
	}
	if k.c.ISAKMP.Identity == "dn" && rsa == 0 && len(k.c.ISAKMP.Policies) > 0 {
		k.add(k.c.Lines.at(Pos{File: k.file()}, "crypto isakmp identity"), Warning, "identity-dn", "use address or hostname, or `authentication rsa-sig`",
			"`crypto isakmp identity dn` takes the name of a certificate, and no ISAKMP policy uses one")
	}
	if !used {
		return
	}
	for _, p := range k.c.ISAKMP.Policies {
		where := p.Lines.at(p.Pos, "authentication")
		if p.Effective().Authentication == "pre-share" {
			if rsa > 0 && len(k.keys()) == 0 {
				k.add(where, Warning, "no-key", "add `crypto isakmp key KEY address ADDRESS`, or remove the policy", "ISAKMP policy %d authenticates by pre-shared key, and there is none", p.Priority)
			}
			continue
		}
		switch {
		case psk > 0 && len(k.c.PKI.Trustpoints) == 0:
			k.add(where, Warning, "no-certificate", "add `authentication pre-share`, or a `crypto pki trustpoint`", "ISAKMP policy %d authenticates by certificate, and there is no trustpoint", p.Priority)
		case len(k.c.PKI.Trustpoints) > 0 && !slices.ContainsFunc(k.c.PKI.Trustpoints, (*Trustpoint).signs):
			k.add(where, Error, "no-certificate", "name `certificate-file` and `key-file` in the trustpoint", "ISAKMP policy %d authenticates by certificate, and no trustpoint has one of ours", p.Priority)
		}
	}
}

// signs tells whether we have a certificate of the trustpoint.
func (t *Trustpoint) signs() bool { return t.CertificateFile != "" && t.KeyFile != "" }

func (k *checker) trustpoint(name string) *Trustpoint {
	return find(k.c.PKI.Trustpoints, func(t *Trustpoint) bool { return t.Name == name })
}

func (k *checker) isakmpProfile(p *ISAKMPProfile) {
	if t := k.trustpoint(p.Trustpoint); t != nil && !t.signs() {
		k.add(p.Lines.at(p.Pos, "ca trust-point"), Error, "no-certificate", "name `certificate-file` and `key-file` in the trustpoint", "ISAKMP profile %s signs by trustpoint %s, which has no certificate of ours", p.Name, t.Name)
	}
	if !p.Aggressive {
		return
	}
	where := p.Lines.at(p.Pos, "initiate mode aggressive")
	if k.c.ISAKMP.NoAggressive {
		k.add(where, Warning, "aggressive-disabled", "remove one of the two", "ISAKMP profile %s begins in aggressive mode, which is refused of others by `crypto isakmp aggressive-mode disable`", p.Name)
	}
	psk, rsa := false, false
	groups := make(map[int]bool)
	for _, l := range k.c.ISAKMP.Policies {
		e := l.Effective()
		groups[e.Group] = true
		psk, rsa = psk || e.Authentication == "pre-share", rsa || e.Authentication == "rsa-sig"
	}
	if psk {
		k.add(where, Warning, "aggressive-psk", "remove `initiate mode aggressive`, or use certificates", "aggressive mode of ISAKMP profile %s shows a hash of the pre-shared key to whoever listens: weak keys are guessed", p.Name)
	}
	if rsa {
		k.add(where, Warning, "aggressive-rsa", "remove `initiate mode aggressive`", "aggressive mode of ISAKMP profile %s gains nothing with RSA signatures, and shows both identities to whoever listens", p.Name)
	}
	if len(groups) > 1 {
		k.add(where, Warning, "aggressive-group", "give all policies one group", "aggressive mode of ISAKMP profile %s can offer one Diffie-Hellman group only: policies with another than the first one's are not offered", p.Name)
	}
}

// hostKeys warns of keys by host name that main mode can't find: the name comes after the key is needed.
func (k *checker) hostKeys() {
	for _, key := range k.keys() {
		if key.Hostname == "" || slices.ContainsFunc(k.c.Hosts, func(h Host) bool { return h.Name == key.Hostname }) {
			continue
		}
		k.add(key.Pos, Warning, "hostname-key", "add `ip host "+key.Hostname+" ADDRESS`", "the key of host %s counts in aggressive mode only: main mode knows no name when it needs the key", key.Hostname)
	}
}

// ikev2Certificates checks that an IKEv2 profile that signs has something to sign with.
func (k *checker) ikev2Certificates(p *IKEv2Profile) {
	if p.AuthLocal != "rsa-sig" && p.AuthLocal != "ecdsa-sig" || len(p.Trustpoints) == 0 {
		return
	}
	known := false
	for _, use := range p.Trustpoints {
		t := k.trustpoint(use.Name)
		known = known || t == nil // reported as undefined
		if use.Use != "verify" && t != nil && t.signs() {
			return
		}
	}
	if !known {
		k.add(p.Lines.at(p.Pos, "authentication local"), Error, "no-certificate", "name `certificate-file` and `key-file` in a trustpoint of the profile", "IKEv2 profile %s signs, and none of its trustpoints has a certificate of ours", p.Name)
	}
}

// ikev2Keys checks that peers of IKEv2 keyrings have keys, and say whose they are.
func (k *checker) ikev2Keys(r *IKEv2Keyring) {
	for _, p := range r.Peers {
		if p.Local == "" && p.Remote == "" {
			k.add(p.Pos, Error, "peer-no-key", "add `pre-shared-key KEY`", "peer %s of IKEv2 keyring %s has no key", p.Name, r.Name)
		}
		if !p.Prefix.IsValid() && p.Hostname == "" && p.Identity.Kind == "" {
			k.add(p.Pos, Error, "peer-nobody", "add `address ADDRESS`, `hostname NAME` or `identity ...`", "peer %s of IKEv2 keyring %s does not say whose key it is", p.Name, r.Name)
		}
	}
}
