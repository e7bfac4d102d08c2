package ldpmsg

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// Message is one of the types of this package: Hello, Initialization, KeepAlive, Address, Label, Notification.
type Message interface {
	Type() Type
	append(b []byte) ([]byte, error)
}

// Hello makes a router known on a link (section 3.5.2). It goes by UDP.
type Hello struct {
	HoldTime  uint16     // seconds; 0: the default, HoldForever: no end
	Targeted  bool       // not to all routers on a link
	Requested bool       // R: please send targeted Hellos, too
	GTSM      bool       // RFC 6720
	Transport netip.Addr // of the TCP session; the zero Addr: the datagram's source
	Sequence  uint32     // configuration sequence number
	Sequenced bool       // it has one
	Extra     []TLV
}

// HoldForever is a hold time without an end.
const HoldForever = 0xffff

// Type is TypeHello.
func (*Hello) Type() Type { return TypeHello }

const (
	helloTargeted  = 0x8000
	helloRequested = 0x4000
	helloGTSM      = 0x2000
)

func (m *Hello) append(b []byte) ([]byte, error) {
	var flags uint16
	if m.Targeted {
		flags |= helloTargeted
	}
	if m.Requested {
		flags |= helloRequested
	}
	if m.GTSM {
		flags |= helloGTSM
	}
	b = append32(b, TLVHello, uint32(m.HoldTime)<<16|uint32(flags))
	if m.Transport.IsValid() {
		if !m.Transport.Is4() {
			return b, errors.New("transport address is not of IPv4")
		}
		v := m.Transport.As4()
		b = append32(b, TLVTransport4, binary.BigEndian.Uint32(v[:]))
	}
	if m.Sequenced {
		b = append32(b, TLVSequence, m.Sequence)
	}
	return appendExtra(b, m.Extra)
}

// FTSession are the fault tolerance session parameters (RFC 3479 section 8.2, RFC 3478 section 2).
type FTSession struct {
	Flags     uint16
	Reconnect time.Duration // how long to wait for the sender to come back, milliseconds on the wire
	Recovery  time.Duration // how long it keeps what it forwarded by before
}

// Initialization proposes a session's parameters (section 3.5.3).
type Initialization struct {
	Version         uint16 // 0 is sent as 1
	KeepAlive       uint16 // seconds
	OnDemand        bool   // downstream on demand; otherwise unsolicited
	LoopDetection   bool
	PathVectorLimit uint8
	MaxPDU          uint16 // bytes; 255 and less: DefaultMaxPDU
	Receiver        ID
	FT              *FTSession
	LabelRange      bool // has ATM or Frame Relay parameters
	Extra           []TLV
}

// Type is TypeInitialization.
func (*Initialization) Type() Type { return TypeInitialization }

const (
	sessionOnDemand = 0x80
	sessionLoop     = 0x40
)

func (m *Initialization) append(b []byte) ([]byte, error) {
	b, at := open(b, TLVSession)
	b = binary.BigEndian.AppendUint16(b, max(m.Version, version))
	b = binary.BigEndian.AppendUint16(b, m.KeepAlive)
	var flags byte
	if m.OnDemand {
		flags |= sessionOnDemand
	}
	if m.LoopDetection {
		flags |= sessionLoop
	}
	b = append(b, flags, m.PathVectorLimit)
	b = binary.BigEndian.AppendUint16(b, m.MaxPDU)
	b, err := closeTLV(m.Receiver.append(b), at)
	if err != nil {
		return b, err
	}
	if m.FT != nil {
		t := TLV{Type: TLVFTSession, U: true, Value: make([]byte, 4, 12)}
		binary.BigEndian.PutUint16(t.Value, m.FT.Flags)
		t.Value = binary.BigEndian.AppendUint32(t.Value, uint32(m.FT.Reconnect/time.Millisecond))
		t.Value = binary.BigEndian.AppendUint32(t.Value, uint32(m.FT.Recovery/time.Millisecond))
		b = t.append(b)
	}
	return appendExtra(b, m.Extra)
}

