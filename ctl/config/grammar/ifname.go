package grammar

import (
	"strconv"
	"strings"
)

// interfaceTypes are the kinds of interface that nave has, in the order of a running configuration.
var interfaceTypes = []string{
	"Loopback", "Tunnel", "Ethernet", "FastEthernet", "GigabitEthernet", "TenGigabitEthernet",
	"TwentyFiveGigE", "FortyGigabitEthernet", "HundredGigE", "Null",
}

// interfaceType returns the kind that word names or abbreviates. One letter is enough where only one kind starts
// with it.
func interfaceType(word string) (string, bool) {
	if word == "" || strings.Trim(strings.ToLower(word), "abcdefghijklmnopqrstuvwxyz") != "" {
		return "", false
	}
	found := ""
	for _, t := range interfaceTypes {
		if len(word) > len(t) || !strings.EqualFold(t[:len(word)], word) {
			continue
		}
		if len(word) == len(t) {
			return t, true
		}
		if found != "" {
			return "", false
		}
		found = t
	}
	return found, found != ""
}

// InterfaceName returns the canonical form of an interface name as people write it: tu0, e0/0, Gi0/1.10,
// Loopback0. It is false for what is no interface name.
func InterfaceName(word string) (string, bool) {
	at := strings.IndexAny(word, "0123456789")
	if at <= 0 {
		return "", false
	}
	typ, ok := interfaceType(word[:at])
	if !ok {
		return "", false
	}
	unit, sub, hasSub := strings.Cut(word[at:], ".")
	parts := strings.Split(unit, "/")
	if len(parts) > 3 {
		return "", false
	}
	limit := uint64(255)
	switch typ {
	case "Loopback", "Tunnel", "Null":
		limit = 1<<31 - 1
		if len(parts) > 1 || hasSub {
			return "", false
		}
		if typ == "Null" {
			limit = 0
		}
	}
	for i, p := range parts {
		n, ok := number(p)
		if !ok || n > limit {
			return "", false
		}
		parts[i] = strconv.FormatUint(n, 10)
	}
	name := typ + strings.Join(parts, "/")
	if !hasSub {
		return name, true
	}
	n, ok := number(sub)
	if !ok || n == 0 || n > 1<<32-1 {
		return "", false
	}
	return name + "." + strconv.FormatUint(n, 10), true
}

// CompareInterfaces orders canonical interface names by kind, then by number.
func CompareInterfaces(a, b string) int {
	ta, na := splitInterface(a)
	tb, nb := splitInterface(b)
	if ta != tb {
		return rank(ta) - rank(tb)
	}
	for i := range na {
		if i >= len(nb) {
			return 1
		}
		if na[i] != nb[i] {
			if na[i] < nb[i] {
				return -1
			}
			return 1
		}
	}
	if len(na) < len(nb) {
		return -1
	}
	return strings.Compare(a, b)
}

func rank(typ string) int {
	for i, t := range interfaceTypes {
		if t == typ {
			return i
		}
	}
	return len(interfaceTypes)
}

// splitInterface separates the kind from the numbers; a subinterface's number comes after three places of its port.
func splitInterface(name string) (string, []uint64) {
	at := strings.IndexAny(name, "0123456789")
	if at < 0 {
		return name, nil
	}
	unit, sub, hasSub := strings.Cut(name[at:], ".")
	var out []uint64
	for _, p := range strings.Split(unit, "/") {
		n, _ := number(p)
		out = append(out, n)
	}
	if hasSub {
		n, _ := number(sub)
		for len(out) < 3 {
			out = append(out, 0)
		}
		out = append(out, n)
	}
	return name[:at], out
}
