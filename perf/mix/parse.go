package mix

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

var (
	defaultFrom = netip.AddrFrom4([4]byte{10, 1, 0, 7})
	defaultTo   = netip.AddrFrom4([4]byte{10, 2, 0, 7})
)

// Parse reads a mix from text. Errors say the file's name and the line.
func Parse(file, text string) (*Mix, error) {
	m := &Mix{From: defaultFrom, To: defaultTo, Flows: 1, Over: 1, Burst: 1}
	seen := make(map[string]bool)
	for k, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := m.line(words, seen); err != nil {
			return nil, fmt.Errorf("mix: %s:%d: %w", file, k+1, err)
		}
	}
	if m.Name == "" {
		return nil, fmt.Errorf("mix: %s: no line `mix NAME`", file)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("mix: %s: %w", file, err)
	}
	return m, nil
}

// sentences are the first words of lines, with how many words may follow (most -1: any number) and what they do.
var sentences = map[string]struct {
	least, most int
	repeats     bool
	do          func(m *Mix, args []string) error
}{
	"mix":   {1, 1, false, func(m *Mix, a []string) error { m.Name = a[0]; return nil }},
	"about": {1, -1, false, func(m *Mix, a []string) error { m.About = strings.Join(a, " "); return nil }},
	"size":  {1, 3, true, func(m *Mix, a []string) error { return m.addSize(a, 0) }},
	"frame": {1, 3, true, func(m *Mix, a []string) error { return m.addSize(a, frameOverhead) }},
	"from":  {1, 1, false, func(m *Mix, a []string) (err error) { m.From, err = address(a[0]); return err }},
	"to":    {1, 1, false, func(m *Mix, a []string) (err error) { m.To, err = address(a[0]); return err }},
	"flows": {1, 3, false, (*Mix).setFlows},
	"tos": {1, 1, false, func(m *Mix, a []string) error {
		n, err := number(a[0], 0, 255)
		m.TOS = uint8(n)
		return err
	}},
	"df":   {0, 0, false, func(m *Mix, _ []string) error { m.DF = true; return nil }},
	"mpls": {1, maxLabels, false, (*Mix).setLabels},
	"gre":  {2, 4, false, (*Mix).setGRE},
	"esp":  {3, 3, false, (*Mix).setESP},
	"burst": {1, 1, false, func(m *Mix, a []string) (err error) {
		m.Burst, err = number(a[0], 1, 1<<16)
		return err
	}},
}

func (m *Mix) line(words []string, seen map[string]bool) error {
	word, args := words[0], words[1:]
	s, ok := sentences[word]
	switch {
	case !ok:
		return fmt.Errorf("unknown word %q", word)
	case m.Name == "" && word != "mix":
		return fmt.Errorf("%q before the line `mix NAME`", word)
	case seen[word] && !s.repeats:
		return fmt.Errorf("a second line %q", word)
	case len(args) < s.least:
		return fmt.Errorf("%q wants %d words after it", word, s.least)
	case s.most >= 0 && len(args) > s.most:
		return fmt.Errorf("%q: too many words: %q", word, strings.Join(args[s.most:], " "))
	}
	seen[word] = true
	return s.do(m, args)
}

func (m *Mix) addSize(a []string, overhead int) error {
	n, err := number(a[0], MinSize+overhead, MaxSize+overhead)
	if err != nil {
		return err
	}
	s := Size{Bytes: n - overhead, Weight: 1}
	if len(a) > 1 {
		if s.Weight, err = keyword(a[1:], "weight", 1, maxWeight); err != nil {
			return err
		}
	}
	if len(m.Sizes) == maxSizes {
		return fmt.Errorf("more than %d sizes", maxSizes)
	}
	m.Sizes = append(m.Sizes, s)
	return nil
}

func (m *Mix) setFlows(a []string) (err error) {
	if m.Flows, err = number(a[0], 1, maxFlows); err != nil || len(a) == 1 {
		return err
	}
	m.Over, err = keyword(a[1:], "over", 1, m.Flows)
	return err
}

func (m *Mix) setLabels(a []string) error {
	for _, w := range a {
		n, err := number(w, 0, 1<<20-1)
		if err != nil {
			return err
		}
		m.Labels = append(m.Labels, uint32(n))
	}
	return nil
}

func (m *Mix) setGRE(a []string) error {
	g := &GRE{}
	var err error
	if g.From, err = address(a[0]); err != nil {
		return err
	}
	if g.To, err = address(a[1]); err != nil {
		return err
	}
	if len(a) > 2 {
		n, err := keyword(a[2:], "key", 0, 1<<32-1)
		if err != nil {
			return err
		}
		g.Key, g.HasKey = uint32(n), true
	}
	m.GRE = g
	return nil
}

func (m *Mix) setESP(a []string) error {
	spi, err := number(a[0], 256, 1<<32-1) // below are reserved (RFC 4303 section 2.1)
	if err != nil {
		return err
	}
	m.ESP = &ESP{SPI: uint32(spi)}
	switch a[1] {
	case "raw":
		m.ESP.Raw, err = number(a[2], espHeader+8, MaxSize-espHeader)
		return err
	case "aes-gcm":
		k, err := hex.DecodeString(a[2])
		if err != nil || len(k) != 20 && len(k) != 28 && len(k) != 36 {
			return fmt.Errorf("the key of aes-gcm is 40, 56 or 72 hexadecimal digits: AES key and 4 bytes of salt")
		}
		m.ESP.Key = k
		return nil
	}
	return fmt.Errorf("%q: esp is `aes-gcm KEY` or `raw BYTES`", a[1])
}

// keyword reads a word and the number after it.
func keyword(a []string, word string, least, most int) (int, error) {
	if len(a) != 2 || a[0] != word {
		return 0, fmt.Errorf("%q: want `%s N`", strings.Join(a, " "), word)
	}
	return number(a[1], least, most)
}

func number(w string, least, most int) (int, error) {
	n, err := strconv.ParseInt(w, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", w)
	}
	if n < int64(least) || n > int64(most) {
		return 0, fmt.Errorf("%d: want %d to %d", n, least, most)
	}
	return int(n), nil
}

func address(w string) (netip.Addr, error) {
	a, err := netip.ParseAddr(w)
	if err != nil || !a.Is4() {
		return netip.Addr{}, fmt.Errorf("%q is no IPv4 address", w)
	}
	return a, nil
}
