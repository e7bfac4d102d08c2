package ldpmsg

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Parse looks into a message. A nil Message without an error is one of an unknown type that is to be ignored. An error is an *Error; the
// message is not to be used then. The message keeps parts of m.
func Parse(m Raw) (Message, error) {
	s := scan{m: m}
	switch m.Type {
	case TypeHello:
		return s.hello()
	case TypeInitialization:
		return s.initialization()
	case TypeKeepAlive:
		err := s.each(func(TLV) (bool, error) { return false, nil })
		return &KeepAlive{s.extra}, err
	case TypeAddress, TypeAddressWithdraw:
		return s.address()
	case TypeMapping, TypeRequest, TypeWithdraw, TypeRelease, TypeAbort:
		return s.label()
	case TypeNotification:
		return s.notification()
	}
	if m.U {
		return nil, nil
	}
	return nil, s.bad(UnknownMessage, "message of an unknown type")
}

func (s *scan) hello() (Message, error) {
	m := &Hello{}
	has, params := false, uint32(0)
	err := s.each(func(t TLV) (bool, error) {
		switch t.Type {
		case TLVHello:
			return s.number(t, &has, &params)
		case TLVTransport4:
			return s.addr(t, 4, &m.Transport)
		case TLVSequence:
			return s.number(t, &m.Sequenced, &m.Sequence)
		}
		return false, nil
	})
	if err == nil && !has {
		err = s.missing("Hello without its parameters")
	}
	m.HoldTime = uint16(params >> 16)
	m.Targeted, m.Requested, m.GTSM = params&helloTargeted != 0, params&helloRequested != 0, params&helloGTSM != 0
	m.Extra = s.extra
	return m, err
}

func (s *scan) initialization() (Message, error) {
	m := &Initialization{}
	has := false
	err := s.each(func(t TLV) (bool, error) {
		v := t.Value
		switch {
		case t.Type == TLVSession && !has:
			if err := s.size(t, 14); err != nil {
				return false, err
			}
			has = true
			m.Version, m.KeepAlive = binary.BigEndian.Uint16(v), binary.BigEndian.Uint16(v[2:])
			m.OnDemand, m.LoopDetection = v[4]&sessionOnDemand != 0, v[4]&sessionLoop != 0
			m.PathVectorLimit, m.MaxPDU, m.Receiver = v[5], binary.BigEndian.Uint16(v[6:]), getID(v[8:])
			return true, nil
		case t.Type == TLVFTSession && m.FT == nil:
			if err := s.size(t, 12); err != nil {
				return false, err
			}
			m.FT = &FTSession{
				Flags:     binary.BigEndian.Uint16(v),
				Reconnect: time.Duration(binary.BigEndian.Uint32(v[4:])) * time.Millisecond,
				Recovery:  time.Duration(binary.BigEndian.Uint32(v[8:])) * time.Millisecond,
			}
			return true, nil
		case t.Type == TLVATMSession, t.Type == TLVFrameRelay:
			m.LabelRange = true
		}
		return false, nil
	})
	if err == nil && !has {
		err = s.missing("Initialization without its parameters")
	}
	m.Extra = s.extra
	return m, err
}

func (s *scan) address() (Message, error) {
	m := &Address{Withdraw: s.m.Type == TypeAddressWithdraw}
	has := false
	err := s.each(func(t TLV) (_ bool, err error) {
		if t.Type != TLVAddressList || has {
			return false, nil
		}
		has = true
		m.Addrs, err = s.parseAddresses(t.Value)
		return true, err
	})
	if err == nil && !has {
		err = s.missing("no address list")
	}
	m.Extra = s.extra
	return m, err
}

func (s *scan) label() (Message, error) {
	m := &Label{Kind: s.m.Type}
	fec := false
	err := s.each(func(t TLV) (_ bool, err error) {
		switch t.Type {
		case TLVFEC:
			if fec {
				return false, nil
			}
			fec = true
			m.FEC, err = s.parseFEC(t.Value, m.Kind == TypeWithdraw || m.Kind == TypeRelease)
			return true, err
		case TLVGenericLabel:
			used, err := s.number(t, &m.Labelled, &m.Label)
			if err == nil && m.Label > MaxLabel {
				err = s.bad(MalformedTLV, "label of more than 20 bits")
			}
			return used, err
		case TLVRequestID:
			return s.number(t, &m.Requested, &m.Request)
		case TLVHopCount:
			if m.Counted {
				return false, nil
			}
			if err := s.size(t, 1); err != nil {
				return false, err
			}
			m.HopCount, m.Counted = t.Value[0], true
			return true, nil
		case TLVPathVector:
			return s.path(t, &m.Path)
		}

		return false, nil
	})
	switch {
	case err != nil:
	case !fec:
		err = s.missing("no FEC")
	case m.Kind == TypeMapping && !m.Labelled:
		err = s.missing("no label")
	case m.Kind == TypeAbort && !m.Requested:
		err = s.missing("no message ID of a request")
	}
	m.Extra = s.extra
	return m, err
}

func (s *scan) path(t TLV, path *[]netip.Addr) (bool, error) {
	if *path != nil {
		return false, nil
	}
	if len(t.Value)%4 != 0 {
		return false, s.bad(BadTLVLength, "path vector with a part of an LSR Id")
	}
	*path = make([]netip.Addr, 0, len(t.Value)/4)
	for v := t.Value; len(v) > 0; v = v[4:] {
		*path = append(*path, netip.AddrFrom4([4]byte(v)))
	}
	return true, nil
}

func (s *scan) notification() (Message, error) {
	m := &Notification{}
	has := false
	err := s.each(func(t TLV) (bool, error) {
		if t.Type != TLVStatus || has {
			return false, nil
		}
		if err := s.size(t, 10); err != nil {
			return false, err
		}
		has = true
		v := binary.BigEndian.Uint32(t.Value)
		m.Fatal, m.Forward, m.Code = v&statusFatal != 0, v&statusForward != 0, Status(v&^(statusFatal|statusForward))
		m.MsgID = binary.BigEndian.Uint32(t.Value[4:])
		m.About = Type(binary.BigEndian.Uint16(t.Value[8:]))
		return true, nil
	})
	if err == nil && !has {
		err = s.missing("no status")
	}
	m.Extra = s.extra
	return m, err
}
