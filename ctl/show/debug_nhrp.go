package show

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"nave/slowpath"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// nhrpPacket writes a packet of NHRP: one line of what it is and, as far as they are wanted, its fields and extensions.
func (b *traceLines) nhrpPacket(t *slowpath.Traced, verb string, at nbma.Address, payload []byte) {
	iface := strings.Join(t.Ifaces, ",")
	m, err := nhrpmsg.Parse(payload)
	if err != nil {
		what, reason := "packet", err.Error()
		var fault *nhrpmsg.ParseError
		if errors.As(err, &fault) {
			reason = fmt.Sprintf("%s at byte %d", fault.What, fault.Offset)
		}
		if p, ok := nhrpmsg.ParsePrefix(payload); ok {
			what = packetType(p.Type)
		}
		b.add("NHRP: %s %s via %s vrf %s, packet size: %d", verb, what, iface, vrfText(t.VRF), len(payload))
		b.add(" NBMA: %s; it can't be read: %s", at, reason)
		return
	}
	size, extoff := int(payload[10])<<8|int(payload[11]), int(payload[14])<<8|int(payload[15])
	b.add("NHRP: %s %s via %s vrf %s, packet size: %d", verb, packetType(m.Type), iface, vrfText(t.VRF), size)
	b.add(" src: %s, dst: %s, NBMA: %s", address(m.SrcProto), address(m.DstProto), at)
	if t.Topics&trace.NHRPPacket != 0 {
		b.add(" (F) afn: %s, type: %s, hop: %d, ver: 1", familyText(m.Family), protocolText(m.Protocol), m.HopCount)
		b.add("     shtl: %d(NSAP), sstl: 0(NSAP)", m.SrcNBMA.BitLen()/8)
		b.add("     pktsz: %d extoff: %d", size, extoff)
		b.mandatory(&m)
	}
	if t.Topics&trace.NHRPExtension != 0 {
		for i := range m.Exts {
			b.extension(&m, &m.Exts[i])
		}
	}
}

func packetType(t nhrpmsg.Type) string {
	if t == 0 || t > nhrpmsg.TrafficIndication {
		return fmt.Sprintf("packet of type %d", uint8(t))
	}
	return t.String()
}

func familyText(f uint16) string {
	if f == nhrpmsg.FamilyIPv6 {
		return "AF_IP6(2)"
	}
	return "AF_IP(1)"
}

func protocolText(p uint16) string {
	if p == nhrpmsg.ProtocolIPv6 {
		return "IPV6(86DD)"
	}
	return "IP(800)"
}

// mandatory writes the mandatory part: flags, addresses, and what the packet is about.
func (b *traceLines) mandatory(m *nhrpmsg.Message) {
	switch m.Type {
	case nhrpmsg.ErrorIndication:
		b.add(" (M) error code: %s(%d), offset: %d", nhrpmsg.ErrorCode(m.Code), m.Code, m.Offset)
	case nhrpmsg.TrafficIndication:
		code := "unknown"
		if m.Code == nhrpmsg.TrafficRedirect {
			code = "redirect"
		}
		b.add(" (M) traffic code: %s(%d)", code, m.Code)
	default:
		b.add(" (M) flags: %q, reqid: %d", packetFlags(m), m.RequestID)
	}
	b.add("     src NBMA: %s", address(m.SrcNBMA))
	b.add("     src protocol: %s, dst protocol: %s", address(m.SrcProto), address(m.DstProto))
	switch m.Type {
	case nhrpmsg.ErrorIndication:
		if p, ok := nhrpmsg.ParsePrefix(m.Packet); ok {
			b.add("     packet in error: %s, src: %s, dst: %s, %d bytes", packetType(p.Type), address(p.SrcProto), address(p.DstProto), len(m.Packet))
		} else {
			b.add("     packet in error: %d bytes", len(m.Packet))
		}
	case nhrpmsg.TrafficIndication:
		if src, dst, ok := nhrpmsg.DataAddrs(m.Packet); ok {
			b.add("     data packet: src: %s, dst: %s, %d bytes", src, dst, len(m.Packet))
		} else {
			b.add("     data packet: %d bytes", len(m.Packet))
		}
	}
	for i := range m.CIEs {
		b.add(" (C-%d) code: %s", i+1, cieCode(m.CIEs[i].Code))
		b.entry(&m.CIEs[i])
	}
}

