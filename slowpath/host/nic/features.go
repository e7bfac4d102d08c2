package nic

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The kernel's netdev family (linux/netdev.h), from 6.3 on.
const (
	familyName      = "netdev"
	commandDevGet   = 1
	attrIfindex     = 1
	attrXDPFeatures = 3
	xdpBasic        = 1 << 0
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
	v, err := xdpFeatures(ifindex)
	return v&xdpZeroCopy != 0, err
}

// Native tells whether the driver says that it runs XDP programs itself. An error: the kernel can't be asked, and only trying tells.
func Native(ifindex int) (bool, error) {
	v, err := xdpFeatures(ifindex)
	return v&xdpBasic != 0, err
}

func xdpFeatures(ifindex int) (uint64, error) {
	id, err := family()
	if err != nil {
		return 0, fmt.Errorf("nic: the kernel has no family %s (before 6.3?): %w", familyName, err)
	}
	req := nl.NewNetlinkRequest(id, 0)
	req.AddData(header{commandDevGet, 1})
	req.AddData(nl.NewRtAttr(attrIfindex, nl.Uint32Attr(uint32(ifindex))))
	msgs, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return 0, fmt.Errorf("nic: XDP features of interface %d: %w", ifindex, err)
	}
	for _, m := range msgs {
		if v, ok := features(m); ok {
			return v, nil
		}
	}
	return 0, fmt.Errorf("nic: XDP features of interface %d: the kernel's answer has none", ifindex)
}

// family asks for the number of the netdev family. The library's own question reads two bytes behind what it has allocated, and sends them.
func family() (int, error) {
	req := nl.NewNetlinkRequest(nl.GENL_ID_CTRL, 0)
	req.AddData(header{nl.GENL_CTRL_CMD_GETFAMILY, nl.GENL_CTRL_VERSION})
	req.AddData(nl.NewRtAttr(nl.GENL_CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(familyName)))
	msgs, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return 0, err
	}
	for _, m := range msgs {
		if v := attribute(m, nl.GENL_CTRL_ATTR_FAMILY_ID); len(v) >= 2 {
			return int(ne.Uint16(v)), nil
		}
	}
	return 0, errors.New("the kernel's answer has no number")
}

// features finds the features in an answer of the family.
func features(m []byte) (uint64, bool) {
	v := attribute(m, attrXDPFeatures)
	if len(v) < 8 {
		return 0, false
	}
	return ne.Uint64(v), true
}

// attribute finds the value of the first attribute of a kind in an answer; nil if it has none.
func attribute(m []byte, kind uint16) []byte {
	if len(m) < nl.SizeofGenlmsg {
		return nil
	}
	for m = m[nl.SizeofGenlmsg:]; len(m) >= unix.SizeofNlAttr; {
		n := int(ne.Uint16(m))
		if n < unix.SizeofNlAttr || n > len(m) {
			return nil
		}
		if ne.Uint16(m[2:]) == kind {
			return m[unix.SizeofNlAttr:n]
		}
		m = m[min(len(m), (n+3)&^3):]
	}
	return nil
}
