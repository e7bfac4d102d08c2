package bgp

import (
	"time"

	"golang.org/x/sys/unix"
)

// TCP is what the kernel tells of a connection (TCP_INFO).
type TCP struct {
	LastRead, LastWrite  time.Duration // since data last came, and last went
	SRTT, RTTVar, MinRTT time.Duration
	RTO                  time.Duration // until what is not acknowledged is sent again
	MSS                  uint32        // largest segment that is sent, bytes
	PathMTU              uint32
	SendWindow           uint32 // that the neighbour has opened, bytes
	ReceiveSpace         uint32 // bytes
	Unacked              uint32 // segments under way
	Unsent               uint32 // bytes that wait to be sent
	Retransmitted        uint32 // segments, since the connection was made
	SegmentsIn           uint32
	SegmentsOut          uint32
	DataSegmentsIn       uint32
	DataSegmentsOut      uint32
	BytesReceived        uint64
	BytesAcked           uint64 // of what was sent
	ECN                  bool
}

// optionECN is TCPI_OPT_ECN: both ends have agreed on it.
const optionECN = 8

// tcp asks the kernel about the connection to the neighbour.
func (l *link) tcp() *TCP {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outer == nil {
		return nil
	}
	raw, err := l.outer.SyscallConn()
	if err != nil {
		return nil
	}
	var i *unix.TCPInfo
	if err := setsockopt(raw, func(fd int) (err error) {
		i, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	}); err != nil {
		return nil
	}
	micro := func(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }
	milli := func(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
	return &TCP{
		LastRead: milli(i.Last_data_recv), LastWrite: milli(i.Last_data_sent), SRTT: micro(i.Rtt), RTTVar: micro(i.Rttvar), MinRTT: micro(i.Min_rtt),
		RTO: micro(i.Rto), MSS: i.Snd_mss, PathMTU: i.Pmtu, SendWindow: i.Snd_wnd, ReceiveSpace: i.Rcv_space, Unacked: i.Unacked, Unsent: i.Notsent_bytes,
		Retransmitted: i.Total_retrans, SegmentsIn: i.Segs_in, SegmentsOut: i.Segs_out, DataSegmentsIn: i.Data_segs_in, DataSegmentsOut: i.Data_segs_out,
		BytesReceived: i.Bytes_received, BytesAcked: i.Bytes_acked, ECN: i.Options&optionECN != 0,
	}
}
