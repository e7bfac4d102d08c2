package nic

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The kernel's netdev family (linux/netdev.h), from 6.3 on.
const (
	familyName      = "netdev"
	commandDevGet   = 1
	attrIfindex     = 1
	attrXDPFeatures = 3
	xdpZeroCopy     = 1 << 3
)

// header is struct genlmsghdr: command, version, and two bytes that the kernel wants to be zero.
type header [nl.SizeofGenlmsg]byte

// Len implements nl.NetlinkRequestData.
func (h header) Len() int { return len(h) }

// Serialize implements nl.NetlinkRequestData.
func (h header) Serialize() []byte { return h[:] }

// ZeroCopy tells whether the driver says that it has AF_XDP's zero-copy. An error: the kernel can't be asked, and only trying tells.
func ZeroCopy(ifindex int) (bool, error) {
	family, err := netlink.GenlFamilyGet(familyName)
	if err != nil {
		return false, fmt.Errorf("nic: the kernel has no family %s (before 6.3?): %w", familyName, err)
	}
	req := nl.NewNetlinkRequest(int(family.ID), 0)
	req.AddData(header{commandDevGet, 1})
	req.AddData(nl.NewRtAttr(attrIfindex, nl.Uint32Attr(uint32(ifindex))))
	msgs, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return false, fmt.Errorf("nic: XDP features of interface %d: %w", ifindex, err)
	}
	for _, m := range msgs {
		if v, ok := features(m); ok {
			return v&xdpZeroCopy != 0, nil
		}
	}
	return false, fmt.Errorf("nic: XDP features of interface %d: the kernel's answer has none", ifindex)
}

// features finds the features in an answer of the family.
func features(m []byte) (uint64, bool) {
	if len(m) < nl.SizeofGenlmsg {
		return 0, false
	}
	for m = m[nl.SizeofGenlmsg:]; len(m) >= unix.SizeofNlAttr; {
		n, kind := int(ne.Uint16(m)), ne.Uint16(m[2:])
		if n < unix.SizeofNlAttr || n > len(m) {
			return 0, false
		}
		if kind == attrXDPFeatures && n >= unix.SizeofNlAttr+8 {
			return ne.Uint64(m[unix.SizeofNlAttr:]), true
		}
		m = m[min(len(m), (n+3)&^3):]
	}
	return 0, false
}
