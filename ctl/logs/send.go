package logs

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// sender sends messages as datagrams, one each, to a server or to a socket of the machine.
type sender struct {
	network, address string
	source           netip.Addr // not valid: the kernel chooses
	form             func(r *record, leftOut int) string
	conn             net.Conn
	retry            time.Time
	err              error
}

func (s *sender) write(r *record, leftOut int) error {
	if err := s.ready(time.Now()); err != nil {
		return err
	}
	b := []byte(s.form(r, leftOut))
	_, err := s.conn.Write(b)
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ECONNREFUSED) && s.network == "udp" { // the answer to what was sent before, which is lost; this may arrive
		_, again := s.conn.Write(b)
		return errors.Join(err, again)
	}
	_ = s.Close() // a socket of the machine may have been made anew
	if err = s.ready(time.Now()); err == nil {
		_, err = s.conn.Write(b)
	}
	return err
}

// ready connects, if it is not connected, and if the last attempt was not just now.
func (s *sender) ready(now time.Time) error {
	if s.conn != nil {
		return nil
	}
	if now.Before(s.retry) {
		return s.err
	}
	var d net.Dialer
	if s.source.IsValid() {
		d.LocalAddr = &net.UDPAddr{IP: s.source.AsSlice()}
	}
	if s.conn, s.err = d.Dial(s.network, s.address); s.err != nil {
		s.conn, s.retry = nil, now.Add(retryEvery)
	}
	return s.err
}

// Close implements io.Closer.
func (s *sender) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}
