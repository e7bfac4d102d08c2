package gateway

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"nave/ctl/config"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath/host"
	"nave/slowpath/ike"
)

// UDP ports of IKE, and the four zero bytes in front of its messages on the second (RFC 3948 section 2.2).
const (
	portIKE  = 500
	portNATT = 4500
)

var nonESP = []byte{0, 0, 0, 0}

// Bounds of what is read from the sockets: a flood of messages must leave room in the inbox for the rest.
const (
	ikePerSecond = 4000
	ikeBurst     = 1000
	longestIKE   = 65536
)

// setIKE opens the sockets of IKE in each space that a protected tunnel's packets leave by (`tunnel vrf`), and closes them where none does.
func (g *Gateway) setIKE() error {
	want := make(map[*space]bool)
	for _, i := range g.core.current.Interfaces {
		if i.Tunnel != nil && i.Tunnel.Protected {
			want[g.spaceOf(i.Tunnel.OuterVRF)] = true // nil: it could not be made, and that has been said
		}
	}
	var failed error
	for _, s := range g.spaces {
		if !want[s] || len(g.core.current.IKE.Protections) == 0 {
			failed = errors.Join(failed, s.closeSockets())
			continue
		}
		failed = errors.Join(failed, g.openIKE(s))
	}
	return failed
}

// openIKE opens the sockets that IKE lacks in a space.
func (g *Gateway) openIKE(s *space) (failed error) {
	for _, port := range []uint16{portIKE, portNATT} {
		if s.ike[port] != nil {
			continue
		}
		u, err := s.host.OpenUDP(port)
		if err != nil {
			if s.name != "" {
				err = fmt.Errorf("VRF %s (network namespace %s): %w", s.name, s.host.Name(), err)
			}
			failed = errors.Join(failed, err)
			continue
		}
		s.ike[port] = u
		g.readers.Go(func() { g.fromIKE(s, u) })
	}
	return failed
}

// fromIKE takes what comes by a socket of IKE to the control plane, until it is closed.
func (g *Gateway) fromIKE(s *space, u *host.UDP) {
	buf := make([]byte, longestIKE)
	limit := flood{rate: ikePerSecond, burst: ikeBurst}
	for {
		d, err := u.Read(buf)
		if err != nil {
			return
		}
		msg := d.Payload
		switch {
		case d.Local.Port() == portNATT && len(msg) >= len(nonESP) && !bytes.HasPrefix(msg, nonESP):
			g.espFromSocket(s, d)
			continue
		case d.Local.Port() == portNATT:
			if msg = bytes.TrimPrefix(msg, nonESP); len(msg) == len(d.Payload) {
				continue // a keepalive, or nothing
			}
		}
		if !limit.allow(time.Now()) {
			g.linux.lost.Add(1)
			continue
		}
		vrf, ok := s.id()
		if !ok {
			continue
		}
		p, b := ike.Path{VRF: uint16(vrf), Local: d.Local, Remote: d.Remote}, bytes.Clone(msg)
		if !g.loop.Try(func(now time.Time) { g.core.Router().At(now).IKE(p, b) }) {
			g.linux.lost.Add(1)
		}
	}
}

// flood is a token bucket: so many a second, and so many at once.
type flood struct {
	rate, burst float64

	tokens float64
	last   time.Time
}

func (f *flood) allow(now time.Time) bool {
	if f.last.IsZero() {
		f.tokens = f.burst
	} else {
		f.tokens = min(f.burst, f.tokens+now.Sub(f.last).Seconds()*f.rate)
	}
	f.last = now
	if f.tokens < 1 {
		return false
	}
	f.tokens--
	return true
}

// espFromSocket gives ESP to the fast path that came in fragments, which steering leaves to the kernel.
func (g *Gateway) espFromSocket(s *space, d host.Datagram) {
	dev, ok := s.links.find(d.Link)
	vrf, known := s.id()
	if !ok || !known {
		return
	}
	n := packet.UDPLen + len(d.Payload)
	if packet.IPv4Len+n > longestIKE-1 {
		return
	}
	b := make([]byte, packet.IPv4Len+n)
	h := packet.Header{TTL: 64, Proto: 17, Src: d.Remote.Addr().As4(), Dst: d.Local.Addr().As4()}
	h.Put(b, n)
	udp := b[packet.IPv4Len:]
	binary.BigEndian.PutUint16(udp, d.Remote.Port())
	binary.BigEndian.PutUint16(udp[2:], d.Local.Port())
	binary.BigEndian.PutUint16(udp[4:], uint16(n))
	copy(b[packet.IPv4Len+packet.UDPLen:], d.Payload)
	if g.engine.Inject(fastpath.Inject{Kind: fastpath.InjectInput, VRF: vrf, Port: dev.id, Packet: b}) != nil {
		g.linux.lost.Add(1)
	}
}

