// Package mix says what packets a generator sends: a mix is a small text file of sizes with weights, flows, and the headers around them.
//
// A file is lines; # starts a comment. Sizes are of the innermost IPv4 packet, without what gre, esp and mpls put around it:
//
//	mix NAME                        first line
//	about TEXT                      one line, shown in lists
//	size BYTES [weight N]           IPv4 packets of so many bytes; once or more
//	frame BYTES [weight N]          the same as Ethernet counts, with header and checksum: RFC 2544 section 9.1
//	from ADDRESS                    source of the first flow; 10.1.0.7 unless given
//	to ADDRESS                      destination of the first flow; 10.2.0.7 unless given
//	flows N [over N]                so many pairs of UDP ports, over so many destinations that follow each other
//	tos N                           type-of-service byte
//	df                              don't fragment
//	mpls LABEL ...                  labels, outermost first
//	gre FROM TO [key N]             a GRE header and an outer IPv4 header around it
//	esp SPI aes-gcm KEY             the GRE packet sealed (RFC 4106, transport mode); KEY is hexadecimal, with 4 bytes of salt at its end
//	esp SPI raw BYTES               a well-formed ESP packet of so many bytes in place of all that, which nobody can open
//	burst N                         packets leave N at a time, back to back, whatever the rate
//
// Every packet that has room carries a stamp in its last bytes: a sequence number and the time it was sent at.
package mix

import (
	"embed"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"

	"nave/fastpath/packet"
)

// Size is an IPv4 packet length in bytes and how often it comes.
type Size struct {
	Bytes  int
	Weight int
}

// GRE is the tunnel around the packets (RFC 2784, RFC 2890).
type GRE struct {
	From, To netip.Addr
	Key      uint32
	HasKey   bool
}

// ESP seals the packets. Key is the AES key and four bytes of salt; without one the packets are Raw bytes of payload that nobody can open.
type ESP struct {
	SPI uint32
	Key []byte
	Raw int
}

// Mix is what a generator sends.
type Mix struct {
	Name     string
	About    string
	Sizes    []Size
	From, To netip.Addr
	Flows    int
	Over     int // destinations that the flows go to
	TOS      uint8
	DF       bool
	Labels   []uint32
	GRE      *GRE
	ESP      *ESP
	Burst    int
}

// Limits, so that a typing error does not ask for all of the memory.
const (
	maxFlows  = 1 << 20
	maxWeight = 1000
	maxSizes  = 64
	maxLabels = 4
	maxSlots  = 1 << 20
	// MinSize is the shortest IPv4 packet of a mix: a header and UDP's.
	MinSize = packet.IPv4Len + packet.UDPLen
	// MaxSize is the longest one, which frames of 2048 bytes take with every header of ours around it.
	MaxSize = 1500
	// frameOverhead is what Ethernet's own count of a frame has beyond the IPv4 packet: header and checksum.
	frameOverhead = packet.EthernetLen + 4
)

//go:embed mixes
var embedded embed.FS

// Names lists the mixes that are built in.
func Names() []string {
	files, err := fs.ReadDir(embedded, "mixes")
	if err != nil {
		panic(err) // the build has left them out
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".mix"))
	}
	return names
}

// Load reads a mix: one that is built in, by its name, or a file.
func Load(name string) (*Mix, error) {
	if slices.Contains(Names(), name) {
		text, err := embedded.ReadFile(path.Join("mixes", name+".mix"))
		if err != nil {
			return nil, fmt.Errorf("mix: %w", err)
		}
		return Parse(name+".mix", string(text))
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("mix: %q is neither built in (%s) nor a file: %w", name, strings.Join(Names(), ", "), err)
	}
	return Parse(name, string(text))
}

// Fixed is a mix of one size and one flow.
func Fixed(size int) *Mix {
	return &Mix{
		Name: fmt.Sprint(size), Sizes: []Size{{size, 1}}, From: defaultFrom, To: defaultTo, Flows: 1, Over: 1, Burst: 1,
	}
}

// Around is how many bytes stand before the innermost packet: labels, outer headers, GRE, ESP.
func (m *Mix) Around() int {
	n := 4 * len(m.Labels)
	if m.GRE != nil {
		n += packet.IPv4Len + m.greLen()
	}
	if m.sealed() {
		n += espHeader + espIV
	}
	return n
}

func (m *Mix) greLen() int {
	if m.GRE.HasKey {
		return 8
	}
	return 4
}

func (m *Mix) sealed() bool { return m.ESP != nil && m.ESP.Key != nil }

// Mean is the mean length of the innermost packets in bytes.
func (m *Mix) Mean() float64 {
	sum, n := 0, 0
	for _, s := range m.Sizes {
		sum += s.Bytes * s.Weight
		n += s.Weight
	}
	return float64(sum) / float64(n)
}

// check finds what a mix can't be, whichever way it came about.
func (m *Mix) check() error {
	switch {
	case len(m.Sizes) == 0:
		return fmt.Errorf("no size: say `size 64`, or `frame 64` as Ethernet counts")
	case m.Flows < 1 || m.Flows > maxFlows || m.Over < 1 || m.Over > m.Flows:
		return fmt.Errorf("%d flows over %d destinations: want 1 to %d, and no more destinations than flows", m.Flows, m.Over, maxFlows)
	case m.ESP != nil && m.ESP.Key != nil && m.GRE == nil:
		return fmt.Errorf("esp seals a GRE packet: say `gre FROM TO` before it")
	case m.ESP != nil && len(m.Labels) > 0:
		return fmt.Errorf("esp under labels is not built")
	case m.Burst < 1 || m.Burst > 1<<16:
		return fmt.Errorf("burst of %d: want 1 to %d", m.Burst, 1<<16)
	}
	for _, s := range m.Sizes {
		if s.Bytes < MinSize || s.Bytes > MaxSize {
			return fmt.Errorf("packet of %d bytes: want %d (a header and UDP's) to %d", s.Bytes, MinSize, MaxSize)
		}
		if s.Weight < 1 || s.Weight > maxWeight {
			return fmt.Errorf("weight %d: want 1 to %d", s.Weight, maxWeight)
		}
	}
	if n := len(order(m.Sizes)) * m.Flows; n > maxSlots {
		return fmt.Errorf("%d flows of a mix of %d turns are %d headers: at most %d", m.Flows, len(order(m.Sizes)), n, maxSlots)
	}
	return nil
}
