package show

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
	"nave/slowpath/rib"
)

// cryptoMap is the map that IOS makes for a protected tunnel: an entry for the profile, and one for each peer.
type cryptoMap struct {
	tag     string
	profile string
	ifaces  []string
	flows   []*flow
}

// cryptoMaps are those of all protected tunnels, in the order of the interfaces.
func (s *Status) cryptoMaps(flows []flow) []*cryptoMap {
	var out []*cryptoMap
	for _, i := range s.Router.Interfaces {
		c := s.Interfaces[i.Name]
		if c.Profile == "" || i.Tunnel == nil {
			continue
		}
		tag := mapTag(i.Name, c.Profile, c.Shared)
		k := slices.IndexFunc(out, func(m *cryptoMap) bool { return m.tag == tag })
		if k < 0 {
			out = append(out, &cryptoMap{tag: tag, profile: c.Profile})
			k = len(out) - 1
		}
		out[k].ifaces = append(out[k].ifaces, i.Name)
		for n := range flows {
			f := &flows[n]
			if slices.Contains(f.Ifaces, i.Name) && !slices.Contains(out[k].flows, f) {
				out[k].flows = append(out[k].flows, f)
			}
		}
	}
	return out
}

// CryptoMap is `show crypto map`.
func CryptoMap(s *Status, sel Select) string {
	var b strings.Builder
	flows := s.flows()
	for _, m := range s.cryptoMaps(flows) {
		if !m.selected(&sel) {
			continue
		}
		p := s.profile(m.profile)
		family := ""
		if sel.Form == Modern {
			family = "IPv4 "
		}
		fmt.Fprintf(&b, "Crypto Map %s\"%s\" 10 ipsec-isakmp\n", family, m.tag)
		if p.IKEv2Profile != "" {
			fmt.Fprintf(&b, "\tIKEv2 Profile: %s\n", p.IKEv2Profile)
		}
		if p.ISAKMPProfile != "" {
			fmt.Fprintf(&b, "\tISAKMP Profile: %s\n", p.ISAKMPProfile)
		}
		fmt.Fprintf(&b, "\tProfile name: %s\n", m.profile)
		s.mapProfile(&b, &p, sel.Form)
		for k, f := range m.flows {
			if sel.Peer.IsValid() && f.Peer != sel.Peer {
				continue
			}
			fmt.Fprintf(&b, "\nCrypto Map %s\"%s\" %d ipsec-isakmp\n\tMap is a PROFILE INSTANCE.\n", family, m.tag, 10*(k+2))
			fmt.Fprintf(&b, "\tPeer = %s\n\tExtended IP access list\n\t    access-list  permit gre host %s host %s\n", f.Peer, f.Local, f.Peer)
			fmt.Fprintf(&b, "\tCurrent peer: %s\n", f.Peer)
			s.mapProfile(&b, &p, sel.Form)
		}
		fmt.Fprintf(&b, "\tInterfaces using crypto map %s:\n", m.tag)
		for _, i := range m.ifaces {
			fmt.Fprintf(&b, "\t\t%s\n", i)
		}
		b.WriteString("\n")
	}
	if b.Len() == 0 {
		return "No crypto maps found.\n"
	}
	return b.String()
}

// selected tells whether a map is wanted.
func (m *cryptoMap) selected(sel *Select) bool {
	return (sel.Iface == "" || slices.Contains(m.ifaces, sel.Iface)) && (sel.Map == "" || m.tag == sel.Map)
}

// profile is an IPsec profile by name, empty where there is none.
func (s *Status) profile(name string) IPsecProfile {
	for _, p := range s.Crypto.Profiles {
		if p.Name == name {
			return p
		}
	}
	return IPsecProfile{Name: name}
}

