package gateway

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"nave/ctl/config"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/ike"
)

// vrfs numbers the VRFs. Those whose interfaces the fast path had before this process began keep the numbers that it knows them by.
func (t *translation) vrfs() {
	names := make([]string, 0, len(t.tree.VRFs))
	for _, v := range t.tree.VRFs {
		names = append(names, v.Name)
	}
	t.numbers.keepVRFs(names)
	if t.numbers.isInheriting() && slices.ContainsFunc(names, func(n string) bool { _, has := t.numbers.vrfs[n]; return !has }) {
		t.numbers.inheritVRFs(t.claims())
	}
	for _, v := range t.tree.VRFs {
		id, ok := t.numbers.vrf(v.Name)
		if !ok {
			t.problem("ip vrf "+v.Name, fmt.Sprintf("there are more than %d VRFs: its interfaces stay down", maxVRFs))
			continue
		}
		t.out.VRFs = append(t.out.VRFs, slowpath.VRF{ID: id, Name: v.Name, PerVRF: t.perVRF(v.Name)})
	}
}

// vrfNumber is the number of a VRF, 0 of the global table, whose name is empty. ok is false where the VRF is not defined, or there is no number left. One that is not defined is given none: it would get
// another with each change, and use them up.
func (t *translation) vrfNumber(name string) (id fib.VRF, ok bool) {
	if name != "" && t.tree.VRF(name) == nil {
		return 0, false
	}
	return t.numbers.vrf(name)
}

// perVRF is `mpls label mode`: what it says of the VRF itself goes before what it says of all.
func (t *translation) perVRF(name string) bool {
	all := false
	for _, m := range t.tree.MPLS.LabelModes {
		switch m.VRF {
		case name:
			return m.Mode == "per-vrf"
		case "":
			all = m.Mode == "per-vrf"
		}
	}
	return all
}

// claims are the numbers of VRFs that the fast path had interfaces in, by the VRF that they are configured in now. Ports are found without doubt; they tell which VRFs are
// which, as far as that tunnels with the same addresses in two of them can be told from each other.
func (t *translation) claims() []vrfClaim {
	var out []vrfClaim
	for _, i := range t.tree.Interfaces {
		if !i.IsPort() {
			continue
		}
		if link, ok := t.facts.linkOf(i); ok {
			if old, found := t.numbers.oldPort(link.MAC, uint16(i.VLAN)); found {
				out = append(out, vrfClaim{i.VRF, old.VRF})
			}
		}
	}
	outer := t.numbers.certain(out)
	maps.Copy(outer, t.numbers.vrfs)
	outer[""] = fib.Global
	for _, i := range t.tree.Interfaces {
		if !i.IsTunnel() {
			continue
		}
		key := fib.Tunnel{Key: i.Tunnel.Key, HasKey: i.Tunnel.HasKey}
		key.Local, _, _, _ = t.source(i)
		if i.Tunnel.Mode == config.GREPointToPoint {
			key.Remote = i.Tunnel.Destination
			if i.Tunnel.DestinationHost != "" {
				key.Remote = t.known(i.Tunnel.DestinationHost)
			}
		}
		var certain bool
		key.OuterVRF, certain = outer[i.Tunnel.VRF]
		if old, ok := t.numbers.oldTunnel(&key, certain); ok {
			out = append(out, vrfClaim{i.VRF, old.VRF}, vrfClaim{i.Tunnel.VRF, old.OuterVRF})
		}
	}
	return out
}

// misplaced says why an interface stays down, and out of every table, whatever else is right; "" if nothing does.
func misplaced(tree *config.Config, i *config.Interface) string {
	switch {
	case i.VRF != "" && tree.VRF(i.VRF) == nil:
		return "VRF " + i.VRF + " of `ip vrf forwarding` is not defined: the interface stays down; say `ip vrf " + i.VRF + "`"
	case i.Tunnel.VRF != "" && tree.VRF(i.Tunnel.VRF) == nil:
		return "VRF " + i.Tunnel.VRF + " of `tunnel vrf` is not defined: the interface stays down; say `ip vrf " + i.Tunnel.VRF + "`"
	case i.Parent() == "":
		return ""
	case i.VLAN == 0:
		return "the subinterface has no VLAN and stays down: say `encapsulation dot1Q VLAN`"
	case i.VLANNative:
		return "frames of the native VLAN have no tag and are those of " + i.Parent() + " itself: the subinterface stays down; configure address and VRF on " + i.Parent()
	}
	for _, o := range tree.Interfaces {
		if o == i {
			break
		}
		if o.Parent() == i.Parent() && o.VLAN == i.VLAN && !o.VLANNative {
			return fmt.Sprintf("%s has VLAN %d already: the subinterface stays down; give it another", o.Name, i.VLAN)
		}
	}
	return ""
}

// misplaced is what nothing can be done about by a number: see the function.
func (t *translation) misplaced(i *config.Interface) string {
	if why := misplaced(t.tree, i); why != "" {
		return why
	}
	for _, name := range []string{i.VRF, i.Tunnel.VRF} {
		if _, ok := t.vrfNumber(name); !ok {
			return "there is no number left for VRF " + name + ": the interface stays down"
		}
	}
	return ""
}

// frontVRF is the VRF of IKE's and IPsec's own packets that some part of the cryptography is about. Nothing said is the global table.
func (t *translation) frontVRF(what, name string) (uint16, bool) {
	if name == "any" {
		return ike.AnyVRF, true
	}
	if name != "" && t.tree.VRF(name) == nil {
		t.problem(what, "VRF "+name+" is not defined: it counts for nobody; say `ip vrf "+name+"`")
		return 0, false
	}
	id, ok := t.vrfNumber(name)
	return uint16(id), ok
}

// table names a VRF in a problem.
func table(name string) string {
	if name == "" {
		return "the global table"
	}
	return "VRF " + name
}

// owner finds the interface of a VRF, no tunnel, that has an address.
func (t *translation) owner(vrf string, addr netip.Addr) *config.Interface {
	for _, o := range t.tree.Interfaces {
		if o.VRF != vrf || o.IsTunnel() || misplaced(t.tree, o) != "" {
			continue
		}
		for _, a := range t.addresses(o) {
			if a.Addr() == addr {
				return o
			}
		}
	}
	return nil
}