// entry writes a client information entry, behind its code.
func (b *traceLines) entry(c *nhrpmsg.CIE) {
	b.add("       prefix: %d, mtu: %d, hd_time: %d", c.PrefixLen, c.MTU, c.HoldTime)
	b.add("       addr_len: %d(NSAP), subaddr_len: 0(NSAP), proto_len: %d, pref: %d", c.NBMA.BitLen()/8, c.Proto.BitLen()/8, c.Preference)
	if c.NBMA.IsValid() {
		b.add("       client NBMA: %s", c.NBMA)
	}
	if c.Proto.IsValid() {
		b.add("       client protocol: %s", c.Proto)
	}
}

// packetFlags are the flags of the mandatory part in the words of IOS, each with a space behind it.
func packetFlags(m *nhrpmsg.Message) string {
	type flag struct {
		bit  uint16
		word string
	}
	var list []flag
	switch m.Type {
	case nhrpmsg.ResolutionRequest, nhrpmsg.ResolutionReply:
		list = []flag{
			{nhrpmsg.ResRouter, "router"}, {nhrpmsg.ResAuthoritative, "auth"}, {nhrpmsg.ResDestStable, "dst-stable"}, {nhrpmsg.ResUnique, "unique"},
			{nhrpmsg.ResSourceStable, "src-stable"}, {nhrpmsg.FlagNAT, "nat"},
		}
	case nhrpmsg.RegistrationRequest, nhrpmsg.RegistrationReply:
		list = []flag{{nhrpmsg.RegUnique, "unique"}, {nhrpmsg.FlagNAT, "nat"}}
	case nhrpmsg.PurgeRequest, nhrpmsg.PurgeReply:
		list = []flag{{nhrpmsg.PurgeNoReply, "no-reply"}}
	}
	var out strings.Builder
	left := m.Flags
	for _, f := range list {
		if left&f.bit != 0 {
			out.WriteString(f.word + " ")
			left &^= f.bit
		}
	}
	if left != 0 {
		fmt.Fprintf(&out, "0x%X ", left)
	}
	return out.String()
}

// cieCode is the code of a client information entry, with its number.
func cieCode(c nhrpmsg.Code) string {
	var name string
	switch c {
	case nhrpmsg.Success:
		name = "no error"
	case nhrpmsg.NoBinding, 11: // some send 11 where the RFC says 12
		name = "no binding exists"
	default:
		name = codeNames[uint16(c)]
	}
	if name == "" {
		name = "unknown"
	}
	return fmt.Sprintf("%s(%d)", name, uint8(c))
}

var extensionNames = map[nhrpmsg.ExtType]string{
	nhrpmsg.ExtEnd: "End of extensions", nhrpmsg.ExtResponder: "Responder Address Extension", nhrpmsg.ExtForwardTransit: "Forward Transit NHS Record Extension",
	nhrpmsg.ExtReverseTransit: "Reverse Transit NHS Record Extension", nhrpmsg.ExtAuthentication: "Authentication Extension",
	nhrpmsg.ExtVendor: "Vendor Private Extension", nhrpmsg.ExtNAT: "NAT address Extension",
}