func (s *Status) mapProfile(b *strings.Builder, p *IPsecProfile, form Form) {
	life := int(cmp.Or(p.Lifetime, ike.DefaultChildLifetime) / time.Second)
	if p.Kilobytes != 0 {
		fmt.Fprintf(b, "\tSecurity association lifetime: %d kilobytes/%d seconds\n", p.Kilobytes, life)
	} else {
		fmt.Fprintf(b, "\tSecurity association lifetime: %d seconds\n", life)
	}
	switch {
	case form == Modern:
		fmt.Fprintf(b, "\tDualstack (Y/N): N\n\n\tResponder-Only (Y/N): %s\n", yesLetter(p.ResponderOnly))
	case p.ResponderOnly:
		b.WriteString("\tResponder-Only (Y/N): Y\n")
	}
	if p.PFS == suite.GroupNone {
		b.WriteString("\tPFS (Y/N): N\n")
	} else {
		fmt.Fprintf(b, "\tPFS (Y/N): Y\n\tDH group:  %s\n", groupText(p.PFS))
	}
	if form == Legacy {
		b.WriteString("\tTransform sets={")
		for _, name := range p.TransformSets {
			fmt.Fprintf(b, "%s, ", name)
		}
		b.WriteString("}\n")
		return
	}
	b.WriteString("\tMixed-mode : Disabled\n\tTransform sets={ \n")
	for _, name := range p.TransformSets {
		fmt.Fprintf(b, "\t\t%s:  { %s  } , \n", name, transformText(s.transform(name)))
	}
	b.WriteString("\t}\n")
}

func yesLetter(b bool) string {
	if b {
		return "Y"
	}
	return "N"
}

func (s *Status) transform(name string) ike.Transform {
	for _, t := range s.Crypto.TransformSets {
		if t.Name == name {
			return t.Transform
		}
	}
	return ike.Transform{}
}

// CryptoEngine is `show crypto engine connections active`: each association with what it has carried.
func CryptoEngine(s *Status) string {
	var b strings.Builder
	b.WriteString("Crypto Engine Connections\n\n   ID  Type    Algorithm           Encrypt  Decrypt LastSeqN IP-Address\n")
	flows := s.flows()
	for k := range flows {
		for _, e := range flows[k].associations() {
			encrypt, decrypt := e.count.Packets, uint64(0)
			if e.in {
				encrypt, decrypt = decrypt, encrypt
			}
			fmt.Fprintf(&b, "%5d  %-7s %-18s %8d %8d %8d %s\n", e.id, "IPsec", e.algorithm, encrypt, decrypt, e.count.LastSeq, flows[k].Local)
		}
	}
	return b.String()
}

// association is one direction of one protocol of a child.
type association struct {
	id        fib.SAID
	algorithm string
	in        bool
	count     fastpath.SACount
}

// associations are those of all children that are in the fast path.
func (f *flow) associations() (out []association) {
	for n := range f.children {
		c := &f.children[n]
		alg := algorithms(c.negotiated.Transform)
		for _, a := range []association{
			{c.ESPIn, alg, true, c.esp.in}, {c.ESPOut, alg, false, c.esp.out}, {c.AHIn, alg, true, c.ah.in}, {c.AHOut, alg, false, c.ah.out},
		} {
			if a.id != 0 {
				out = append(out, a)
			}
		}
	}
	return out
}

// algorithms is a transform in the words of the crypto engine: "AES256+SHA256".
func algorithms(t ike.Transform) string {
	var words []string
	if t.Cipher != suite.CipherNone {
		w := strings.ToUpper(strings.TrimSuffix(t.Cipher.String(), "-cbc"))
		if t.KeyBits != 0 {
			w += fmt.Sprint(t.KeyBits)
		}
		words = append(words, w)
	}
	for _, h := range []suite.Hash{t.Auth, t.AH} {
		if h != suite.HashNone {
			words = append(words, strings.ToUpper(strings.TrimSuffix(h.String(), "1")))
		}
	}
	return strings.Join(words, "+")
}

// outerName names what a tunnel's packets leave by: an address, as `show dmvpn detail` has it.
func outerName(i *rib.Interface) string {
	if i.Tunnel.Local.IsValid() {
		return i.Tunnel.Local.String()
	}
	return "UNKNOWN"
}
