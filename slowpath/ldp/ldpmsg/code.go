package ldpmsg

import "fmt"

// Port is LDP's, of UDP for Hellos and of TCP for sessions (RFC 5036 section 3.10).
const Port = 646

// Type is a message type, without the U bit.
type Type uint16

// Message types (RFC 5036 section 3.7).
const (
	TypeNotification    Type = 0x0001
	TypeHello           Type = 0x0100
	TypeInitialization  Type = 0x0200
	TypeKeepAlive       Type = 0x0201
	TypeAddress         Type = 0x0300
	TypeAddressWithdraw Type = 0x0301
	TypeMapping         Type = 0x0400
	TypeRequest         Type = 0x0401
	TypeWithdraw        Type = 0x0402
	TypeRelease         Type = 0x0403
	TypeAbort           Type = 0x0404
)

var typeNames = map[Type]string{
	TypeNotification: "Notification", TypeHello: "Hello", TypeInitialization: "Initialization", TypeKeepAlive: "KeepAlive",
	TypeAddress: "Address", TypeAddressWithdraw: "Address Withdraw", TypeMapping: "Label Mapping", TypeRequest: "Label Request",
	TypeWithdraw: "Label Withdraw", TypeRelease: "Label Release", TypeAbort: "Label Abort Request",
}

// String names the type as the RFC does.
func (t Type) String() string {
	if s, ok := typeNames[t]; ok {
		return s
	}
	return fmt.Sprintf("message type %#04x", uint16(t))
}

// TLVType is the type of a parameter, without the U and F bits.
type TLVType uint16

// TLV types (RFC 5036 section 3.4 and those of the messages; RFC 3478 section 2).
const (
	TLVFEC             TLVType = 0x0100
	TLVAddressList     TLVType = 0x0101
	TLVHopCount        TLVType = 0x0103
	TLVPathVector      TLVType = 0x0104
	TLVGenericLabel    TLVType = 0x0200
	TLVATMLabel        TLVType = 0x0201
	TLVFrameRelayLabel TLVType = 0x0202
	TLVStatus          TLVType = 0x0300
	TLVExtendedStatus  TLVType = 0x0301
	TLVReturnedPDU     TLVType = 0x0302
	TLVReturnedMessage TLVType = 0x0303
	TLVHello           TLVType = 0x0400
	TLVTransport4      TLVType = 0x0401
	TLVSequence        TLVType = 0x0402
	TLVTransport6      TLVType = 0x0403
	TLVSession         TLVType = 0x0500
	TLVATMSession      TLVType = 0x0501
	TLVFrameRelay      TLVType = 0x0502
	TLVFTSession       TLVType = 0x0503
	TLVRequestID       TLVType = 0x0600
)

// known tells types that are defined for what this package speaks: a TLV of another type is unknown (section 3.3).
func (t TLVType) known() bool {
	switch t {
	case TLVFEC, TLVAddressList, TLVHopCount, TLVPathVector, TLVGenericLabel, TLVStatus, TLVExtendedStatus, TLVReturnedPDU,
		TLVReturnedMessage, TLVHello, TLVTransport4, TLVSequence, TLVTransport6, TLVSession, TLVATMSession, TLVFrameRelay,
		TLVFTSession, TLVRequestID:
		return true
	}
	return false
}

// Status is a status code without its E and F bits.
type Status uint32

// Status codes (RFC 5036 section 3.9).
const (
	Success            Status = 0x00
	BadIdentifier      Status = 0x01
	BadVersion         Status = 0x02
	BadPDULength       Status = 0x03
	UnknownMessage     Status = 0x04
	BadMessageLength   Status = 0x05
	UnknownTLV         Status = 0x06
	BadTLVLength       Status = 0x07
	MalformedTLV       Status = 0x08
	HoldTimerExpired   Status = 0x09
	Shutdown           Status = 0x0A
	LoopDetected       Status = 0x0B
	UnknownFEC         Status = 0x0C
	NoRoute            Status = 0x0D
	NoLabelResources   Status = 0x0E
	LabelsAvailable    Status = 0x0F
	RejectedNoHello    Status = 0x10
	RejectedMode       Status = 0x11
	RejectedMaxPDU     Status = 0x12
	RejectedLabelRange Status = 0x13
	KeepAliveExpired   Status = 0x14
	RequestAborted     Status = 0x15
	MissingParameters  Status = 0x16
	UnsupportedFamily  Status = 0x17
	RejectedKeepAlive  Status = 0x18
	InternalError      Status = 0x19
)

var statuses = [...]struct {
	name  string
	fatal bool
}{
	{"Success", false}, {"Bad LDP Identifier", true}, {"Bad Protocol Version", true}, {"Bad PDU Length", true},
	{"Unknown Message Type", false}, {"Bad Message Length", true}, {"Unknown TLV", false}, {"Bad TLV Length", true},
	{"Malformed TLV Value", true}, {"Hold Timer Expired", true}, {"Shutdown", true}, {"Loop Detected", false},
	{"Unknown FEC", false}, {"No Route", false}, {"No Label Resources", false}, {"Label Resources / Available", false},
	{"Session Rejected / No Hello", true}, {"Session Rejected / Parameters Advertisement Mode", true},
	{"Session Rejected / Parameters Max PDU Length", true}, {"Session Rejected / Parameters Label Range", true},
	{"KeepAlive Timer Expired", true}, {"Label Request Aborted", false}, {"Missing Message Parameters", false},
	{"Unsupported Address Family", false}, {"Session Rejected / Bad KeepAlive Time", true}, {"Internal Error", true},
}

// String names the code as the RFC does.
func (s Status) String() string {
	if int64(s) < int64(len(statuses)) {
		return statuses[s].name
	}
	return fmt.Sprintf("status %#x", uint32(s))
}

// Fatal tells codes that end the session of those that we send.
func (s Status) Fatal() bool { return int64(s) < int64(len(statuses)) && statuses[s].fatal }

// Error says what is wrong with what was received, and the Notification that it is to be answered with.
type Error struct {
	Code   Status
	MsgID  uint32 // of the message at fault; 0 if it is the PDU
	Type   Type   // the same
	What   string
	Offset int // bytes from the start of the PDU, or of the message's TLVs where Type is set
}

func (e *Error) Error() string {
	if e.Type != 0 {
		return fmt.Sprintf("ldpmsg: %s in %s %#x at byte %d: %s", e.Code, e.Type, e.MsgID, e.Offset, e.What)
	}
	return fmt.Sprintf("ldpmsg: %s at byte %d: %s", e.Code, e.Offset, e.What)
}
