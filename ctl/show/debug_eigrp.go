package show

import (
	"encoding/binary"
	"strings"

	"nave/slowpath"
	"nave/slowpath/eigrp/eigrpmsg"
)

// eigrp writes a packet of EIGRP: what it is, and its header.
func (b *traceLines) eigrp(e *slowpath.EIGRPTrace) {
	verb := "Received"
	if e.Sent {
		verb = "Sending"
	}
	p := e.Payload
	if len(p) < eigrpmsg.HeaderLen {
		b.add("EIGRP: %s a packet on %s - nbr %s, %d bytes: it is too short", verb, e.Iface, address(e.Peer), len(p))
		return
	}
	flags, ack := binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint32(p[12:])
	kind := strings.ReplaceAll(strings.ToUpper(eigrpmsg.Opcode(p[1]).String()), "-", "")
	if eigrpmsg.Opcode(p[1]) == eigrpmsg.Hello && ack != 0 {
		kind = "ACK"
	}
	b.add("EIGRP: %s %s on %s - paklen %d nbr %s", verb, kind, e.Iface, len(p)-eigrpmsg.HeaderLen, address(e.Peer))
	b.add("  AS %d, Flags 0x%X:(%s), Seq %d/%d", binary.BigEndian.Uint16(p[18:]), flags, eigrpFlags(flags), binary.BigEndian.Uint32(p[8:]), ack)
	m, err := eigrpmsg.Parse(p)
	switch {
	case err != nil:
		b.add("  it can't be read: %v", err)
	case len(m.Routes) > 0:
		b.add("  %d routes", len(m.Routes))
	}
	if err == nil && m.Parameters != nil {
		if m.Parameters.Goodbye() {
			b.add("  goodbye")
		} else {
			k := m.Parameters.K
			b.add("  K1=%d K2=%d K3=%d K4=%d K5=%d K6=%d, hold time %d", k[0], k[1], k[2], k[3], k[4], k[5], m.Parameters.Hold)
		}
	}
}

// eigrpFlags are the flags of the header in the words of IOS.
func eigrpFlags(f uint32) string {
	var words []string
	for _, w := range []struct {
		bit  uint32
		word string
	}{{eigrpmsg.FlagInit, "INIT"}, {eigrpmsg.FlagCR, "CR"}, {eigrpmsg.FlagRestart, "RESTART"}, {eigrpmsg.FlagEOT, "EOT"}} {
		if f&w.bit != 0 {
			words = append(words, w.word)
		}
	}
	if words == nil {
		return "NULL"
	}
	return strings.Join(words, ", ")
}
