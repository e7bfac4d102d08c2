package show

import (
	"fmt"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/nhrp"
)

// verdict is what becomes of the packet, in a sentence.
func (x *Explanation) verdict() string {
	p := &x.Packet
	switch p.Fate {
	case fastpath.Forwarded:
		return "Forwarded" + x.forwarded() + "."
	case fastpath.Punted:
		text := fmt.Sprintf("To the control plane (%s): %s.", p.Reason, p.Reason.Text())
		if p.Lost {
			return fmt.Sprintf("Dropped on the way to the control plane (%s): %s; its budget is spent.", p.Reason, p.Reason.Text())
		}
		return text
	}
	return fmt.Sprintf("Dropped (%s): %s.", p.Reason, p.Reason.Text())
}

func (x *Explanation) forwarded() string {
	p := &x.Packet
	switch {
	case p.Members > 0:
		n := 0
		for i := range p.Ways {
			if p.Ways[i].Left {
				n++
			}
		}
		if p.Members > len(p.Ways) {
			return ", in copies"
		}
		return ", in " + pluralCopies(n)
	case len(p.Ways) != 1:
		return ""
	}
	w := &p.Ways[0]
	text := " by " + x.iface(w.Port, w.Tunnel)
	if w.Peer.IsValid() {
		text += " to " + w.Peer.String()
	}
	if p.Cut {
		text += fmt.Sprintf(", in %d fragments", len(w.Frames))
	}
	return text
}

func pluralCopies(n int) string {
	if n == 1 {
		return "1 copy"
	}
	return fmt.Sprintf("%d copies", n)
}

// beside is what happens besides, and what can be done.
func (x *Explanation) beside() (lines []string) {
	for _, r := range x.Packet.Told {
		lines = append(lines, fmt.Sprintf("Besides, the control plane is told (%s): %s.", r, r.Text()))
	}
	return append(lines, x.advice()...)
}

// advice is what comes of it, and what can be done about it.
func (x *Explanation) advice() []string {
	p := &x.Packet
	if p.Fate == fastpath.Punted && p.Lost {
		return []string{"It is the emulated hardware that lets no more of them through at this moment: `show mls rate-limit`."}
	}
	if p.Fate == fastpath.Punted {
		return x.puntAdvice()
	}
	if p.Fate == fastpath.Forwarded {
		return nil
	}
	switch p.Reason {
	case fastpath.NoSA:
		if len(x.Packet.Ways) == 0 {
			return nil
		}
		return x.sessionAdvice(&x.Packet.Ways[0])
	case fastpath.NoRoute:
		return []string{"`show ip route" + x.vrfWords() + " " + p.Dst.String() + "` shows what routing knows."}
	case fastpath.NullRoute:
		return []string{"A route to Null0 drops on purpose: a static one, or a summary of ours whose parts do not have this destination."}
	case fastpath.IPOff:
		return []string{"Give the interface an address (`ip address`), or `ip unnumbered`."}
	case fastpath.MPLSOff:
		return []string{"Say `mpls ip` on the interface, if labelled packets are to come in by it."}
	case fastpath.MPLSUnknown:
		return []string{"`show mpls forwarding-table` lists the labels of ours; the neighbor uses one that it was not given, or that was taken back."}
	case fastpath.ClearOnProtected:
		return []string{fmt.Sprintf("There is no security association by which %s could send: `show crypto session`.", p.From.Peer)}
	case fastpath.LeakLoop:
		return []string{"Let the first VRF's route lead straight to the last."}
	case fastpath.NoAdjacency, fastpath.AdjacencyDrops:
		return []string{"No next hop of the route can be used: `show ip route" + x.vrfWords() + " " + p.Dst.String() + "` and `show ip nhrp`."}
	case fastpath.PortDown:
		return []string{"`show ports` tells which ports the workers have."}
	case fastpath.SAExpired, fastpath.SASequence:
		return []string{"A new association should have been negotiated before: `show crypto session detail`."}
	case fastpath.EngineOver, fastpath.CryptoOver, fastpath.CEFOver, fastpath.ProcessOver, fastpath.ExceptionOver, fastpath.MTUOver, fastpath.EncryptedMulticast:
		return []string{"It is the emulated hardware that has no more: `show platform hardware capacity`."}
	case fastpath.NoGroup:
		return []string{"`ip nhrp map multicast dynamic` lets registered peers have it."}
	case fastpath.InjectToSelf:
		return []string{"The kernel delivers it to itself; it never comes to the fast path."}
	}
	return nil
}

