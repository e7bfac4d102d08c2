package labs

import (
	"errors"
	"time"
)

// NATMatrices are all that is tried with NAT.
func NATMatrices() []NATMatrix {
	return []NATMatrix{{NATCloud(), NATSteps()}, {NATHubCloud(), NATHubSteps()}}
}

// NATSteps are the steps of NATCloud's matrix.
func NATSteps() []NATStep {
	return []NATStep{
		{"registration", func(n *NATLab) error {
			return n.Registered("1", "spokes behind NAT; 5 and 6 with the same private address")
		}},
		{"direct", func(n *NATLab) error {
			return n.Meet(
				Pair{"3a", "one behind 1:1 NAT", 1, 2, WayDirect, 0},
				Pair{"3b", "both behind 1:1 NAT", 2, 3, WayDirect, 0},
				Pair{"3c", "static and dynamic 1:1 NAT", 2, 4, WayDirect, 0},
				Pair{"3d", "both behind one box that hairpins", 3, 4, WayDirect, 0},
				Pair{"3e", "one behind PAT", 1, 5, WayDirect, 0})
		}},
		{"by the hub", byTheHub},
		{"rebinding", rebindings},
		{"opened", opened},
		{"outside", (*NATLab).Encapsulated},
		{"obstacles", obstacles},
	}
}

// rebindings: the box of spoke 5 changes under packets to the hub's site, and to spoke 1's by a path of their own.
func rebindings(n *NATLab) error {
	for _, c := range []struct {
		number, what string
		off          time.Duration
		change       func(*Box)
	}{
		{"5a", "the box takes other ports", 0, func(b *Box) { b.Mappings[0].Port = 30000 }},
		{"5b", "the box is started again, off for 200 ms", 200 * time.Millisecond, func(b *Box) { b.Mappings[0].Port = 40000 }},
		{"5c", "the box takes another address", 0, func(b *Box) { b.Mappings[0].Outside = n.Cloud.Spare["three"][0] }},
	} {
		err := n.Changes(rebind("three", c.off, c.change),
			Change{Case: c.number, What: c.what, A: 0, B: 5, Want: WayDirect}, Change{Case: c.number, What: c.what + "; direct path", A: 1, B: 5, Want: WayDirect})
		if err != nil {
			return err
		}
	}
	return n.Silent("5d", "the box takes other ports, the spoke has nothing to say", 5, "three", func(b *Box) { b.Mappings[0].Port = 50000 })
}

// byTheHub: the box of spokes 3 and 4 lets neither reach the other's outside address any more, and those behind PAT can't be called.
func byTheHub(n *NATLab) error {
	b := n.Cloud.Box("two")
	b.Hairpin = false
	if err := b.Become(n.Lab, 0); err != nil {
		return err
	}
	if err := n.anew(3, 4); err != nil {
		return err
	}
	return n.Meet(
		Pair{"3f", "both behind one box that does not hairpin", 3, 4, WayHub, 0},
		Pair{"4a", "both behind PAT, same private address", 5, 6, WayHub, 0},
		Pair{"4b", "both behind PAT", 5, 7, WayHub, 0},
		Pair{"8", "both behind the same PAT address", 6, 7, WayHub, 0})
}

// NATHubSteps are the steps of NATHubCloud's matrix.
func NATHubSteps() []NATStep {
	return []NATStep{
		{"registration", func(n *NATLab) error { return n.Registered("2", "the hub behind static NAT; IKEv1") }},
		{"direct", func(n *NATLab) error {
			return n.Meet(Pair{"2", "one behind PAT, the hub behind 1:1 NAT", 1, 2, WayDirect, 0})
		}},
		{"outside", (*NATLab).Encapsulated},
		{"hardware", func(n *NATLab) error {
			return errors.Join(
				n.Restricted("7a", "as hardware that can't have a hub behind NAT, by nave check"),
				n.Barred("7b", "the hub is such hardware", 0), n.Barred("7c", "a spoke is such hardware", 1))
		}},
	}
}

// opened: hub and spokes behind PAT open paths to each other at the same time. Where a box has another port for each destination that does not work, and soon all is
// as it was.
func opened(n *NATLab) error {
	for _, k := range []int{0, 5, 6, 7} {
		n.Cloud.Site(k).Lines = " ip nhrp nat simultaneous-open\n"
		if err := n.configure(k, ""); err != nil {
			return err
		}
	}
	b := n.Cloud.Box("four")
	for k := range b.Mappings {
		b.Mappings[k].How, b.Mappings[k].Port = PortMapped, uint16(21000+1000*k)
	}
	if err := n.changed(b, 5, 6, 7); err != nil {
		return err
	}
	err := n.Meet(Pair{"9a", "both behind PAT, opened; same private address", 5, 6, WayDirect, 45 * time.Second}, Pair{"9b", "both behind PAT, opened", 5, 7, WayDirect, 45 * time.Second})
	if err != nil {
		return err
	}
	for k := range b.Mappings {
		b.Mappings[k].How = Symmetric
	}
	if err := n.changed(b, 5, 6, 7); err != nil {
		return err
	}
	return n.Meet(Pair{"9c", "the same, one box with a port for each destination", 5, 6, WayHub, 5 * time.Second})
}

// changed has a box follow its rules, and spokes begin anew.
func (n *NATLab) changed(b *Box, spokes ...int) error {
	if err := b.Become(n.Lab, 0); err != nil {
		return err
	}
	return n.anew(spokes...)
}
