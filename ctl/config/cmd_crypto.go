package config

import "fmt"

const groupSyntax = "{1|2|5|14|15|16|19|20|21|31}"

var groupWords = []string{"1", "2", "5", "14", "15", "16", "19", "20", "21", "31"}

// cryptoCommands are the global `crypto ...` commands of IKEv1, IPsec and PKI.
func cryptoCommands() []*spec {
	return join(isakmpCommands(), ipsecCommands(), []*spec{
		cmd("crypto pki trustpoint <name>", "Certificates of one authority", func(x *ctx) {
			name := x.Text("name")
			if !x.on() {
				remove(&x.cfg.PKI.Trustpoints, func(t *Trustpoint) bool { return t.Name == name })
				return
			}
			t := named(&x.cfg.PKI.Trustpoints, name, func(t *Trustpoint) string { return t.Name },
				func() *Trustpoint { return &Trustpoint{Name: name, Pos: x.pos} })
			x.push(mTrustpoint, t, &t.Lines).sink = &t.Ignored
		}),
		not("crypto pki certificate chain <name>", "Certificates in the configuration", "certificates are read from PEM files",
			"name them under `crypto pki trustpoint`: ca-file, certificate-file, key-file").enters(swallow),
		not("crypto isakmp peer <text:line>", "Aggressive mode with one peer", "it stands for one address, and DMVPN peers come and go",
			"use `crypto isakmp profile` with `initiate mode aggressive`").enters(swallow),
		not("crypto isakmp client <text:line>", "Remote access", "nave serves no remote-access clients", "remove the line").enters(swallow),
		not("crypto ikev2 http-url cert", "Certificates by hash and URL", "nave fetches nothing that a peer names", "certificates are sent whole; remove the line"),
		not("crypto key <text:line>", "Key pairs", "keys are made outside, and read from PEM files", "make one with openssl, and name it under `crypto pki trustpoint`: key-file"),
		not("crypto map <text:line>", "Crypto map", "what is encrypted is chosen by tunnel, not by access list, and keys come from IKE, not by hand",
			"use `crypto ipsec profile` and `tunnel protection ipsec profile` on a tunnel").enters(swallow),
		not("crypto dynamic-map <text:line>", "Crypto map template", "what is encrypted is chosen by tunnel, not by access list",
			"use `crypto ipsec profile` and `tunnel protection ipsec profile` on a tunnel").enters(swallow),
		cmd("crypto identity <name>", "Peers that may use a profile", func(x *ctx) {
			name := x.Text("name")
			if !x.on() {
				remove(&x.cfg.IPsec.Identities, func(t *CryptoIdentity) bool { return t.Name == name })
				return
			}
			i := named(&x.cfg.IPsec.Identities, name, func(t *CryptoIdentity) string { return t.Name },
				func() *CryptoIdentity { return &CryptoIdentity{Name: name, Pos: x.pos} })
			x.push(mCryptoIdentity, i, &i.Lines)
		}),
	})
}

// swallow enters a mode whose lines are not read.
func swallow(x *ctx) { x.push(mSwallow, nil, nil) }

