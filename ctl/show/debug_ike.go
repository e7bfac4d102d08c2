package show

import (
	"cmp"
	"fmt"
	"strings"

	"nave/slowpath"
	"nave/slowpath/ike"
)

// payloadNames are the payloads of either version (RFC 2408 section 3.1, RFC 3947; RFC 7296 section 3.2, RFC 7383), as IOS calls them.
var payloadNames = [2]map[uint8]string{
	{
		1: "SA", 4: "KE", 5: "ID", 6: "CERT", 7: "CERT_REQ", 8: "HASH", 9: "SIG", 10: "NONCE", 11: "NOTIFY", 12: "DELETE", 13: "vendor id",
		14: "MODE-CFG", 20: "NAT-D", 21: "NAT-OA", 130: "NAT-D", 131: "NAT-OA", 132: "FRAGMENT",
	},
	{
		33: "SA", 34: "KE", 35: "IDi", 36: "IDr", 37: "CERT", 38: "CERTREQ", 39: "AUTH", 40: "N", 41: "NOTIFY", 42: "DELETE", 43: "VID",
		44: "TSi", 45: "TSr", 46: "ENCR", 47: "CFG", 48: "EAP", 53: "SKF",
	},
}

// exchangeNames are the exchanges of either version.
var exchangeNames = [2]map[uint8]string{
	{2: "MM", 4: "AG", 5: "INFO", 6: "TRANSACTION", 32: "QM"},
	{34: "IKE_SA_INIT", 35: "IKE_AUTH", 36: "CREATE_CHILD_SA", 37: "INFORMATIONAL", 43: "IKE_INTERMEDIATE", 44: "IKE_FOLLOWUP_KE"},
}

// statusNames are notifications that are no errors (RFC 2407 section 4.6.3, RFC 3706; RFC 7296 section 3.10.1 and others).
var statusNames = [2]map[uint16]string{
	{24576: "RESPONDER_LIFETIME", 24577: "REPLAY_STATUS", 24578: "INITIAL_CONTACT", 36136: "R_U_THERE", 36137: "R_U_THERE_ACK"},
	{
		16384: "INITIAL_CONTACT", 16385: "SET_WINDOW_SIZE", 16386: "ADDITIONAL_TS_POSSIBLE", 16387: "IPCOMP_SUPPORTED", 16388: "NAT_DETECTION_SOURCE_IP",
		16389: "NAT_DETECTION_DESTINATION_IP", 16390: "COOKIE", 16391: "USE_TRANSPORT_MODE", 16392: "HTTP_CERT_LOOKUP_SUPPORTED", 16393: "REKEY_SA",
		16394: "ESP_TFC_NO_SUPPORT", 16396: "MOBIKE_SUPPORTED", 16397: "ADDITIONAL_IP4_ADDRESS", 16399: "NO_ADDITIONAL_ADDRESSES",
		16400: "UPDATE_SA_ADDRESSES", 16401: "COOKIE2", 16402: "NO_NATS_ALLOWED", 16418: "CHILDLESS_IKEV2_SUPPORTED",
		16430: "IKEV2_FRAGMENTATION_SUPPORTED", 16431: "SIGNATURE_HASH_ALGORITHMS", 16438: "INTERMEDIATE_EXCHANGE_SUPPORTED", 16441: "ADDITIONAL_KEY_EXCHANGE",
	},
}

// ikeTable is the index of a version in the tables above.
func ikeTable(version int) int { return min(max(version, 1), 2) - 1 }

func payloadText(version int, p *ike.TracePayload) string {
	name := payloadNames[ikeTable(version)][p.Type]
	if name == "" {
		name = fmt.Sprintf("type %d", p.Type)
	}
	if p.Notify == 0 {
		return name
	}
	notify := cmp.Or(statusNames[ikeTable(version)][p.Notify], strings.ReplaceAll(notifyNames[ikeTable(version)][p.Notify], "-", "_"), fmt.Sprint(p.Notify))
	return name + "(" + notify + ")"
}

func payloadsText(version int, list []ike.TracePayload) string {
	words := make([]string, len(list))
	for i := range list {
		words[i] = payloadText(version, &list[i])
	}
	return strings.Join(words, " ")
}

// ike writes something that IKE does.
func (b *traceLines) ike(t *slowpath.Traced, e *ike.Trace) {
	if e.Version == 1 {
		b.isakmp(t, e)
		return
	}
	b.ikev2(t, e)
}

// isakmpSA names an SA of version 1, "0" one that is not known.
func isakmpSA(e *ike.Trace) string { return fmt.Sprintf("ISAKMP (%d)", e.SA) }

// isakmpSide is our side of the SA and its state, as IOS has it at the end of a line.
func isakmpSide(e *ike.Trace) string {
	switch {
	case e.SA == 0:
		return "(N) NEW SA"
	case e.Initiator:
		return "(I) " + e.State
	}
	return "(R) " + e.State
}