// extension writes an extension. Of the authentication there is only that it is there.
func (b *traceLines) extension(m *nhrpmsg.Message, e *nhrpmsg.Extension) {
	if e.Type == nhrpmsg.ExtEnd {
		return
	}
	name := extensionNames[e.Type]
	if name == "" {
		name = "Unknown Extension"
	}
	b.add(" %s(%d):", name, uint16(e.Type))
	switch e.Type {
	case nhrpmsg.ExtAuthentication:
		kind := "unknown"
		if len(e.Value) >= 4 && [4]byte(e.Value[:4]) == [4]byte{0, 0, 0, 1} {
			kind = "Cleartext(1)"
		}
		b.add("   type:%s, data:********", kind)
	case nhrpmsg.ExtResponder, nhrpmsg.ExtForwardTransit, nhrpmsg.ExtReverseTransit, nhrpmsg.ExtNAT:
		list, err := m.Entries(e)
		for i := range list {
			b.add(" (C) code: %s", cieCode(list[i].Code))
			b.entry(&list[i])
		}
		if err != nil {
			b.add("   %d bytes that can't be read", len(e.Value))
		}
	case nhrpmsg.ExtVendor:
		b.vendor(e)
	default:
		b.add("   %d bytes", len(e.Value))
	}
}

// vendor writes what there is to say of a vendor private extension.
func (b *traceLines) vendor(e *nhrpmsg.Extension) {
	one := nhrpmsg.Message{Exts: []nhrpmsg.Extension{*e}}
	if o, ok := one.Opening(); ok {
		switch o.Kind {
		case nhrpmsg.OpeningOffer:
			b.add("   simultaneous open: can")
		case nhrpmsg.OpeningAccepted:
			b.add("   simultaneous open: can, too")
		default:
			b.add("   simultaneous open: the sender is seen at %s", o.Endpoint)
		}
		return
	}
	if oui, data, ok := e.Vendor(); ok {
		b.add("   vendor: %06X, %d bytes", oui, len(data))
		return
	}
	b.add("   %d bytes", len(e.Value))
}

// nhrpDrops say why a packet was not taken or sent.
var nhrpDrops = map[nhrp.DropReason]string{
	nhrp.DropMalformed: "it can't be read, or is not of this network's addresses", nhrp.DropChecksum: "its checksum is wrong",
	nhrp.DropAuth: "its authentication is not that of the interface", nhrp.DropType: "its type is not known",
	nhrp.DropSource: "its addresses are none that it may have", nhrp.DropHopCount: "its hop count is used up", nhrp.DropLoop: "it went in a circle",
	nhrp.DropNoRoute: "there is no way to its destination", nhrp.DropExtension: "it has a compulsory extension that is not known",
	nhrp.DropUnsolicited: "nothing was asked that it answers", nhrp.DropFull: "there is no room for it",
	nhrp.DropQuota: "max-send is reached", nhrp.DropErrorLimit: "there are too many error indications", nhrp.DropDisabled: "the interface is not configured for it",
	nhrp.DropRefused: "it was refused", nhrp.DropNoAddress: "the tunnel has no source address yet",
}

