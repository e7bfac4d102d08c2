package labs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"nave/fastpath/packet"
	"nave/testbed/need"
	"nave/testbed/topo"
)

// capturing is a `nave capture` that runs.
type capturing struct {
	t   *testing.T
	cmd *exec.Cmd
	out *bufio.Reader
}

// beginCapture starts one on a router, and returns when the workers have been told.
func beginCapture(t *testing.T, l *topo.Lab, node string, words ...string) *capturing {
	t.Helper()
	c := &capturing{t: t, cmd: exec.Command(filepath.Join(l.Bin, "nave"), append([]string{"--socket", l.Socket(node), "capture", "interface"}, words...)...)}
	pipe, err := c.cmd.StdoutPipe()
	must(t, err)
	c.cmd.Stderr = c.cmd.Stdout
	must(t, c.cmd.Start())
	t.Cleanup(func() { _ = c.cmd.Process.Kill() }) // if it has not ended
	c.out = bufio.NewReader(pipe)
	first, err := c.out.ReadString('\n')
	if err != nil || !strings.Contains(first, "^C ends it") {
		rest, _ := io.ReadAll(c.out)
		t.Fatalf("capture of %s: %v: %s%s", node, err, first, rest)
	}
	return c
}

// end interrupts it as ^C does, and returns what it has said.
func (c *capturing) end() string {
	c.t.Helper()
	must(c.t, c.cmd.Process.Signal(unix.SIGINT))
	late := time.AfterFunc(soon, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	rest, err := io.ReadAll(c.out)
	if err = errors.Join(err, c.cmd.Wait()); err != nil {
		c.t.Fatalf("capture: %v: %s", err, rest)
	}
	return string(rest)
}

// farEnd is what a netdev of the internet has received.
type farEnd struct {
	mu     sync.Mutex
	frames map[string]bool // from the IPv4 header on
	h      *pcapgo.EthernetHandle
	done   sync.WaitGroup
}

func atFarEnd(t *testing.T, l *topo.Lab, dev string) *farEnd {
	t.Helper()
	f := &farEnd{frames: make(map[string]bool)}
	must(t, l.NS("internet").Do(func() (err error) {
		f.h, err = pcapgo.NewEthernetHandle(dev)
		return err
	}))
	f.done.Go(func() {
		for {
			b, _, err := f.h.ReadPacketData()
			if err != nil {
				return // closed
			}
			if ip, fault := packet.ParseIPv4(b[min(len(b), packet.EthernetLen):]); fault == packet.OK {
				f.mu.Lock()
				f.frames[string(ip)] = true
				f.mu.Unlock()
			}
		}
	})
	return f
}

func (f *farEnd) has(b []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.frames[string(b)]
}

// captures: on a protected tunnel packets are in clear, on its port they are ESP, byte by byte what arrives at the far end; what is dropped has its reason; Wireshark reads it.
func captures(t *testing.T, l *topo.Lab) {
	need.Command(t, "tshark")
	dir := t.TempDir()
	file := filepath.Join(dir, "spoke1.pcapng")
	var dev string
	for _, k := range l.Topology.Links {
		if k.A.Node == "spoke1" && k.B.Node == "internet" {
			dev = k.B.Dev
		}
	}
	far := atFarEnd(t, l, dev)
	c := beginCapture(t, l, "spoke1", "any", "both", "-w", file)
	if out, err := l.Nave("spoke1", "capture", "interface", "any"); err == nil || !strings.Contains(out, "running already") {
		t.Errorf("a second capture: %v: %s", err, out)
	}
	ping := func(to string, n int) {
		_, _ = l.Run("host1", "ping", "-n", "-i", "0.2", "-W", "1", "-c", fmt.Sprint(n), to)
	} // what is captured says what came of it
	ping("10.2.0.7", 5)
	said := c.end()
	if !strings.Contains(said, "packets captured") || !strings.Contains(said, "(stopped)") || strings.Contains(said, "lost") {
		t.Errorf("capture: %s", said)
	}
	if i, err := os.Stat(file); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", i, err)
	}
	shows := func(name, filter string, want ...string) {
		t.Helper()
		out, err := exec.Command("tshark", "-r", name, "-Y", filter, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.protocols", "-e", "frame.comment").Output()
		must(t, err)
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s of %s: no %q in\n%s", filter, name, w, out)
			}
		}
		if len(want) == 0 && len(out) > 0 {
			t.Errorf("%s of %s:\n%s", filter, name, out)
		}
	}
	shows(file, "icmp && ip.src==10.1.0.7 && sll.pkttype==4", "Tunnel0\tsll:ip:icmp", "to ")
	shows(file, "icmp && ip.src==10.2.0.7 && sll.pkttype==0", "Tunnel0\tsll:ip:icmp", "from ")
	shows(file, `frame.interface_name=="Ethernet1" && icmp`, "Ethernet1\teth:ethertype:ip:icmp")
	shows(file, `frame.interface_name=="Ethernet0" && esp`, "Ethernet0\teth:ethertype:ip:esp")
	shows(file, `frame.interface_name=="Ethernet0" && (ip.addr==10.0.0.0/8 || gre)`)
	comes(t, func() error { return arrived(file, far) })
	far.h.Close()
	far.done.Wait()

	file = filepath.Join(dir, "ends.pcapng")
	c = beginCapture(t, l, "spoke1", "any", "drops", "sa-unknown-spi", "-w", file)
	_, err := l.Run("internet", "python3", "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50); s.sendto(bytes([0, 0, 18, 52, 0, 0, 0, 1]) + bytes(40), ('198.51.100.1', 0))")
	must(t, err)
	comes(t, func() error {
		return showsComment(file, "drop: sa-unknown-spi: no security association has this SPI and destination")
	})
	c.end()
	shows(file, "esp.spi==0x1234", "Ethernet0\teth:ethertype:ip:esp")

	c = beginCapture(t, l, "spoke1", "Ethernet", "1", "punts", "ttl-expired", "host", "10.2.0.7", "-w", file)
	if _, err := l.Run("host1", "ping", "-n", "-c", "1", "-W", "1", "-t", "1", "10.2.0.7"); err == nil {
		t.Error("a ping with a TTL of 1 comes through")
	}
	comes(t, func() error { return showsComment(file, "punt: ttl-expired") })
	c.end()
	shows(file, "icmp.type==8", "Ethernet1")

	out, err := l.Nave("spoke1", "--json", "capture", "interface", "tunnel", "0", "eigrp", "count", "1", "duration", "1")
	var end struct{ Done struct{ Why string } }
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err != nil || json.Unmarshal([]byte(lines[len(lines)-1]), &end) != nil || end.Done.Why != "duration" {
		t.Errorf("a capture of nothing: %v: %s", err, out)
	}
}

// showsComment tells whether a file has a packet with a comment, while it is being written.
func showsComment(name, comment string) error {
	b, err := os.ReadFile(name)
	if err == nil && !bytes.Contains(b, []byte(comment)) {
		err = fmt.Errorf("no packet says %q", comment)
	}
	return err
}

// arrived tells whether all ESP that a file has as sent by Ethernet0 has come to the far end, as it is.
func arrived(name string, far *farEnd) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		return err
	}
	n := 0
	for {
		data, info, o, err := r.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		f, err := r.Interface(info.InterfaceIndex)
		if err != nil {
			return err
		}
		if f.Name != "Ethernet0" || o.Flags == nil || o.Flags.Direction != pcapgo.NgEpbFlagDirectionOutbound {
			continue
		}
		ip, fault := packet.ParseIPv4(data[packet.EthernetLen:])
		if fault != packet.OK || ip.Proto() != packet.ProtoESP {
			continue
		}
		if !far.has(ip) {
			return fmt.Errorf("an ESP packet that was sent has not arrived as it was captured: %x", []byte(ip))
		}
		n++
	}
	if n < 3 {
		return fmt.Errorf("%d packets of ESP were captured", n)
	}
	return nil
}
