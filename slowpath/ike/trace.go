package ike

import (
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/trace"
)

// TraceKind says what a Trace is about; the text is made elsewhere.
type TraceKind uint8

// The kinds, with the fields that each fills beside Version, Path and what is known of the SA.
const (
	TraceReceived TraceKind = iota // a message came: Header, Size; Payloads of one in clear
	TraceOpened                    // it is decrypted: Header, Payloads
	TraceSent                      // a message goes out: Header, Size; Payloads unless it is sent again or in fragments that are
	TraceState                     // the SA is in another state: Was, State
	TraceIgnored                   // a message was not taken, for a reason that is no fault: Header, Text
)

// Trace is something that IKE does. It is told while somebody wants to know its topic (Env.Tracing). It holds what kinds of payloads a message has and how
// long they are, and of proposals which algorithms; and never what else is in them: no key, nonce, identity or certificate.
type Trace struct {
	Kind      TraceKind
	Topic     trace.Topics
	Version   int
	Path      Path
	SA        SAID // 0: not known
	Initiator bool // we began the SA
	State     string
	Was       string
	Header    ikemsg.Header
	Size      int // bytes of UDP
	Payloads  []TracePayload
	Text      string // made of nothing that a peer says
}

// TracePayload is one payload of a message.
type TracePayload struct {
	Type uint8
	Len  int // bytes, with its header
	// Notify is the type of a notification, and Protocol what it is about; zero of other payloads.
	Notify   uint16
	Protocol uint8
	Offers   []TraceOffer // of an SA payload that can be read
}

// TraceOffer is a proposal: of version 1, one transform of it.
type TraceOffer struct {
	Number     uint8 // of the proposal
	Protocol   uint8
	ID         uint8 // of version 1: what kind of transform it is
	Transforms []TraceTransform
}

// TraceTransform is an algorithm that is proposed: its type and number in version 2, of an encryption algorithm with the length of its key. Of version 1, an attribute and its value.
type TraceTransform struct {
	Type    uint16
	Value   uint64
	KeyBits uint16
}

func (Trace) effect() {}
