package bgpmsg

import "encoding/binary"

// Positions in an OPEN (RFC 4271 section 4.2), and codes of what is in it.
const (
	openLen       = HeaderLen + 10 // without parameters
	openParams    = HeaderLen + 9  // length of the parameters
	extendedMark  = 255            // RFC 9072: lengths of two bytes
	capabilities  = 2              // parameter (RFC 5492)
	capRestart    = 64             // graceful restart (RFC 4724 section 3)
	restartTuple  = 4              // AFI, SAFI, flags
	flagPreserved = 0x80           // forwarding state bit
)

// Preserves tells whether an OPEN says that its sender has forwarded on by what it had, in all families that it restarts gracefully in.
func Preserves(open []byte) bool {
	tuples := restartTuples(open)
	for t := tuples; len(t) >= restartTuple; t = t[restartTuple:] {
		if t[3]&flagPreserved == 0 {
			return false
		}
	}
	return len(tuples) >= restartTuple
}

// Preserve has an OPEN say so. One without graceful restart stays as it is.
func Preserve(open []byte) {
	for t := restartTuples(open); len(t) >= restartTuple; t = t[restartTuple:] {
		t[3] |= flagPreserved
	}
}

// restartTuples are the families of the graceful restart capability, in place. The last of several capabilities counts (RFC 4724 section 3).
func restartTuples(open []byte) (tuples []byte) {
	if len(open) < openLen || Type(open) != Open {
		return nil
	}
	params, wide := open[openLen:], 1
	if open[openParams] == extendedMark && len(params) >= 3 && params[0] == extendedMark {
		params, wide = params[3:], 2
	}
	for len(params) >= 1+wide {
		n := int(params[1])
		if wide == 2 {
			n = int(binary.BigEndian.Uint16(params[1:]))
		}
		body := params[1+wide:]
		if n > len(body) {
			return nil
		}
		if params[0] == capabilities {
			for c := body[:n]; len(c) >= 2 && int(c[1]) <= len(c)-2; c = c[2+int(c[1]):] {
				if value := c[2 : 2+int(c[1])]; c[0] == capRestart && len(value) >= 2 {
					tuples = value[2:]
				}
			}
		}
		params = body[n:]
	}
	return tuples
}
