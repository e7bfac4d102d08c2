package show

import (
	"fmt"
	"strings"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
)

// sizeStep is how the packet fits.
func (x *Explanation) sizeStep(w *fastpath.Way) explainStep {
	s := explainStep{Name: "Size"}
	p := &x.Packet
	if w.Kind != fib.AdjLink && w.Kind != fib.AdjTunnel {
		return s
	}
	n := p.Length
	switch {
	case p.Reason == fastpath.FragNeeded && p.Fate == fastpath.Punted:
		s.say("%d bytes, and must not be cut; %d would fit", n, p.MTU)
	case p.Cut && len(w.Frames) > 0 && w.Frames[0].More && w.Kind == fib.AdjTunnel:
		s.say("%d bytes fit the tunnel (%d); with headers they are more than the link takes (%d), so the outer packet is cut into %d", n, w.MTU, w.LinkMTU, len(w.Frames))
	case p.Cut:
		s.say("%d bytes are more than the %d that it takes: cut into %d fragments", n, w.MTU, len(w.Frames))
	case w.Limit < w.MTU:
		s.say("%d bytes of %d; up to %d the link (%d) takes them uncut with all headers", n, w.MTU, w.Limit, w.LinkMTU)
	default:
		s.say("%d bytes of %d", n, w.MTU)
	}
	if p.MSS != 0 && p.Proto == 6 {
		s.say("the MSS that a SYN asks for becomes %d, if it is larger", p.MSS)
	}
	return s
}

// sealStep is how it is protected.
func (x *Explanation) sealStep(w *fastpath.Way) explainStep {
	s := explainStep{Name: "Seal"}
	if w.MustSeal {
		s.say("the tunnel is protected, and there is no security association with %s", w.Peer)
	}
	for i := range w.Seals {
		u := &w.Seals[i]
		name := map[bool]string{false: "ESP", true: "AH"}[u.AH]
		if !u.Installed {
			s.say("%s by security association %d, which is gone", name, u.ID)
			continue
		}
		mode := "transport mode"
		if u.TunnelMode {
			mode = "tunnel mode"
		}
		if u.Encap {
			mode += fmt.Sprintf(", in UDP to port %d", u.RemotePort)
		}
		s.say("%s, SPI 0x%08X, %s, %s", name, u.SPI, sealName(u), mode)
		s.say("%s", x.sealLife(u))
	}
	if over := overhead(&x.Packet, w); over != "" && len(w.Seals) > 0 {
		s.say("%s", over)
	}
	if w.MustSeal || len(w.Seals) > 0 {
		s.Lines = append(s.Lines, x.sessionLines(w)...)
	}
	return s
}

// sealName is the algorithms of an association.
func sealName(u *fastpath.SealUse) string {
	cipher := [...]string{
		fib.CipherNull: "no encryption", fib.CipherDES: "DES", fib.Cipher3DES: "3DES", fib.CipherAESCBC: "AES-CBC", fib.CipherAESCTR: "AES-CTR",
		fib.CipherAESGCM: "AES-GCM", fib.CipherAESGMAC: "AES-GMAC", fib.CipherChaCha20Poly1305: "ChaCha20-Poly1305",
	}
	auth := [...]string{
		fib.AuthNone: "", fib.AuthHMACMD5: "HMAC-MD5", fib.AuthHMACSHA1: "HMAC-SHA1", fib.AuthHMACSHA256: "HMAC-SHA256", fib.AuthHMACSHA384: "HMAC-SHA384",
		fib.AuthHMACSHA512: "HMAC-SHA512", fib.AuthHMACSHA256x96: "HMAC-SHA256-96",
	}
	var words []string
	if int(u.Cipher) < len(cipher) && !u.AH {
		name := cipher[u.Cipher]
		switch u.Cipher {
		case fib.CipherAESCBC, fib.CipherAESCTR, fib.CipherAESGCM, fib.CipherAESGMAC:
			name += fmt.Sprintf("-%d", 8*u.KeyLen)
		}
		words = append(words, name)
	}
	if int(u.Auth) < len(auth) && auth[u.Auth] != "" {
		words = append(words, auth[u.Auth])
	}
	return strings.Join(words, " and ")
}

func (x *Explanation) sealLife(u *fastpath.SealUse) string {
	text := fmt.Sprintf("has carried %d bytes in %s", u.Bytes, plural(int(u.Packets), "packet"))
	if u.Hard != 0 {
		text += fmt.Sprintf(" of %d", u.Hard)
	}
	if u.Expires != 0 {
		left := u.Expires - x.Time.Unix()
		text += fmt.Sprintf(", ends in %d seconds", max(left, 0))
	}
	return text
}

// overhead is what was put around the packet, by the frame that left. Of what is cut it is not told.
func overhead(p *fastpath.Explanation, w *fastpath.Way) string {
	if len(w.Frames) != 1 || p.Cut || w.Kind != fib.AdjTunnel {
		return ""
	}
	total := w.Frames[0].Length
	rest := total - w.Outer - w.Inner - p.Length
	fixed := 0
	for i := range w.Seals {
		u := &w.Seals[i]
		if u.AH {
			fixed += 12 + u.ICV
		} else {
			fixed += 8 + u.IV + u.ICV + 2
		}
		if u.TunnelMode {
			fixed += 20
		}
	}
	return fmt.Sprintf("%d bytes of packet, %d of GRE and labels, %d of protection (%d of them padding), %d of outer header", p.Length, w.Inner, rest, max(rest-fixed, 0), w.Outer)
}

