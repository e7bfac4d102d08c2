package suite

import "crypto/hmac"

// PRF is the HMAC of h over the data, one after the other: the pseudo-random function of both versions. It panics if h is not Known.
func PRF(h Hash, key []byte, data ...[]byte) []byte {
	m := hmac.New(h.fresh(), key)
	for _, d := range data {
		m.Write(d)
	}
	return m.Sum(make([]byte, 0, h.Size()))
}

// PRFPlus is n bytes of prf+ (RFC 7296 section 2.13): T1 | T2 | ..., where Ti = prf(key, Ti-1 | seed | i). i is one byte, so n is at
// most 255 times the size of h; it panics above.
func PRFPlus(h Hash, key, seed []byte, n int) []byte {
	size := h.Size()
	if n > 255*size {
		panic("suite: more of prf+ than there is")
	}
	m := hmac.New(h.fresh(), key)
	out := make([]byte, 0, (n+size-1)/size*size)
	for i := byte(1); len(out) < n; i++ {
		m.Reset()
		if len(out) > 0 {
			m.Write(out[len(out)-size:])
		}
		m.Write(seed)
		m.Write([]byte{i})
		out = m.Sum(out)
	}
	clear(out[n:])
	return out[:n:n]
}
