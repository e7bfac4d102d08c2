package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// rtnetlink is a socket of the kernel's for routes, for many messages at once: package netlink waits for the answer to each.
type rtnetlink struct {
	file *os.File
	raw  syscall.RawConn
	seq  uint32
	buf  []byte
}

// answerTime is how long the kernel may take for an answer. It gives it before the system call returns; what is lost for want of memory never comes.
const answerTime = 5 * time.Second

// largestAnswer holds every message of the kernel's: it fills 32 KiB at most in a dump.
const largestAnswer = 1 << 16

var native = binary.NativeEndian

// attributeKind is the part of an attribute's type that says what it is (NLA_TYPE_MASK); the rest are flags.
const attributeKind = 0x3fff

// openNetlink opens a socket in the namespace that hears some groups (RTNLGRP_*) and holds so many bytes of what was not read yet.
func (h *Host) openNetlink(hold int, groups ...int) (*rtnetlink, error) {
	fd := -1
	err := h.Within(func() (err error) {
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("host: netlink: %w", err)
	}
	// What the kernel is too old for: filters of dumps, texts of errors, errors without the message that they are about. All is done without them, too.
	for _, option := range []int{unix.NETLINK_GET_STRICT_CHK, unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK} {
		_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, hold) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, hold)
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	for _, group := range groups {
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group)
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("host: netlink: %w", err)
	}
	s := &rtnetlink{file: os.NewFile(uintptr(fd), "rtnetlink"), buf: make([]byte, largestAnswer)}
	if s.raw, err = s.file.SyscallConn(); err != nil {
		s.file.Close()
		return nil, fmt.Errorf("host: netlink: %w", err)
	}
	return s, nil
}

func (s *rtnetlink) close() { s.file.Close() }

func (s *rtnetlink) send(b []byte) error {
	var failed error
	err := s.raw.Write(func(fd uintptr) bool {
		failed = unix.Sendto(int(fd), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		return failed != unix.EAGAIN
	})
	return errors.Join(err, failed)
}

// receive waits until the read deadline for a datagram of the kernel's, one message or several; it is good until the next call. Its error is unix.ENOBUFS if something was lost.
func (s *rtnetlink) receive() ([]byte, error) {
	for {
		n, from, failed := 0, unix.Sockaddr(nil), error(nil)
		err := s.raw.Read(func(fd uintptr) bool {
			n, from, failed = unix.Recvfrom(int(fd), s.buf, 0)
			return failed != unix.EAGAIN
		})
		if err != nil {
			return nil, err
		}
		if failed == unix.EINTR {
			continue
		}
		if failed != nil {
			return nil, failed
		}
		if a, ok := from.(*unix.SockaddrNetlink); ok && a.Pid == 0 {
			return s.buf[:n], nil
		}
	}
}

// drain throws away what has come so far.
func (s *rtnetlink) drain() {
	_ = s.raw.Control(func(fd uintptr) {
		for {
			if _, _, err := unix.Recvfrom(int(fd), s.buf, unix.MSG_DONTWAIT); err != nil && err != unix.ENOBUFS && err != unix.EINTR {
				return
			}
		}
	})
}

// eachMessage takes a datagram apart. It stops at what is no message.
func eachMessage(b []byte, f func(kind, flags uint16, seq uint32, body []byte)) {
	for len(b) >= unix.NLMSG_HDRLEN {
		n := int(native.Uint32(b))
		if n < unix.NLMSG_HDRLEN || n > len(b) {
			return
		}
		f(native.Uint16(b[4:]), native.Uint16(b[6:]), native.Uint32(b[8:]), b[unix.NLMSG_HDRLEN:n])
		b = b[min(align4(n), len(b)):]
	}
}

// eachAttribute takes attributes apart: of a message after its fixed part, or within another attribute.
func eachAttribute(b []byte, f func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofRtAttr {
		n := int(native.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			return
		}
		f(native.Uint16(b[2:])&attributeKind, b[unix.SizeofRtAttr:n])
		b = b[min(align4(n), len(b)):]
	}
}

func align4(n int) int { return (n + 3) &^ 3 }

// message appends a message, whose body f appends.
func message(b []byte, kind, flags uint16, seq uint32, f func([]byte) []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, unix.NLMSG_HDRLEN)...)
	b = f(b)
	native.PutUint32(b[at:], uint32(len(b)-at))
	native.PutUint16(b[at+4:], kind)
	native.PutUint16(b[at+6:], flags|unix.NLM_F_REQUEST)
	native.PutUint32(b[at+8:], seq)
	return b
}