// KeepAlive says that the session stands (section 3.5.4).
type KeepAlive struct{ Extra []TLV }

// Type is TypeKeepAlive.
func (*KeepAlive) Type() Type { return TypeKeepAlive }

func (m *KeepAlive) append(b []byte) ([]byte, error) { return appendExtra(b, m.Extra) }

// Address are interface addresses of the sender, or such that it has no more (sections 3.5.5 and 3.5.6).
type Address struct {
	Withdraw bool
	Addrs    []netip.Addr
	Extra    []TLV
}

// Type is TypeAddress or TypeAddressWithdraw.
func (m *Address) Type() Type {
	if m.Withdraw {
		return TypeAddressWithdraw
	}
	return TypeAddress
}

func (m *Address) append(b []byte) ([]byte, error) {
	b, err := appendAddresses(b, m.Addrs)
	if err != nil {
		return b, err
	}
	return appendExtra(b, m.Extra)
}

// Label is a message about a label (sections 3.5.7 to 3.5.11).
type Label struct {
	Kind      Type // TypeMapping, TypeRequest, TypeWithdraw, TypeRelease or TypeAbort
	FEC       FEC
	Label     uint32 // generic, 20 bits; with Labelled
	Labelled  bool   // not of Request and Abort; Withdraw and Release without one mean any
	Request   uint32 // with Requested: the Label Request that is answered or aborted
	Requested bool
	HopCount  uint8 // with Counted; 0: unknown
	Counted   bool
	Path      []netip.Addr // the path vector
	Extra     []TLV
}

// Type is Kind.
func (m *Label) Type() Type { return m.Kind }

func (m *Label) append(b []byte) ([]byte, error) {
	b, err := m.FEC.append(b)
	if err != nil {
		return b, err
	}
	if m.Labelled {
		if m.Label > MaxLabel {
			return b, errors.New("label of more than 20 bits")
		}
		b = append32(b, TLVGenericLabel, m.Label)
	}
	if m.Requested {
		b = append32(b, TLVRequestID, m.Request)
	}
	if m.Counted {
		b, _ = open(b, TLVHopCount)
		b[len(b)-1] = 1
		b = append(b, m.HopCount)
	}
	if m.Path != nil {
		at := 0
		b, at = open(b, TLVPathVector)
		for _, a := range m.Path {
			if !a.Is4() {
				return b, errors.New("path vector with what is no LSR Id")
			}
			v := a.As4()
			b = append(b, v[:]...)
		}
		if b, err = closeTLV(b, at); err != nil {
			return b, err
		}
	}
	return appendExtra(b, m.Extra)
}

// MaxLabel is the greatest label.
const MaxLabel = 1<<20 - 1

// Notification tells of an error or of something to know (section 3.5.1).
type Notification struct {
	Code    Status
	Fatal   bool   // E: the session ends
	Forward bool   // F
	MsgID   uint32 // of the message that it is about; 0: none
	About   Type   // type of that message; 0: none
	Extra   []TLV  // extended status, what is returned, and the like
}

// Type is TypeNotification.
func (*Notification) Type() Type { return TypeNotification }

const (
	statusFatal   = 1 << 31
	statusForward = 1 << 30
)

func (m *Notification) append(b []byte) ([]byte, error) {
	v := uint32(m.Code) &^ (statusFatal | statusForward)
	if m.Fatal {
		v |= statusFatal
	}
	if m.Forward {
		v |= statusForward
	}
	b, at := open(b, TLVStatus)
	b = binary.BigEndian.AppendUint32(b, v)
	b = binary.BigEndian.AppendUint32(b, m.MsgID)
	b, err := closeTLV(binary.BigEndian.AppendUint16(b, uint16(m.About)), at)
	if err != nil {
		return b, err
	}
	return appendExtra(b, m.Extra)
}