// isakmpCommands are `crypto isakmp ...` and `crypto keyring`.
func isakmpCommands() []*spec {
	return []*spec{
		cmd("crypto isakmp policy <priority:1-10000>", "IKEv1 proposal; low numbers are tried first", func(x *ctx) {
			n := int(x.Uint("priority"))
			if !x.on() {
				remove(&x.cfg.ISAKMP.Policies, func(p *ISAKMPPolicy) bool { return p.Priority == n })
				return
			}
			for _, p := range x.cfg.ISAKMP.Policies {
				if p.Priority == n {
					x.push(mISAKMPPolicy, p, &p.Lines)
					return
				}
			}
			p := &ISAKMPPolicy{Priority: n, Pos: x.pos}
			x.cfg.ISAKMP.Policies = append(x.cfg.ISAKMP.Policies, p)
			x.push(mISAKMPPolicy, p, &p.Lines)
		}),
		cmd("crypto isakmp key [{0|6}] <key:secret> {address <address:ip> [<mask:mask>]|hostname <hostname>} [no-xauth]",
			"Pre-shared key for a peer, a range of addresses, or all (address 0.0.0.0)", func(x *ctx) {
				setPSK(x, &x.cfg.ISAKMP.Keys)
			}),
		cmd("crypto isakmp identity ~ {address|hostname|dn}", "How we call ourselves", func(x *ctx) {
			x.cfg.ISAKMP.Identity = ""
			if x.on() {
				x.cfg.ISAKMP.Identity = x.OneOf("address", "hostname", "dn")
			}
		}).def("address"),
		cmd("crypto isakmp keepalive ~ <seconds:10-3600> [<retry:2-60>] [{periodic|on-demand}]", "Dead peer detection", func(x *ctx) {
			x.cfg.ISAKMP.Keepalive = x.keepalive()
		}).def("off"),
		cmd("crypto isakmp nat keepalive ~ <seconds:5-3600>", "Time between NAT keepalives", func(x *ctx) {
			x.cfg.ISAKMP.NATKeepalive = x.dur("seconds")
		}).def("20"),
		cmd("crypto isakmp aggressive-mode disable", "Refuse aggressive mode", func(x *ctx) { x.cfg.ISAKMP.NoAggressive = x.on() }).def("accepted"),
		cmd("crypto isakmp invalid-spi-recovery", "Tell a peer of an SA that we do not know", func(x *ctx) {
			x.cfg.ISAKMP.InvalidSPIRecovery = x.on()
		}).def("off"),
		cmd("crypto isakmp enable", "Answer IKE", func(x *ctx) { x.cfg.ISAKMP.Disabled = x.off() }).def("on"),
		cmd("crypto isakmp profile <name>", "Parameters for some peers", func(x *ctx) {
			name := x.Text("name")
			if !x.on() {
				remove(&x.cfg.ISAKMP.Profiles, func(p *ISAKMPProfile) bool { return p.Name == name })
				return
			}
			p := named(&x.cfg.ISAKMP.Profiles, name, func(p *ISAKMPProfile) string { return p.Name },
				func() *ISAKMPProfile { return &ISAKMPProfile{Name: name, Pos: x.pos} })
			x.push(mISAKMPProfile, p, &p.Lines)
		}),
		cmd("crypto keyring <name> ~ [vrf <vrf>]", "Pre-shared keys of one VRF", func(x *ctx) {
			name := x.Text("name")
			if !x.on() {
				remove(&x.cfg.ISAKMP.Keyrings, func(k *Keyring) bool { return k.Name == name })
				return
			}
			k := named(&x.cfg.ISAKMP.Keyrings, name, func(k *Keyring) string { return k.Name },
				func() *Keyring { return &Keyring{Name: name, VRF: x.Text("vrf"), Pos: x.pos} })
			if x.Given("vrf") && k.VRF != x.Text("vrf") {
				x.report(Error, "keyring-vrf", fmt.Sprintf("keyring %s is already in another VRF", name), "remove it first, with `no crypto keyring`")
				return
			}
			x.push(mKeyring, k, &k.Lines)
		}),
	}
}

// keepalive reads seconds, retry and mode.
func (x *ctx) keepalive() Keepalive {
	return Keepalive{Interval: x.dur("seconds"), Retry: x.dur("retry"), Periodic: x.has("periodic"), OnDemand: x.has("on-demand")}
}

// setPSK adds a pre-shared key to a ring, or takes it away.
func setPSK(x *ctx, keys *[]ISAKMPKey) {
	k := ISAKMPKey{Key: Secret(x.Text("key")), Hostname: x.Text("hostname"), NoXAuth: x.Has("no-xauth"), Pos: x.pos}
	if x.encrypted() {
		return
	}
	if k.Hostname == "" {
		k.Prefix = x.hostOrNetwork("address", "mask")
	}
	update(x, keys, k, func(o ISAKMPKey) bool { return o.Prefix == k.Prefix && o.Hostname == k.Hostname })
}

// encrypted refuses a key that is not in clear.
func (x *ctx) encrypted() bool {
	if x.on() && x.OneOf("6", "7") != "" {
		x.report(Error, "encrypted-key", "keys encrypted by another router can't be read", "write the key in clear; nave masks it in show and logs")
		return true
	}
	return false
}

func isakmpPolicyCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, p *ISAKMPPolicy)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*ISAKMPPolicy)) })
	}
	return []*spec{
		on("encryption ~ {des|3des|aes [{128|192|256}]}", "Cipher", func(x *ctx, p *ISAKMPPolicy) {
			p.Encryption, p.KeyBits = "", 0
			if x.on() {
				p.Encryption, p.KeyBits = x.OneOf("des", "3des", "aes"), atoi(x.OneOf("128", "192", "256"))
			}
		}).def("des"),
		on("hash ~ {sha|md5|sha256|sha384|sha512}", "Hash", func(x *ctx, p *ISAKMPPolicy) {
			p.Hash = ""
			if x.on() {
				p.Hash = x.OneOf("sha", "md5", "sha256", "sha384", "sha512")
			}
		}).def("sha"),
		on("authentication ~ {pre-share|rsa-sig|rsa-encr|ecdsa-sig}", "How peers prove who they are", func(x *ctx, p *ISAKMPPolicy) {
			if x.has("rsa-encr") {
				x.report(Error, "refused", "authentication by RSA encryption is not supported", "use pre-share or rsa-sig")
				return
			}
			if x.has("ecdsa-sig") {
				x.report(Error, "refused", "ECDSA signatures are not supported with IKEv1", "use rsa-sig here, or IKEv2")
				return
			}
			p.Authentication = ""
			if x.on() {
				p.Authentication = x.OneOf("pre-share", "rsa-sig")
			}
		}).def("rsa-sig"),
		on("group ~ "+groupSyntax, "Diffie-Hellman group", func(x *ctx, p *ISAKMPPolicy) {
			p.Group = 0
			if x.on() {
				p.Group = atoi(x.OneOf(groupWords...))
			}
		}).def("1"),
		on("lifetime ~ <seconds:60-86400>", "Lifetime of the IKE SA", func(x *ctx, p *ISAKMPPolicy) { p.Lifetime = x.dur("seconds") }).def("86400"),
	}
}

func atoi(s string) int {
	n := 0
	for _, c := range []byte(s) {
		n = n*10 + int(c-'0')
	}
	return n
}

func keyringCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, k *Keyring)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*Keyring)) })
	}
	return []*spec{
		on("description ~ <text:line>", "Free text", func(x *ctx, k *Keyring) { k.Description = x.str("text") }),
		on("local-address ~ {<address:ip>|<interface:interface>}", "Use the ring only for SAs from this address", func(x *ctx, k *Keyring) {
			k.LocalAddr, k.LocalInterface = x.addr("address"), x.str("interface")
		}),
		on("pre-shared-key {address <address:ip> [<mask:mask>]|hostname <hostname>} ~ key [{0|6}] <key:secret>", "Key for a peer",
			func(x *ctx, k *Keyring) { setPSK(x, &k.Keys) }),
	}
}

func isakmpProfileCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, p *ISAKMPProfile)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*ISAKMPProfile)) })
	}
	return []*spec{
		on("description ~ <text:line>", "Free text", func(x *ctx, p *ISAKMPProfile) { p.Description = x.str("text") }),
		on("vrf ~ <vrf>", "VRF of the clear-text packets", func(x *ctx, p *ISAKMPProfile) { p.VRF = x.str("vrf") }),
		on("keyring <keyring>", "Pre-shared keys to use", func(x *ctx, p *ISAKMPProfile) {
			update(x, &p.Keyrings, x.Text("keyring"), equals(x.Text("keyring")))
		}),
		on("self-identity ~ {address|fqdn|fqdn <fqdn>|user-fqdn <email>}", "How we call ourselves", func(x *ctx, p *ISAKMPProfile) {
			p.SelfIdentity = Identity{}
			if !x.on() {
				return
			}
			p.SelfIdentity.Kind = x.OneOf("address", "fqdn")
			p.SelfIdentity.Value = x.Text("fqdn")
			if x.Has("user-fqdn") {
				p.SelfIdentity = Identity{Kind: "email", Value: x.Text("email")}
			}
		}),
		on("match identity {address <address:ip> [<mask:mask>] [<vrf:name>]|host [domain] <host>|user [domain] <user>|group <group>}",
			"Peers that the profile is for", func(x *ctx, p *ISAKMPProfile) {
				id := x.matchIdentity()
				update(x, &p.Match, id, equals(id))
			}),
		on("keepalive ~ <seconds:10-3600> retry <retry:2-60>", "Dead peer detection", func(x *ctx, p *ISAKMPProfile) { p.Keepalive = x.keepalive() }),
		on("ca trust-point ~ <trustpoint>", "Certificate to use", func(x *ctx, p *ISAKMPProfile) { p.Trustpoint = x.str("trustpoint") }),
		on("initiate mode ~ aggressive", "Begin in aggressive mode", func(x *ctx, p *ISAKMPProfile) { p.Aggressive = x.on() }).def("main mode"),
		on("local-address ~ {<address:ip>|<interface:interface>}", "Use the profile only for SAs from this address",
			func(x *ctx, p *ISAKMPProfile) { p.LocalAddr, p.LocalInterface = x.addr("address"), x.str("interface") }),
	}
}

