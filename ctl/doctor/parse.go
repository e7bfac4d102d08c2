package doctor

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// list reads numbers as the kernel writes them: 0-3,8. What is broken ends it.
func list(text string) (out []int) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		from, to, span := strings.Cut(part, "-")
		a, err := strconv.ParseUint(from, 10, 16)
		if err != nil {
			return out
		}
		b := a
		if span {
			if b, err = strconv.ParseUint(to, 10, 16); err != nil {
				return out
			}
		}
		for ; a <= b; a++ {
			out = append(out, int(a))
		}
	}
	return out
}

// release reads the number of a kernel's version.
func release(text string) (major, minor int) {
	a, rest, _ := strings.Cut(text, ".")
	major, _ = strconv.Atoi(a)
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	minor, _ = strconv.Atoi(rest[:end])
	return major, minor
}

// limit finds the soft limit of a name in /proc/PID/limits: -1 for unlimited.
func limit(text, name string) (n int64, ok bool) {
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, name)
		if !found {
			continue
		}
		f := strings.Fields(rest)
		if len(f) == 0 {
			return 0, false
		}
		if f[0] == "unlimited" {
			return -1, true
		}
		n, err := strconv.ParseInt(f[0], 10, 64)
		return n, err == nil
	}
	return 0, false
}

// capability tells whether a process has a capability in effect, by the text of /proc/PID/status.
func capability(text string, number uint) bool {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64)
			return err == nil && set>>number&1 != 0
		}
	}
	return false
}

// udpSocket is a line of /proc/net/udp.
type udpSocket struct {
	port  int
	inode string
}

// udpSockets reads /proc/net/udp (or udp6).
func udpSockets(text string) (out []udpSocket) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 10 {
			continue
		}
		_, port, ok := strings.Cut(f[1], ":")
		b, err := hex.DecodeString(port)
		if !ok || err != nil || len(b) != 2 {
			continue // the heading
		}
		out = append(out, udpSocket{int(b[0])<<8 | int(b[1]), f[9]})
	}
	return out
}

// environment finds a variable in a file of assignments as systemd reads it.
func environment(text, name string) string {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			return strings.Trim(v, `"'`)
		}
	}
	return ""
}

// portFlags finds the values of --port among the words of a command line.
func portFlags(words []string) (out []string) {
	for i := 0; i < len(words); i++ {
		if v, ok := strings.CutPrefix(words[i], "--port="); ok {
			out = append(out, v)
		} else if words[i] == "--port" && i+1 < len(words) {
			i++
			out = append(out, words[i])
		}
	}
	return out
}
