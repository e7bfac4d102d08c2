package config

import (
	"net/netip"
	"strconv"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// nhrp checks the NHRP part of each tunnel, and of the tunnels of different VRFs against each other.
func (k *checker) nhrp() {
	list := k.c.tunnels()
	for n, i := range list {
		if a := i.NHRP.Authentication.Reveal(); len(a) > MaxAuthentication {
			k.add(i.at("ip nhrp authentication"), Error, "nhrp-auth-length", "shorten it, on all routers of the network",
				"the NHRP authentication string of %s has %d characters; %d is the limit", i.Name, len(a), MaxAuthentication)
		}
		k.nhrpNetwork(i)
		k.nhrpTimes(i)
		k.nhrpOpening(i)
		for _, s := range i.NHRP.NHS {
			k.nhs(i, s)
		}
		for _, o := range list[:n] {
			k.nhrpPair(o, i)
		}
	}
	for _, i := range k.c.Interfaces {
		if !i.IsTunnel() && !same(i.NHRP, NHRP{}) {
			k.add(i.Pos, Error, "not-tunnel", "move the `ip nhrp` lines under a tunnel", "%s is no tunnel: NHRP runs on tunnels only", i.Name)
		}
	}
}

func (k *checker) nhrpNetwork(i *Interface) {
	n := &i.NHRP
	if n.Enabled() {
		return
	}
	switch {
	case !same(*n, NHRP{}):
		k.add(i.Pos, Error, "nhrp-no-network-id", "add `ip nhrp network-id NUMBER`", "%s has NHRP commands but no `ip nhrp network-id`: NHRP is off", i.Name)
	case i.Tunnel.Mode == GREMultipoint:
		k.add(i.Pos, Warning, "nhrp-no-network-id", "add `ip nhrp network-id NUMBER`", "multipoint tunnel %s has no NHRP: it reaches nobody", i.Name)
	}
}

func (k *checker) nhrpTimes(i *Interface) {
	n := &i.NHRP
	if !n.Enabled() {
		return
	}
	const action = "set `ip nhrp holdtime` from 300 to 600"
	switch {
	case n.HoldTime == 0:
		k.add(i.at("ip nhrp network-id"), Info, "holdtime", action, "%s has the default NHRP hold time of 7200 seconds: changed addresses are noticed late", i.Name)
	case n.HoldTime < 300*time.Second || n.HoldTime > 600*time.Second:
		k.add(i.at("ip nhrp holdtime"), Warning, "holdtime", action, "the NHRP hold time of %s is %d seconds; 300 to 600 is recommended", i.Name, n.HoldTime/time.Second)
	}
	if n.RegistrationTimeout > n.Hold() {
		k.add(i.at("ip nhrp registration timeout"), Error, "registration-timeout", "make it a third of the hold time",
			"%s registers every %d seconds, but its registrations last only %d", i.Name, n.RegistrationTimeout/time.Second, n.Hold()/time.Second)
	}
}

// nhrpOpening checks that there is IPsec in UDP to open a path for, and more than one peer.
func (k *checker) nhrpOpening(i *Interface) {
	if !i.NHRP.SimultaneousOpen {
		return
	}
	const code, line = "nhrp-simultaneous-open", "ip nhrp nat simultaneous-open"
	switch {
	case i.Tunnel.Protection.Profile == "":
		k.add(i.at(line), Warning, code, "add `tunnel protection ipsec profile NAME`, or remove the line", "%s has no tunnel protection: nothing goes in UDP, so no path can be opened", i.Name)
	case k.c.IPsec.NoNATT:
		k.add(i.at(line), Warning, code, "remove `no crypto ipsec nat-transparency udp-encapsulation`, or this line",
			"ESP does not go in UDP here, so %s can't open a path through NAT", i.Name)
	case i.Tunnel.Mode != GREMultipoint:
		k.add(i.at(line), Warning, code, "remove the line", "%s has one peer: there is no other path to open", i.Name)
	}
}

// nbma returns the NBMA address of a next hop server: given with it, mapped, or the tunnel's destination.
func (i *Interface) nbma(s NHS) netip.Addr {
	if s.NBMA.IsValid() {
		return s.NBMA
	}
	for _, m := range i.NHRP.Maps {
		if m.Protocol.Contains(s.Addr) {
			return m.NBMA
		}
	}
	return i.Tunnel.Destination
}

func (k *checker) nhs(i *Interface, s NHS) {
	pos := i.Lines.at(i.at("ip nhrp nhs"), "ip nhrp nhs "+s.Addr.String())
	if !s.Dynamic && s.NBMAHost == "" && !i.nbma(s).IsValid() && i.Tunnel.DestinationHost == "" {
		k.add(pos, Error, "nhs-no-map", "add `ip nhrp map "+s.Addr.String()+" NBMA-ADDRESS`", "next hop server %s of %s has no NBMA address", s.Addr, i.Name)
	}
	if s.Dynamic {
		return
	}
	inside := false
	for _, p := range i.prefixes() {
		if p.Addr() == s.Addr {
			k.add(pos, Error, "nhs-self", "name the hub's tunnel address", "next hop server %s of %s is its own address", s.Addr, i.Name)
			return
		}
		inside = inside || p.Contains(s.Addr)
	}
	if !inside && len(i.prefixes()) > 0 {
		k.add(pos, Warning, "nhs-subnet", "put hub and spokes into one subnet", "next hop server %s is not in the subnet %s of %s",
			s.Addr, i.Address.Masked(), i.Name)
	}
}

// nhrpPair compares two tunnels of different VRFs: they are different networks and must not be taken for one.
func (k *checker) nhrpPair(a, b *Interface) {
	if a.VRF == b.VRF || !a.NHRP.Enabled() || !b.NHRP.Enabled() {
		return
	}
	if a.NHRP.NetworkID == b.NHRP.NetworkID {
		k.add(b.at("ip nhrp network-id"), Error, "network-id-vrf", "use one network-id a VRF",
			"%s and %s are in different VRFs and have the same NHRP network-id %d", a.Name, b.Name, b.NHRP.NetworkID)
	}
	if s := b.NHRP.Authentication; s != "" && s == a.NHRP.Authentication {
		k.add(b.at("ip nhrp authentication"), Warning, "nhrp-auth-vrf", "use another string in each VRF",
			"%s and %s are in different VRFs and have the same NHRP authentication", a.Name, b.Name)
	}
}
