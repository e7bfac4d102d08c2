package interop

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nave/slowpath/eigrp/eigrpmsg"
)

const protoEIGRP = 88

// EIGRPPacket is a packet of EIGRP that crossed a wire, in GRE or straight on the Ethernet.
type EIGRPPacket struct {
	Frame    int // of the capture, from 1
	At       time.Time
	From, To netip.Addr // of EIGRP's own IPv4 header
	Packet   *eigrpmsg.Packet
	Err      error // if it can't be parsed
}

// EIGRP are the packets of EIGRP since a moment.
func (w *Wire) EIGRP(since time.Time) []EIGRPPacket { return eigrpIn(w.snapshot(), since) }

func eigrpIn(frames []frame, since time.Time) (out []EIGRPPacket) {
	for k, f := range frames {
		if f.info.Timestamp.Before(since) || len(f.data) < 14 || binary.BigEndian.Uint16(f.data[12:]) != etherIPv4 {
			continue
		}
		b := f.data[14:]
		if p, ok := takeApart(f.data); ok && p.Protocol == greIPv4 {
			b = p.Payload
		}
		if len(b) < 20 || b[9] != protoEIGRP || int(binary.BigEndian.Uint16(b[2:])) > len(b) {
			continue
		}
		p := EIGRPPacket{Frame: k + 1, At: f.info.Timestamp, From: netip.AddrFrom4([4]byte(b[12:16])), To: netip.AddrFrom4([4]byte(b[16:20]))}
		b = b[:binary.BigEndian.Uint16(b[2:])]
		p.Packet, p.Err = eigrpmsg.Parse(b[min(len(b), int(b[0]&15)*4):])
		out = append(out, p)
	}
	return out
}

// eigrpSeen counts what kinds of packets were compared.
type eigrpSeen map[string]int

// eigrpFields are what tshark is asked for: name by name all that a packet has of it.
var eigrpFields = []string{
	"eigrp.opcode", "eigrp.flags", "eigrp.seq", "eigrp.ack", "eigrp.as", "eigrp.par.holdtime", "eigrp.par.k1", "eigrp.par.k3", "eigrp.stub_options",
	"eigrp.auth.type", "eigrp.auth.keyid", "eigrp.auth.digest", "eigrp.release_version", "eigrp.tlv_version", "eigrp.next_mcast_seq", "eigrp.seq.ipv4addr",
	"eigrp.ipv4.nexthop", "eigrp.ipv4.prefixlen", "eigrp.ipv4.destination",
	"eigrp.old_metric.delay", "eigrp.old_metric.bw", "eigrp.old_metric.mtu", "eigrp.old_metric.hopcount", "eigrp.old_metric.rel", "eigrp.old_metric.load",
	"eigrp.metric.delay", "eigrp.metric.bandwidth", "eigrp.metric.mtu", "eigrp.metric.hopcount", "eigrp.metric.reliability", "eigrp.metric.load", "eigrp.routerid",
	"eigrp.extdata.origrid", "eigrp.extdata.as", "eigrp.extdata.tag", "eigrp.extdata.metric", "eigrp.extdata.proto",
}

// eigrpNotes are what tshark remarks on packets with which nothing is wrong: EIGRP's TTL is 2, as IOS has it.
var eigrpNotes = []string{
	"Unreachable", "Peer Termination", "Peer Termination (Graceful Shutdown)", `"Time To Live" only 2`,
	`"Time To Live" != 1 for a packet sent to the Local Network Control Block (see RFC 3171)`,
}

// ownEIGRP is what our parser says of the same fields; it counts the kind of the packet.
func (seen eigrpSeen) ownEIGRP(p *eigrpmsg.Packet) map[string][]string {
	out := make(map[string][]string)
	add := func(name string, v any) { out[name] = append(out[name], fmt.Sprint(v)) }
	add("eigrp.opcode", uint8(p.Opcode))
	add("eigrp.flags", p.Flags)
	add("eigrp.seq", p.Sequence)
	add("eigrp.ack", p.Ack)
	add("eigrp.as", p.AS)
	kind := p.Opcode.String()
	if p.Opcode == eigrpmsg.Hello && p.Ack != 0 {
		kind = "ack"
	}
	seen[kind]++
	if p.Parameters != nil {
		add("eigrp.par.holdtime", p.Parameters.Hold)
		add("eigrp.par.k1", p.Parameters.K[0])
		add("eigrp.par.k3", p.Parameters.K[2])
	}
	if p.Stub != nil {
		seen["stub"]++
		add("eigrp.stub_options", uint16(*p.Stub))
	}
	if p.Auth != nil {
		seen[fmt.Sprintf("auth type %d", p.Auth.Type)]++
		add("eigrp.auth.type", uint16(p.Auth.Type))
		add("eigrp.auth.keyid", p.Auth.Key)
		add("eigrp.auth.digest", fmt.Sprintf("%x", p.Auth.Digest))
	}
	if p.Software != nil {
		add("eigrp.release_version", uint16(p.Software.Major)<<8|uint16(p.Software.Minor))
		add("eigrp.tlv_version", uint16(p.Software.TLVMajor)<<8|uint16(p.Software.TLVMinor))
	}
	if p.HasNext {
		add("eigrp.next_mcast_seq", p.NextMulticast)
	}
	for _, a := range p.Sequenced {
		add("eigrp.seq.ipv4addr", a)
	}
	for i := range p.Routes {
		seen.ownRoute(&p.Routes[i], kind, add)
	}
	return out
}