// vrfWords are what commands about the table of the last look have behind their name.
func (x *Explanation) vrfWords() string {
	id := x.Packet.From.VRF
	if n := len(x.Packet.Looks); n > 0 {
		id = x.Packet.Looks[n-1].VRF
	}
	if name := x.VRFs[id]; name != "" {
		return " vrf " + name
	}
	return ""
}

func (x *Explanation) puntAdvice() []string {
	p := &x.Packet
	src := p.Src.String()
	switch p.Reason {
	case fastpath.TTLExpired:
		return []string{src + " is told by ICMP time exceeded."}
	case fastpath.FragNeeded:
		return []string{fmt.Sprintf("%s is told by ICMP fragmentation needed, with an MTU of %d.", src, p.MTU), "Where senders do not heed that, `ip tcp adjust-mss` keeps TCP below it."}
	case fastpath.Unroutable:
		return []string{src + " is told by ICMP destination unreachable, now and then.", "`show ip route" + x.vrfWords() + " " + p.Dst.String() + "` shows what routing knows."}
	case fastpath.Glean:
		return x.gleanAdvice()
	case fastpath.Local:
		if p.From.Port != 0 && p.From.Tunnel == 0 && len(p.Labels) == 0 {
			return []string{"On a port the kernel takes such packets itself, but for GRE, ESP and AH to a tunnel source: they come to no worker."}
		}
		return []string{"It goes to the programs of this box, by the interface's twin."}
	case fastpath.Host:
		return []string{"It goes to the kernel, as a frame of the subinterface."}
	}
	return nil
}

func (x *Explanation) gleanAdvice() []string {
	if len(x.Packet.Ways) != 1 {
		return nil
	}
	w := &x.Packet.Ways[0]
	if w.Tunnel == 0 {
		return []string{"The kernel asks for it by ARP, and the latest packet waits; the others are dropped (glean-waits) until it answers."}
	}
	name := x.iface(w.Port, w.Tunnel)
	target := x.target(w)
	e := x.entry(name, target)
	switch {
	case e != nil && e.Flags&nhrp.FlagNoSock != 0:
		return x.sessionAdvice(w)
	case e != nil && e.Type == nhrp.TypeNegative:
		return []string{fmt.Sprintf("NHRP was told that nobody has %s: is it registered with its server (`show ip nhrp` there)?", target)}
	case e != nil && e.Type == nhrp.TypeIncomplete:
		return []string{fmt.Sprintf("NHRP is asking for %s and has no answer yet; the latest packet waits.", target)}
	}
	return []string{fmt.Sprintf("NHRP asks the next hop server of %s for %s; without a server, only peers that have registered or are mapped can be reached.", name, target)}
}

// sessionAdvice is what to do where a protected tunnel has nothing to protect with.
func (x *Explanation) sessionAdvice(w *fastpath.Way) []string {
	s := x.session(w)
	look := "`show crypto session` and `show crypto isakmp sa` (`show crypto ikev2 sa`) tell how far it is."
	if s == nil || s.State == dmvpn.Closed {
		return []string{fmt.Sprintf("Nothing asks for a session with the peer: `show ip nhrp` has to have it as a peer of %s.", x.iface(w.Port, w.Tunnel))}
	}
	switch s.State {
	case dmvpn.Negotiating:
		return []string{fmt.Sprintf("IKE has not agreed with %s yet: is UDP 500 (4500 through NAT) open on the way, and do keys and policies of both ends agree?", s.Peer), look}
	case dmvpn.Securing:
		return []string{fmt.Sprintf("IPsec has not agreed with %s yet, and IKE has: do the transform sets of both ends agree?", s.Peer), look}
	}
	return []string{"The session is up, and its association is being installed or replaced in this moment.", look}
}

// fateName and its like are names for programs: stable.
func fateName(f fastpath.Fate) string {
	return [...]string{fastpath.Dropped: "dropped", fastpath.Punted: "punted", fastpath.Forwarded: "forwarded"}[f]
}

func adjKindName(k fib.AdjKind) string {
	names := [...]string{fib.AdjDrop: "drop", fib.AdjLink: "link", fib.AdjTunnel: "tunnel", fib.AdjGlean: "glean", fib.AdjLookup: "lookup"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

func labelActionName(a fib.LabelAction) string {
	switch a {
	case fib.LabelLookup:
		return "lookup"
	case fib.LabelForward:
		return "forward"
	}
	return "swap"
}