// attribute appends an attribute, whose value f appends.
func attribute(b []byte, kind uint16, f func([]byte) []byte) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	b = f(b)
	native.PutUint16(b[at:], uint16(len(b)-at))
	native.PutUint16(b[at+2:], kind)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func attribute32(b []byte, kind uint16, v uint32) []byte {
	return attribute(b, kind, func(b []byte) []byte { return native.AppendUint32(b, v) })
}

// refusal is the error of an answer (NLMSG_ERROR), with what the kernel says in words; nil: it is an acknowledgement.
func refusal(flags uint16, body []byte) error {
	if len(body) < 4 {
		return errors.New("an answer that is none")
	}
	code := int32(native.Uint32(body))
	if code == 0 {
		return nil
	}
	err := error(syscall.Errno(-code))
	const original = 4 + unix.NLMSG_HDRLEN
	if flags&unix.NLM_F_ACK_TLVS == 0 || len(body) < original {
		return err
	}
	rest := body[original:]
	if flags&unix.NLM_F_CAPPED == 0 {
		quoted := int(native.Uint32(body[4:]))
		if quoted < unix.NLMSG_HDRLEN || align4(quoted-unix.NLMSG_HDRLEN) > len(rest) {
			return err
		}
		rest = rest[align4(quoted-unix.NLMSG_HDRLEN):]
	}
	eachAttribute(rest, func(kind uint16, value []byte) {
		if kind == unix.NLMSGERR_ATTR_MSG {
			err = fmt.Errorf("%w: %s", err, unix.ByteSliceToString(value))
		}
	})
	return err
}

// exchange sends messages that begin with number first, the last of which asks for an acknowledgement, and waits for that. Only what is refused is answered before.
func (s *rtnetlink) exchange(b []byte, last uint32, refused func(seq uint32, err error)) error {
	if err := s.file.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	if err := s.send(b); err != nil {
		return err
	}
	for done := false; !done; {
		in, err := s.receive()
		if err != nil {
			return err
		}
		eachMessage(in, func(kind, flags uint16, seq uint32, body []byte) {
			if kind != unix.NLMSG_ERROR {
				return
			}
			if err := refusal(flags, body); err != nil {
				refused(seq, err)
			}
			done = done || seq == last
		})
	}
	return nil
}

// errInterrupted is of a dump during which the table changed so much that it may lack something.
var errInterrupted = errors.New("host: the kernel's routes changed while they were listed")

// dumpTries is how often a dump begins anew that was interrupted.
const dumpTries = 5

// dumpRoutes gives each IPv4 route of the main table to f, as the body of its message; of one protocol alone, unless that is 0. f must look at protocol and table, too: old
// kernels do not.
func (s *rtnetlink) dumpRoutes(protocol uint8, begin func(), f func(body []byte)) error {
	err := errInterrupted
	for tries := 0; errors.Is(err, errInterrupted) && tries < dumpTries; tries++ {
		begin()
		err = s.dump(protocol, f)
	}
	return err
}

func (s *rtnetlink) dump(protocol uint8, f func(body []byte)) error {
	s.seq++
	ask := message(nil, unix.RTM_GETROUTE, unix.NLM_F_DUMP, s.seq, func(b []byte) []byte {
		return append(b, unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, protocol, 0, 0, 0, 0, 0, 0)
	})
	if err := s.send(ask); err != nil {
		return fmt.Errorf("host: list routes: %w", err)
	}
	var failed error
	interrupted := false
	for done := false; !done; {
		if err := s.file.SetReadDeadline(time.Now().Add(answerTime)); err != nil {
			return fmt.Errorf("host: list routes: %w", err)
		}
		in, err := s.receive()
		if err != nil {
			return fmt.Errorf("host: list routes: %w", err)
		}
		eachMessage(in, func(kind, flags uint16, seq uint32, body []byte) {
			if seq != s.seq {
				return // of one that was given up
			}
			interrupted = interrupted || flags&unix.NLM_F_DUMP_INTR != 0
			switch kind {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				done = true
				if len(body) >= 4 && native.Uint32(body) != 0 {
					failed = syscall.Errno(-int32(native.Uint32(body)))
				}
			case unix.RTM_NEWROUTE:
				f(body)
			}
		})
	}
	switch {
	case errors.Is(failed, unix.ENOENT): // a table without a route is none
		return nil
	case failed != nil:
		return fmt.Errorf("host: list routes: %w", failed)
	case interrupted:
		return errInterrupted
	}
	return nil
}
