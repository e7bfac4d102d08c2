package ike

import (
	"net/netip"
	"strings"
)

// Keyring is the keyring of that name; nil: there is none.
func (c *Config) Keyring(name string) *Keyring {
	for i := range c.Keyrings {
		if c.Keyrings[i].Name == name {
			return &c.Keyrings[i]
		}
	}
	return nil
}

// Trustpoint is the trustpoint of that name, or with no name the first that has a certificate of ours; nil: there is none.
func (c *Config) Trustpoint(name string) *Trustpoint {
	for i := range c.Trustpoints {
		t := &c.Trustpoints[i]
		if name == "" && t.Leaf() != nil || name != "" && t.Name == name {
			return t
		}
	}
	return nil
}

// Protection is the protection with that number; nil: there is none.
func (c *Config) Protection(id uint32) *Protection {
	for i := range c.Protections {
		if c.Protections[i].ID == id {
			return &c.Protections[i]
		}
	}
	return nil
}

// Find is the key for a peer at addr, whose packets come in vrf to our address local; nil: the keyring has none. id is who the peer says it
// is; IDNone as long as it has not. A key for just this identity or host name goes first, then one for its domain, then the longest prefix
// of the address; of equals the first. k may be nil.
func (k *Keyring) Find(vrf uint16, local, addr netip.Addr, id Identity) *KeyEntry {
	if k == nil || k.VRF != AnyVRF && k.VRF != vrf || k.LocalAddr.IsValid() && k.LocalAddr != local.Unmap() {
		return nil
	}
	var best *KeyEntry
	rank := -1
	for i := range k.Keys {
		if r := k.Keys[i].rank(vrf, addr.Unmap(), id); r > rank {
			best, rank = &k.Keys[i], r
		}
	}
	return best
}

// rank is how well the key fits a peer; -1: not at all.
func (e *KeyEntry) rank(vrf uint16, addr netip.Addr, id Identity) int {
	switch {
	case e.Identity != nil:
		if e.Identity.Matches(id, addr, vrf) {
			return e.Identity.rank()
		}
	case e.Hostname != "":
		if id.Kind == IDFQDN && strings.EqualFold(strings.TrimSuffix(id.Value, "."), strings.TrimSuffix(e.Hostname, ".")) {
			return exactRank
		}
	case e.Prefix.IsValid() && e.Prefix.Contains(addr):
		return e.Prefix.Bits()
	}
	return -1
}
