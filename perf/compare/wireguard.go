package compare

import (
	"bufio"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"nave/perf/ends"
	"nave/perf/mix"
	"nave/perf/rig"
	"nave/testbed/netns"
)

// Stream is TCP through a pair of gateways, from host to host.
type Stream struct {
	Through string  `json:"through"`
	Gbps    float64 `json:"gbps"`
	GbpsCPU float64 `json:"gbps_per_cpu"` // a CPU-second of the gateway that seals
}

// iperf sends TCP from one namespace to an address in another and reads what pid used meanwhile.
func (m *machine) iperf(ctx context.Context, from, to *netns.NS, addr string, pid int) (s Stream, err error) {
	server, err := start(to, "", "iperf3", "-s", "-1", "-B", addr, "--forceflush")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if _, err := server.expect(ctx, "Server listening", 0, 5*time.Second); err != nil {
		return s, err
	}
	before, err := treeTime(pid)
	if err != nil {
		return s, err
	}
	client, err := start(from, "", "iperf3", "-c", addr, "-t", fmt.Sprint(max(1, int(2*m.time/time.Second))), "-J")
	if err != nil {
		return s, err
	}
	limit, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	text, err := client.wait(limit)
	if err != nil {
		return s, err
	}
	after, err := treeTime(pid)
	if err != nil {
		return s, err
	}
	return parseIperf(text, after-before)
}

func parseIperf(text string, cpu time.Duration) (s Stream, err error) {
	var r struct {
		End struct {
			Received struct {
				Bits    float64 `json:"bits_per_second"`
				Seconds float64 `json:"seconds"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil || !(r.End.Received.Bits > 0) {
		return s, fmt.Errorf("compare: iperf3 printed no result: %s", tail(text))
	}
	s.Gbps = r.End.Received.Bits / 1e9
	if cpu > 0 {
		s.GbpsCPU = s.Gbps * r.End.Received.Seconds / cpu.Seconds()
	}
	return s, nil
}

// tunnel is a pair of wireguard-go in two namespaces.
type tunnel struct {
	ns    [2]*netns.NS
	ps    [2]*process
	ifs   [2]string
	inner [2]string
}

// wireguard measures wireguard-go.
func (m *machine) wireguard(ctx context.Context) (s Stream, err error) {
	t := &tunnel{inner: [2]string{"10.77.0.1", "10.77.0.2"}}
	defer func() { err = errors.Join(err, t.close()) }()
	if err := t.open(ctx); err != nil {
		return s, err
	}
	s, err = m.iperf(ctx, t.ns[0], t.ns[1], t.inner[1], t.ps[0].cmd.Process.Pid)
	s.Through = "wireguard-go"
	return s, err
}

func (t *tunnel) open(ctx context.Context) (err error) {
	for k := range t.ns {
		if t.ns[k], err = netns.Add(fmt.Sprintf("nb%d-wg%d", os.Getpid(), k)); err != nil {
			return err
		}
	}
	outer := [2]string{"192.0.2.1", "192.0.2.2"}
	if err := netns.Veth(netns.End{NS: t.ns[0], Name: "eth0", Addrs: []string{outer[0] + "/24"}}, netns.End{NS: t.ns[1], Name: "eth0", Addrs: []string{outer[1] + "/24"}}, 1500); err != nil {
		return err
	}
	var keys [2]*ecdh.PrivateKey
	for k := range keys {
		if keys[k], err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
			return fmt.Errorf("compare: %w", err)
		}
	}
	for k := range t.ps {
		t.ifs[k] = fmt.Sprintf("nwg%d%d", os.Getpid()%100000, k)
		if t.ps[k], err = start(t.ns[k], "", "env", "LOG_LEVEL=error", "wireguard-go", "-f", t.ifs[k]); err != nil {
			return err
		}
		far := 1 - k
		text := fmt.Sprintf("set=1\nprivate_key=%s\nlisten_port=51820\npublic_key=%s\nendpoint=%s:51820\nallowed_ip=0.0.0.0/0\n\n",
			hex.EncodeToString(keys[k].Bytes()), hex.EncodeToString(keys[far].PublicKey().Bytes()), outer[far])
		if err := configure(ctx, t.ps[k], t.ifs[k], text); err != nil {
			return err
		}
		for _, words := range []string{"ip addr add " + t.inner[k] + "/24 dev " + t.ifs[k], "ip link set " + t.ifs[k] + " mtu 1420 up"} {
			if _, err := t.ns[k].Run(strings.Fields(words)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// configure speaks to a wireguard-go by the socket that it makes.
func configure(ctx context.Context, p *process, name, text string) error {
	socket := filepath.Join("/var/run/wireguard", name+".sock")
	var c net.Conn
	var err error
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err = net.Dial("unix", socket); err == nil {
			break
		}
		select {
		case <-p.done:
			return fmt.Errorf("compare: wireguard-go has ended: %w; it printed:\n%s", p.err, tail(p.out.String()))
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if time.Now().After(end) {
			return fmt.Errorf("compare: wireguard-go: %w", err)
		}
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return fmt.Errorf("compare: wireguard-go: %w", err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		return fmt.Errorf("compare: wireguard-go: %w", err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return fmt.Errorf("compare: wireguard-go: %w", err)
	}
	if line != "errno=0\n" {
		return fmt.Errorf("compare: wireguard-go refuses its configuration: %q", line)
	}
	return nil
}

func (t *tunnel) close() error {
	var err error
	for k := range t.ps {
		if t.ps[k] != nil {
			err = errors.Join(err, t.ps[k].stop())
			_ = os.Remove(filepath.Join("/var/run/wireguard", t.ifs[k]+".sock")) // left behind by one that was killed
		}
		if t.ns[k] != nil {
			err = errors.Join(err, t.ns[k].Delete())
		}
	}
	return err
}

// naveStream measures TCP between the hosts of the lab esp: two naved with ESP between them.
func (m *machine) naveStream(ctx context.Context) (s Stream, err error) {
	p, err := rig.FindPlace("esp")
	if err != nil {
		return s, err
	}
	l, err := p.Up(ctx, mix.Fixed(512), rig.Options{Bin: m.bin, CPU: -1, Senders: ends.Packet, Sinks: ends.Packet})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, l.Down()) }()
	if err := l.CloseEnds(); err != nil {
		return s, err
	}
	s, err = m.iperf(ctx, l.Topo.NS("gen"), l.Topo.NS("sink"), p.SinkAddr(), l.Topo.PIDs[p.First()])
	s.Through = "nave, ESP with AES-128-GCM"
	return s, err
}