// sessionLines is what IKE and the sessions say of a peer.
func (x *Explanation) sessionLines(w *fastpath.Way) (lines []string) {
	s := x.session(w)
	if s == nil {
		return []string{"there is no session with the peer: NHRP has not asked for one"}
	}
	text := fmt.Sprintf("the session with %s is %s", s.Peer, s.State)
	if !s.Since.IsZero() {
		text += ", since " + elapsed(x.Time.Sub(s.Since))
	}
	lines = append(lines, text)
	if s.State == dmvpn.Up {
		return lines
	}
	if s.Tries > 0 {
		text := plural(s.Tries, "negotiation") + " begun since it was last up"
		if !s.NextTry.IsZero() {
			text += ", the next in " + elapsed(s.NextTry.Sub(x.Time))
		}
		lines = append(lines, text)
	}
	if s.LastWhy != ike.WhyNone {
		lines = append(lines, fmt.Sprintf("what ended last ended with %s", s.LastWhy))
	}
	for i := range x.IKE {
		if sa := &x.IKE[i]; sa.Path.Remote.Addr() == s.Peer {
			lines = append(lines, fmt.Sprintf("IKE SA %d of version %d is in state %s", sa.ID, sa.Version, sa.State))
		}
	}
	return lines
}

// priceStep is what hardware that is emulated takes.
func (x *Explanation) priceStep() explainStep {
	s := explainStep{Name: "Price"}
	for i := range x.Packet.Spent {
		u := &x.Packet.Spent[i]
		b := &budgets[u.Budget]
		rate := "of no end"
		if u.Rate != 0 {
			rate = "of " + speed(u.Budget, u.Rate)
		}
		amount := fmt.Sprintf("%d", units(u.Budget, u.Units))
		if u.Budget == fib.Engine {
			amount = fmt.Sprintf("%.2f", float64(u.Units)/fib.PassCost)
		}
		if u.Refused {
			s.say("%s, %s: too little is left for it now", b.title, rate)
		} else {
			s.say("%s, %s: takes %s %s", b.title, rate, amount, b.unit)
		}
	}
	if len(s.Lines) > 0 && x.Profile != "" {
		s.say("by hardware profile %s", x.Profile)
	}
	return s
}

// mostFramesTold is how many frames of a packet are told of.
const mostFramesTold = 4

func (x *Explanation) outStep(w *fastpath.Way) explainStep {
	s := explainStep{Name: "Out"}
	for i := range w.Frames {
		if i == mostFramesTold && len(w.Frames) > mostFramesTold+1 {
			s.say("and %d more", len(w.Frames)-i)
			break
		}
		f := &w.Frames[i]
		s.say("%s: %s", x.linkOf(f), frameText(f))
	}
	return s
}

// linkOf is the port or subinterface that a frame leaves by.
func (x *Explanation) linkOf(f *fastpath.Frame) string {
	name := x.iface(f.Port, 0)
	if f.VLAN != 0 {
		name += fmt.Sprintf(" with tag %d", f.VLAN)
	}
	return name
}

// frameText is what whoever receives it sees.
func frameText(f *fastpath.Frame) string {
	var words []string
	if len(f.Labels) > 0 {
		words = append(words, pluralWord(len(f.Labels), "label")+" "+stack(f.Labels))
	}
	if !f.Src.IsValid() {
		return strings.Join(append(words, fmt.Sprintf("%d bytes to %s", f.Length, mac(f.DstMAC))), ", ")
	}
	what := protocolName(f.Proto)
	switch {
	case f.SPI != 0 && f.Proto == 17:
		what = fmt.Sprintf("UDP %d > %d with ESP SPI 0x%08X", f.SrcPort, f.DstPort, f.SPI)
	case f.SPI != 0:
		what += fmt.Sprintf(" SPI 0x%08X", f.SPI)
	}
	words = append(words, fmt.Sprintf("%s > %s", f.Src, f.Dst), what, fmt.Sprintf("%d bytes, TTL %d, TOS 0x%02x", f.Length, f.TTL, f.TOS))
	if f.DF {
		words = append(words, "DF")
	}
	if f.Offset != 0 || f.More {
		words = append(words, fmt.Sprintf("fragment at %d", f.Offset))
	}
	return strings.Join(words, ", ")
}

// groupStep is the copies of multicast.
func (x *Explanation) groupStep() explainStep {
	s := explainStep{Name: "Copies"}
	p := &x.Packet
	if p.Members == 0 {
		s.say("nobody is on the list of who gets multicast")
	}
	for i := range p.Ways {
		w := &p.Ways[i]
		to := x.iface(w.Port, w.Tunnel)
		if w.Peer.IsValid() {
			to += " to " + w.Peer.String()
		}
		switch {
		case w.Left:
			s.say("%s", to)
		case w.Reason != fastpath.Unknown:
			s.say("%s: none, %s", to, w.Reason.Text())
		default:
			s.say("%s: none, it came from there", to)
		}
	}
	if more := p.Members - len(p.Ways); more > 0 {
		s.say("and %d more", more)
	}
	return s
}