// SendIKE implements slowpath.Linux.
func (l *linux) SendIKE(p ike.Path, b []byte) {
	if p.Local.Port() == portNATT {
		b = append(append(make([]byte, 0, len(nonESP)+len(b)), nonESP...), b...)
	}
	l.sendUDP(p, b)
}

// SendNATKeepalive implements slowpath.Linux.
func (l *linux) SendNATKeepalive(p ike.Path) { l.sendUDP(p, []byte{0xff}) }

func (l *linux) sendUDP(p ike.Path, b []byte) {
	s := l.g.spaceOf(fib.VRF(p.VRF))
	if s == nil || s.ike[p.Local.Port()] == nil {
		return // the last protected tunnel is gone
	}
	u := s.ike[p.Local.Port()]
	if err := u.Write(b, p.Local.Addr(), p.Remote); err != nil {
		l.g.opt.Log.Debug("IKE", "peer", p.Remote, "error", err) // it is sent again; a peer that stays away is reported by IKE
	}
}

// closeIKE tells all peers that their associations end, so that none sends by them to nobody. The control plane has stopped, and what it had to say by them is under way.
func (g *Gateway) closeIKE() {
	if g.core != nil && g.linux != nil {
		g.core.Router().At(time.Now()).Goodbye()
	}
}

// largestPEM is more than any file of certificates that makes sense.
const largestPEM = 4 << 20

// loadTrust reads the files of a trustpoint.
func loadTrust(now time.Time, p *config.Trustpoint) (ike.Trustpoint, error) {
	var files [4][]byte
	for i, name := range []string{p.CAFile, p.CertificateFile, p.KeyFile, p.CRLFile} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err == nil && info.Size() > largestPEM {
			err = fmt.Errorf("%s: %d bytes are no PEM file of certificates", name, info.Size())
		}
		if err == nil {
			files[i], err = os.ReadFile(name)
		}
		if err != nil {
			return ike.Trustpoint{}, fmt.Errorf("%w: put the file there, readable for naved, and reload", err)
		}
	}
	t, err := ike.LoadTrustpoint(p.Name, files[0], files[1], files[2], files[3], checksCRL(p), now)
	clear(files[2])
	if err != nil {
		return ike.Trustpoint{}, fmt.Errorf("%w (ca-file %q, certificate-file %q, key-file %q, crl-file %q)", err, p.CAFile, p.CertificateFile, p.KeyFile, p.CRLFile)
	}
	return t, nil
}

// checksCRL tells whether peers' certificates are looked up in a revocation list: `revocation-check`, or without it where there is a list.
func checksCRL(p *config.Trustpoint) bool {
	crl := len(p.Revocation) == 0 && p.CRLFile != ""
	for _, r := range p.Revocation {
		switch r {
		case "crl":
			crl = true
		case "none": // `crl none`: no list, no check
			crl = crl && p.CRLFile != ""
		}
	}
	return crl
}

// Times of watching.
const (
	trustEvery = time.Hour   // certificates and lists are read again
	loadEvery  = time.Second // how busy the control plane is
)

// watchTrust reads the files of trustpoints now and then: revocation lists are renewed by others.
func (g *Gateway) watchTrust() {
	t := time.NewTicker(trustEvery)
	defer t.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-t.C:
			g.loop.Do(func(now time.Time) {
				if len(g.core.tree.PKI.Trustpoints) == 0 {
					return
				}
				if err := g.core.Reload(now); err != nil {
					g.opt.Log.Error("reading trustpoints", "error", err)
				}
			})
		}
	}
}

// watchLoad tells the control plane how busy it is, for `call admission limit`. The workers do not count: they spin when they have nothing to do.
func (g *Gateway) watchLoad() {
	t := time.NewTicker(loadEvery)
	defer t.Stop()
	var average float64
	last, busy := time.Now(), g.loop.Busy()
	for {
		select {
		case <-g.ctx.Done():
			return
		case now := <-t.C:
			b := g.loop.Busy()
			share := float64(b-busy) / float64(max(1, now.Sub(last)))
			last, busy = now, b
			average += (share - average) / 5 // of about five seconds, as the route processor's load in IOS
			percent := int(min(1, average)*100 + 0.5)
			g.loop.Do(func(now time.Time) {
				if g.core.tree.CallAdmission.Load > 0 {
					g.core.Router().At(now).Load(percent)
				}
			})
		}
	}
}