func (seen eigrpSeen) ownRoute(r *eigrpmsg.Route, kind string, add func(string, any)) {
	m, form := &r.Metric, "classic"
	if r.Wide {
		form = "wide"
		add("eigrp.routerid", r.Router)
		add("eigrp.metric.delay", m.Delay)
		add("eigrp.metric.bandwidth", m.Bandwidth)
		add("eigrp.metric.mtu", m.MTU)
		add("eigrp.metric.hopcount", m.Hops)
		add("eigrp.metric.reliability", m.Reliability)
		add("eigrp.metric.load", m.Load)
	} else {
		add("eigrp.old_metric.delay", m.Delay)
		add("eigrp.old_metric.bw", m.Bandwidth)
		add("eigrp.old_metric.mtu", m.MTU)
		add("eigrp.old_metric.hopcount", m.Hops)
		add("eigrp.old_metric.rel", m.Reliability)
		add("eigrp.old_metric.load", m.Load)
	}
	next := netip.IPv4Unspecified()
	if r.NextHop.IsValid() {
		next = r.NextHop
	}
	add("eigrp.ipv4.nexthop", next)
	if x := r.External; x != nil {
		form += " external"
		add("eigrp.extdata.origrid", x.Router)
		add("eigrp.extdata.as", x.AS)
		add("eigrp.extdata.tag", x.Tag)
		add("eigrp.extdata.metric", x.Metric)
		add("eigrp.extdata.proto", uint8(x.Protocol))
	}
	if !r.Reachable() {
		form += " unreachable"
	}
	seen[kind+" "+form]++
	for _, p := range r.Prefixes {
		add("eigrp.ipv4.prefixlen", p.Bits())
		add("eigrp.ipv4.destination", p.Addr())
	}
}

// sameValue compares a value of tshark's with ours, whatever base a number is in.
func sameValue(theirs, ours string) bool {
	if theirs == ours {
		return true
	}
	a, err := strconv.ParseUint(theirs, 0, 64)
	b, err2 := strconv.ParseUint(ours, 10, 64)
	return err == nil && err2 == nil && a == b
}

// eigrpWellFormed checks that every packet of EIGRP that nave sent is to tshark what it is to us, and that it is in order. FRR's are only counted. It returns what there was.
func (w *Wire) eigrpWellFormed(t *testing.T, nave ...string) eigrpSeen {
	t.Helper()
	file, frames, err := w.save()
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file)
	args := []string{"-n", "-r", file, "-Y", "eigrp and not icmp", "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|", "-e", "frame.number", "-e", "_ws.malformed", "-e", "_ws.expert.message"}
	for _, f := range eigrpFields {
		args = append(args, "-e", f)
	}
	text, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	rows := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		rows[f[0]] = f[1:]
	}
	seen, others, wrong := eigrpSeen{}, eigrpSeen{}, 0
	all := eigrpIn(frames, time.Time{})
	for _, p := range all {
		if !slices.Contains(nave, p.From.String()) {
			if p.Err == nil {
				others.ownEIGRP(p.Packet)
			}
			continue
		}
		if err := seen.compare(&p, rows[fmt.Sprint(p.Frame)]); err != nil {
			if wrong++; wrong < 5 {
				t.Errorf("frame %d, %s > %s: %v", p.Frame, p.From, p.To, err)
			}
		}
	}
	t.Logf("tshark and we agree on %v of nave's; FRR sent %v", seen, others)
	if len(seen) == 0 {
		t.Error("nave has sent no EIGRP")
	}
	return seen
}

// compare compares one packet with tshark's row.
func (seen eigrpSeen) compare(p *EIGRPPacket, row []string) error {
	if p.Err != nil {
		return p.Err
	}
	if len(row) != len(eigrpFields)+2 {
		return fmt.Errorf("tshark does not see it: %q", row)
	}
	if row[0] != "" {
		return fmt.Errorf("tshark finds it malformed: %q", row[:2])
	}
	for _, note := range strings.Split(row[1], "|") {
		if note = strings.ReplaceAll(note, `\"`, `"`); note != "" && !slices.Contains(eigrpNotes, note) {
			return fmt.Errorf("tshark remarks %q", note)
		}
	}
	ours := seen.ownEIGRP(p.Packet)
	for k, name := range eigrpFields {
		var theirs []string
		if row[k+2] != "" {
			theirs = strings.Split(row[k+2], "|")
		}
		if !slices.EqualFunc(theirs, ours[name], sameValue) {
			return fmt.Errorf("%s: tshark has %q, we have %q", name, theirs, ours[name])
		}
	}
	return nil
}

// eigrpText lists the packets of EIGRP that are no Hellos.
func (w *Wire) eigrpText() string {
	var b strings.Builder
	for _, p := range w.EIGRP(time.Time{}) {
		if p.Err != nil {
			fmt.Fprintf(&b, "%s %s > %s %v\n", p.At.Format("05.000"), p.From, p.To, p.Err)
			continue
		}
		if p.Packet.Opcode == eigrpmsg.Hello {
			continue
		}
		fmt.Fprintf(&b, "%s %s > %s %s flags %x seq %d ack %d", p.At.Format("05.000"), p.From, p.To, p.Packet.Opcode, p.Packet.Flags, p.Packet.Sequence, p.Packet.Ack)
		for i := range p.Packet.Routes {
			r := &p.Packet.Routes[i]
			fmt.Fprintf(&b, " %v delay %d bandwidth %d by %v", r.Prefixes, r.Metric.Delay, r.Metric.Bandwidth, r.NextHop)
			if !r.Reachable() {
				b.WriteString(" unreachable")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
