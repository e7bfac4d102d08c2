package ike

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// String is the identity as IOS shows it: an address, a name, or a distinguished name as "cn=..,ou=.."; bytes that can't be shown are
// in hexadecimal.
func (i Identity) String() string {
	switch i.Kind {
	case IDNone:
		return ""
	case IDDN:
		return dnString(i.Value)
	case IDOther:
		if i.Value == "" {
			return ""
		}
		return "type " + strconv.Itoa(int(i.Value[0])) + ": " + hex.EncodeToString([]byte(i.Value[1:]))
	}
	return printable(i.Value)
}

// MarshalText writes kind and value so that every byte survives, as status values need it: a distinguished name is no UTF-8.
func (i Identity) MarshalText() ([]byte, error) {
	if i == (Identity{}) {
		return nil, nil
	}
	return strconv.AppendQuoteToASCII(strconv.AppendUint(nil, uint64(i.Kind), 10), i.Value), nil
}

// UnmarshalText reads what MarshalText wrote.
func (i *Identity) UnmarshalText(b []byte) error {
	*i = Identity{}
	if len(b) == 0 {
		return nil
	}
	kind, value, ok := strings.Cut(string(b), `"`)
	k, err := strconv.ParseUint(kind, 10, 8)
	if !ok || err != nil {
		return fmt.Errorf("ike: %.40q is no identity", b)
	}
	v, err := strconv.Unquote(`"` + value)
	if err != nil {
		return fmt.Errorf("ike: identity %.40q: %w", b, err)
	}
	*i = Identity{Kind: IDKind(k), Value: v}
	return nil
}

// printable is s, or where a terminal should not see it, its bytes in hexadecimal.
func printable(s string) string {
	for k := range len(s) {
		if s[k] < 0x20 || s[k] > 0x7e {
			return hex.EncodeToString([]byte(s))
		}
	}
	return s
}

// Matches tells whether an identity is meant. addr is the address that the peer sends from, which counts for IDIPv4 as long as the peer has not
// said who it is (id is of IDNone); after that only what it says, and proves, does. vrf is the one of its packets.
func (m *Match) Matches(id Identity, addr netip.Addr, vrf uint16) bool {
	if m.Kind == IDNone {
		return true
	}
	if m.Kind == IDIPv4 {
		if m.VRF != AnyVRF && m.VRF != vrf {
			return false
		}
		if id.Kind == IDNone {
			return addr.IsValid() && m.Prefix.Contains(addr.Unmap())
		}
		a, err := netip.ParseAddr(id.Value)
		return id.Kind == IDIPv4 && err == nil && m.Prefix.Contains(a)
	}
	if m.Kind != id.Kind {
		return false
	}
	switch m.Kind {
	case IDFQDN:
		return m.name(id.Value)
	case IDEmail:
		if m.Domain {
			at := strings.LastIndexByte(id.Value, '@')
			return at >= 0 && m.name(id.Value[at+1:])
		}
		return strings.EqualFold(m.Value, id.Value)
	case IDDN:
		return m.dn(id.Value)
	}
	return m.Value == id.Value
}

// name compares a host's or domain's name.
func (m *Match) name(name string) bool {
	name, want := strings.TrimSuffix(name, "."), strings.TrimSuffix(m.Value, ".")
	if want == "" {
		return false
	}
	if strings.EqualFold(name, want) {
		return true
	}
	if !m.Domain {
		return false
	}
	cut := len(name) - len(want)
	return cut > 0 && name[cut-1] == '.' && strings.EqualFold(name[cut:], want)
}

// dn compares a distinguished name: as a whole if Value is set, and all parts of DN. A match with neither takes no name.
func (m *Match) dn(der string) bool {
	if m.Value != "" && !dnEqual(m.Value, der) {
		return false
	}
	return (m.Value != "" || len(m.DN) > 0) && dnHas(der, m.DN)
}

// rank orders matches by how closely they say who is meant, for where several fit.
func (m *Match) rank() int {
	switch {
	case m.Kind == IDNone:
		return 0
	case m.Kind == IDIPv4:
		return m.Prefix.Bits() // at most 32
	case m.Kind == IDDN && m.Value == "":
		return 100 + len(m.DN)
	case m.Domain:
		return 100 + len(m.Value)
	}
	return exactRank
}

// exactRank is above all others: a name has at most 255 bytes.
const exactRank = 1000