func globalVRF(name string) string {
	if name == "" {
		return "Global"
	}
	return name
}

func (b *traceLines) isakmp(t *slowpath.Traced, e *ike.Trace) {
	local, remote := e.Path.Local, e.Path.Remote
	switch e.Kind {
	case ike.TraceReceived:
		b.add("%s: received packet from %s dport %d sport %d %s %s", isakmpSA(e), remote.Addr(), local.Port(), remote.Port(), globalVRF(t.Outer), isakmpSide(e))
		b.isakmpHeader(e)
	case ike.TraceSent:
		b.add("%s: sending packet to %s my_port %d peer_port %d %s", isakmpSA(e), remote.Addr(), local.Port(), remote.Port(), isakmpSide(e))
		b.isakmpHeader(e)
		if len(e.Payloads) > 0 {
			b.add("  payloads: %s", payloadsText(1, e.Payloads))
			b.offers(1, e.Payloads)
		}
	case ike.TraceOpened:
		for i := range e.Payloads {
			b.add("%s: processing %s payload. message ID = %d", isakmpSA(e), payloadText(1, &e.Payloads[i]), e.Header.MessageID)
			b.offers(1, e.Payloads[i:i+1])
		}
	case ike.TraceState:
		b.add("%s: Old State = %s  New State = %s, peer %s", isakmpSA(e), e.Was, e.State, remote)
	case ike.TraceIgnored:
		b.add("%s: packet of exchange %s from %s is not taken: %s", isakmpSA(e), exchangeText(1, e.Header.Exchange), remote, e.Text)
	}
}

// isakmpHeader writes the fields of a message's header.
func (b *traceLines) isakmpHeader(e *ike.Trace) {
	flags := "clear"
	if e.Header.Flags&1 != 0 {
		flags = "encrypted"
	}
	b.add("  cookies %X/%X, exchange %s, message ID = %d, %s, %d bytes", e.Header.Initiator, e.Header.Responder, exchangeText(1, e.Header.Exchange), e.Header.MessageID, flags, e.Size)
}

func exchangeText(version int, x uint8) string {
	return cmp.Or(exchangeNames[ikeTable(version)][x], fmt.Sprint(x))
}

// ikev2SA names an SA of version 2.
func ikev2SA(e *ike.Trace) string {
	if e.SA == 0 {
		return "IKEv2:"
	}
	return fmt.Sprintf("IKEv2:(SA ID = %d):", e.SA)
}

func (b *traceLines) ikev2(t *slowpath.Traced, e *ike.Trace) {
	switch e.Kind {
	case ike.TraceReceived:
		b.add("%sReceived Packet [From %s/To %s/VRF %s]", ikev2SA(e), e.Path.Remote, e.Path.Local, globalVRF(t.Outer))
		b.ikev2Header(e)
	case ike.TraceSent:
		b.add("%sSending Packet [To %s/From %s/VRF %s]", ikev2SA(e), e.Path.Remote, e.Path.Local, globalVRF(t.Outer))
		b.ikev2Header(e)
	case ike.TraceOpened:
		b.add("%sPayload contents of %s, message id %d: %s", ikev2SA(e), exchangeText(2, e.Header.Exchange), e.Header.MessageID, payloadsText(2, e.Payloads))
		b.offers(2, e.Payloads)
	case ike.TraceState:
		b.add("%sSM Trace-> CurState: %s, was %s, peer %s", ikev2SA(e), e.State, e.Was, e.Path.Remote)
	case ike.TraceIgnored:
		b.add("%sa message of %s from %s, message id %d, is not taken: %s", ikev2SA(e), exchangeText(2, e.Header.Exchange), e.Path.Remote, e.Header.MessageID, e.Text)
	}
}

// ikev2Header writes the fields of a message's header, and the payloads that are known.
func (b *traceLines) ikev2Header(e *ike.Trace) {
	h := &e.Header
	b.add("  Initiator SPI : %X - Responder SPI : %X Message id: %d", h.Initiator, h.Responder, h.MessageID)
	kind := "REQUEST"
	if h.Flags&0x20 != 0 {
		kind = "RESPONSE"
	}
	b.add("  IKEv2 %s Exchange %s, %d bytes", exchangeText(2, h.Exchange), kind, e.Size)
	if len(e.Payloads) > 0 {
		b.add("  Payload contents: %s", payloadsText(2, e.Payloads))
		b.offers(2, e.Payloads)
	}
}

// ikeLog writes what the log says, too.
func (b *traceLines) ikeLog(e *ike.Log) {
	text, _ := logIKE(e)
	if text == "" {
		return
	}
	who := fmt.Sprintf("ISAKMP (%d): ", e.SA)
	if e.Version == 2 {
		who = ikev2SA(&ike.Trace{SA: e.SA})
	}
	b.add("%s%s", who, withoutMnemonic(text))
}
