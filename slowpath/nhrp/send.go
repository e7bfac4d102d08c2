package nhrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
)

// send puts a packet on its way within `max-send`, with this hop's authentication. It tells whether it went.
func (m *Machine) send(ifc *iface, to nbma.Address, msg nhrpmsg.Message) bool {
	if ifc.p2p() {
		to = nbma.Of(ifc.cfg.Destination)
	}
	if !ifc.cfg.NBMA.IsValid() || !to.IsValid() {
		m.drop(ifc, DropNoAddress)
		return false
	}
	quota := ifc.cfg.MaxSend
	if !ifc.quota.take(m.now, quota.Packets, quota.Interval) {
		m.about = about{from: to, proto: msg.SrcProto, dst: msg.DstProto, kind: msg.Type, sent: true}
		m.drop(ifc, DropQuota)
		if !m.now.Before(ifc.quotaLog) {
			ifc.quotaLog = m.now.Add(quota.Interval)
			m.emit(Log{Kind: LogQuota, Iface: ifc.cfg.Name, Count: quota.Packets, Interval: quota.Interval})
		}
		return false
	}
	if msg.Type != nhrpmsg.ErrorIndication {
		msg.Exts = authenticate(msg.Exts, ifc.cfg.Authentication)
	}
	b, err := msg.Append(make([]byte, 0, 160))
	if err != nil { // an address of another family than the interface's
		m.drop(ifc, DropMalformed)
		return false
	}
	ifc.traffic.Sent[kind(msg.Type)]++
	if p := ifc.peers[to]; p != nil {
		p.sent++
	}
	m.emit(Send{ifc.cfg.Name, to, b})
	return true
}

// kind is the packet type as an index of Traffic.
func kind(t nhrpmsg.Type) int {
	if t > nhrpmsg.TrafficIndication {
		return 0
	}
	return int(t)
}

// authenticate makes the extensions those that leave by an interface with this password: the extension is each hop's
// own, it keeps its place, and there is one.
func authenticate(exts []nhrpmsg.Extension, password Secret) []nhrpmsg.Extension {
	at := slices.IndexFunc(exts, func(e nhrpmsg.Extension) bool { return e.Type == nhrpmsg.ExtAuthentication })
	out := make([]nhrpmsg.Extension, 0, len(exts)+2)
	for i, e := range exts {
		switch {
		case e.Type == nhrpmsg.ExtAuthentication:
			if i == at && password != "" {
				out = append(out, nhrpmsg.Auth(string(password)))
			}
			continue
		case at < 0 && password != "" && (e.Type == nhrpmsg.ExtNAT || e.Type == nhrpmsg.ExtEnd):
			out = append(out, nhrpmsg.Auth(string(password)))
			at = i
		}
		out = append(out, e)
	}
	if at < 0 && password != "" { // there was no extensions part
		out = append(out, nhrpmsg.Auth(string(password)), nhrpmsg.End())
	}
	return out
}

// sendOrQueue sends to a peer, or keeps the packet until its session is ready.
func (m *Machine) sendOrQueue(p *peer, msg nhrpmsg.Message) {
	if p.ready {
		m.send(p.ifc, p.at, msg)
		return
	}
	for _, q := range p.queue {
		if q.Type == msg.Type && q.RequestID == msg.RequestID && q.SrcProto == msg.SrcProto && q.DstProto == msg.DstProto {
			return // the answer to a repeated request waits already
		}
	}
	if len(p.queue) >= queuePerPeer {
		m.drop(p.ifc, DropFull)
		return
	}
	p.queue = append(p.queue, detached(msg))
}

// detached is the message without slices that point into the packet it was parsed from.
func detached(msg nhrpmsg.Message) nhrpmsg.Message {
	msg.Packet = slices.Clone(msg.Packet)
	msg.Exts = slices.Clone(msg.Exts)
	for i := range msg.Exts {
		msg.Exts[i].Value = slices.Clone(msg.Exts[i].Value)
	}
	return msg
}

// entry of ours for responder, transit and NAT extensions.
func (ifc *iface) selfEntry() nhrpmsg.CIE {
	return nhrpmsg.CIE{
		PrefixLen: uint8(ifc.self.BitLen()), MTU: ifc.cfg.MTU, HoldTime: seconds(ifc.cfg.HoldTime), NBMA: ifc.cfg.NBMA, Proto: ifc.self,
	}
}

// natEntry says that a protocol address is reached at an NBMA address other than the one claimed.
func (ifc *iface) natEntry(proto, public netip.Addr) nhrpmsg.CIE {
	return nhrpmsg.CIE{PrefixLen: uint8(proto.BitLen()), MTU: ifc.cfg.MTU, NBMA: public, Proto: proto}
}

// requestExts are the extensions of a request, in the order of IOS.
func requestExts(nat nhrpmsg.Extension) []nhrpmsg.Extension {
	return []nhrpmsg.Extension{
		nhrpmsg.Empty(nhrpmsg.ExtResponder), nhrpmsg.Empty(nhrpmsg.ExtForwardTransit), nhrpmsg.Empty(nhrpmsg.ExtReverseTransit),
		nat, nhrpmsg.End(),
	}
}

// sendError reports a fault in what came from `to`, unless that was an error itself or too many went out lately.
func (m *Machine) sendError(ifc *iface, to nbma.Address, of *nhrpmsg.Message, code nhrpmsg.ErrorCode, offset int, packet []byte) {
	dst := of.SrcProto
	if of.Type == nhrpmsg.ErrorIndication || !unicast(dst) || !unicast(to.Addr) || m.isSelf(ifc, dst) || m.isOwnNBMA(to.Addr) {
		return
	}
	if !ifc.errors.take(m.now, errorBurst, errorBurst*errorEvery) {
		m.drop(ifc, DropErrorLimit)
		return
	}
	e := ifc.message(nhrpmsg.ErrorIndication, dst)
	e.Code, e.Offset = uint16(code), uint16(offset)
	e.Packet = packet[:min(len(packet), maxPacket-36)]
	m.send(ifc, to, e)
}

// holdOf is the life of what an entry says, never beyond our own bounds.
func holdOf(c *nhrpmsg.CIE, otherwise time.Duration) time.Duration {
	if c.HoldTime == 0 {
		return otherwise
	}
	return time.Duration(c.HoldTime) * time.Second
}