// nhrp writes something that the protocol does.
func (b *traceLines) nhrp(t *slowpath.Traced, e *nhrp.Trace) {
	switch e.Kind {
	case nhrp.TraceDropped:
		b.dropped(e)
	case nhrp.TraceRefuse:
		b.add("NHRP: %s: %s of %s (NBMA %s) for %s is refused: %s", e.Iface, packetType(e.Type), address(e.Protocol), e.NBMA, address(e.NextHop), cieCode(nhrpmsg.Code(e.Code)))
	case nhrp.TraceCacheAdd, nhrp.TraceCacheUpdate, nhrp.TraceCacheDelete:
		verb := map[nhrp.TraceKind]string{nhrp.TraceCacheAdd: "add", nhrp.TraceCacheUpdate: "update", nhrp.TraceCacheDelete: "delete"}[e.Kind]
		vrf := ""
		if e.VRF != "" {
			vrf = " vrf " + e.VRF
		}
		b.add("NHRP: %s: Cache %s for target %s%s next-hop %s (%s)", e.Iface, verb, e.Prefix, vrf, address(e.NextHop), e.Entry)
		if e.NBMA.IsValid() {
			b.add("           %s", e.NBMA)
		}
	case nhrp.TraceServer:
		b.add("NHRP: %s: NHS %s (NBMA %s) is %s, was %s", e.Iface, address(e.Protocol), nbmaText(e.NBMA), nhsStateText(e.State), nhsStateText(e.Was))
	case nhrp.TraceRegister:
		b.add("NHRP: %s: registering with NHS %s (NBMA %s), reqid %d, try %d", e.Iface, address(e.Protocol), e.NBMA, e.ID, e.Count)
	case nhrp.TraceSession:
		state := "is ready"
		if !e.Up {
			state = "is gone"
		}
		b.add("NHRP: %s: the way to peer %s (NBMA %s) %s", e.Iface, address(e.Protocol), e.NBMA, state)
	case nhrp.TraceAsk:
		b.add("NHRP: %s: resolving %s by NBMA %s, reqid %d, try %d", e.Iface, address(e.Protocol), e.NBMA, e.ID, e.Count)
	case nhrp.TraceResolved:
		b.add("NHRP: %s: NHRP successfully resolved %s to NBMA %s, next-hop %s, reqid %d", e.Iface, address(e.Protocol), e.NBMA, address(e.NextHop), e.ID)
	case nhrp.TraceAnswer:
		b.add("NHRP: %s: request of %s (NBMA %s) for %s is answered for %s, reqid %d", e.Iface, address(e.Protocol), e.NBMA, address(e.NextHop), e.Prefix, e.ID)
	case nhrp.TracePassOn:
		b.add("NHRP: %s: %s of %s for %s is forwarded to NBMA %s", e.Iface, packetType(e.Type), address(e.NextHop), address(e.Protocol), e.NBMA)
	case nhrp.TraceRedirect:
		b.add("NHRP: %s: telling NBMA %s of a shorter way from %s to %s", e.Iface, e.NBMA, address(e.Protocol), address(e.NextHop))
	case nhrp.TracePurge:
		b.add("NHRP: %s: telling %s (by NBMA %s) to forget %s, reqid %d", e.Iface, address(e.Protocol), e.NBMA, e.Prefix, e.ID)
	}
}

func (b *traceLines) dropped(e *nhrp.Trace) {
	why := nhrpDrops[e.Reason]
	if why == "" {
		why = e.Reason.String()
	}
	what := "something"
	if e.Type != 0 {
		what = packetType(e.Type)
	}
	whom := ""
	if e.Protocol.IsValid() || e.NextHop.IsValid() {
		whom = fmt.Sprintf(", src: %s, dst: %s", address(e.Protocol), address(e.NextHop))
	}
	if e.Sent {
		b.add("NHRP: %s: %s to NBMA %s%s is not sent: %s", e.Iface, what, nbmaText(e.NBMA), whom, why)
		return
	}
	b.add("NHRP: %s: %s from NBMA %s%s is not taken: %s", e.Iface, what, nbmaText(e.NBMA), whom, why)
}

// nhrpLog writes what the log says, too.
func (b *traceLines) nhrpLog(e *nhrp.Log) {
	if text, _ := logNHRP(*e); text != "" {
		b.add("NHRP: %s", withoutMnemonic(text))
	}
}

// withoutMnemonic is a message of the log without what stands in front of it.
func withoutMnemonic(text string) string {
	if _, rest, ok := strings.Cut(text, ": "); ok && strings.HasPrefix(text, "%") {
		return rest
	}
	return text
}

func nhsStateText(s nhrp.NHSState) string {
	switch s {
	case nhrp.NHSResponding:
		return "responding"
	case nhrp.NHSExpecting:
		return "expecting replies"
	}
	return "waiting"
}

// nbmaText is where a peer is, or that this is not known.
func nbmaText(a nbma.Address) string {
	if !a.IsValid() {
		return address(netip.Addr{})
	}
	return a.String()
}