// matchIdentity reads the identity of an IKEv1 peer.
func (x *ctx) matchIdentity() Identity {
	domain := ""
	if x.Has("domain") {
		domain = "-domain"
	}
	switch x.OneOf("address", "host", "user", "group") {
	case "address":
		return Identity{Kind: "address", Prefix: x.hostOrNetwork("address", "mask"), VRF: x.Text("vrf")}
	case "host":
		return Identity{Kind: "fqdn" + domain, Value: x.Text("host")}
	case "user":
		return Identity{Kind: "email" + domain, Value: x.Text("user")}
	}
	return Identity{Kind: "group", Value: x.Text("group")}
}

func trustpointCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, t *Trustpoint)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*Trustpoint)) })
	}
	return []*spec{
		on("ca-file ~ <path>", "PEM file of the authority", func(x *ctx, t *Trustpoint) { t.CAFile = x.str("path") }).nave(),
		on("certificate-file ~ <path>", "PEM file of our certificate", func(x *ctx, t *Trustpoint) { t.CertificateFile = x.str("path") }).nave(),
		on("key-file ~ <path>", "PEM file of our private key", func(x *ctx, t *Trustpoint) { t.KeyFile = x.str("path") }).nave(),
		on("crl-file ~ <path>", "PEM or DER file of the revocation list", func(x *ctx, t *Trustpoint) { t.CRLFile = x.str("path") }).nave(),
		on("revocation-check ~ {crl|none|ocsp}...", "How revocation is checked, in order", func(x *ctx, t *Trustpoint) {
			if x.has("ocsp") {
				x.report(Error, "refused", "OCSP is not supported", "use `revocation-check crl` with a crl-file, or none")
				return
			}
			t.Revocation = nil
			if x.on() {
				t.Revocation = x.keywords("crl", "none")
			}
		}).def("crl where a crl-file is named, else none"),
		on("subject-name ~ <text:line>", "Subject for requests", func(x *ctx, t *Trustpoint) { t.SubjectName = x.str("text") }),
		on("rsakeypair ~ <name> [<bits:512-8192>]", "Name of the key pair", func(x *ctx, t *Trustpoint) { t.KeyPair = x.str("name") }),
		nop("enrollment ~ <text:line>", "How certificates are requested"),
		nop("fqdn ~ <text:line>", "Name for requests"),
		nop("serial-number ~ [none]", "Serial number for requests"),
		nop("ip-address ~ <text:line>", "Address for requests"),
		nop("auto-enroll ~ [<text:line>]", "Renewal"),
	}
}

// keywords lists which of the words are in the line, each once, in the order of the line.
func (x *ctx) keywords(words ...string) []string {
	var out []string
	for _, w := range x.Keywords() {
		for _, k := range words {
			if w == k && !contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func cryptoIdentityCommands() []*spec {
	return []*spec{
		cmd("dn <text:line>", "Distinguished name of a peer", func(x *ctx) {
			i := x.top().obj.(*CryptoIdentity)
			update(x, &i.DN, x.Text("text"), equals(x.Text("text")))
		}),
		cmd("fqdn <fqdn>", "Host name of a peer", func(x *ctx) {
			i := x.top().obj.(*CryptoIdentity)
			update(x, &i.FQDN, x.Text("fqdn"), equals(x.Text("fqdn")))
		}),
	}
}
