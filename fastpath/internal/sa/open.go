package sa

import "crypto/subtle"

// Open undoes Seal in place for the ESP packet chunk[at:at+n], whose whole sequence number is seq. It returns the payload with its trailer, and whether the
// packet is as it was sent; if not, its bytes are worthless. The caller has checked its length with Body. There are 4 bytes before at.
func (t *Transform) Open(x *Scratch, chunk []byte, at, n int, seq uint64) (payload []byte, ok bool) {
	body := at + headerLen + t.shape.IV
	end := at + n - t.shape.ICV
	iv := chunk[at+headerLen : body]
	icv := chunk[end : at+n]
	payload = chunk[body:end]
	if t.mac != nil && subtle.ConstantTimeCompare(t.espSum(x, chunk[at:end], seq), icv) != 1 {
		return nil, false
	}
	switch t.kind {
	case kernelAEAD:
		if _, err := t.aead.Open(payload[:0], t.nonce(x, iv), chunk[body:at+n], t.aad(x, seq)); err != nil {
			return nil, false
		}
	case kernelCBC:
		t.decryptCBC(x, iv, payload)
	case kernelCTR:
		t.counter(x, iv, chunk[body:], len(payload))
	case kernelShort:
		if !t.openShort(x, iv, payload, icv, seq) {
			return nil, false
		}
	case kernelGMAC:
		saved, all := t.widen(chunk, at, end, seq)
		_, err := t.aead.Open(x.sum[:0], t.nonce(x, iv), icv, all)
		t.narrow(chunk, at, saved)
		if err != nil {
			return nil, false
		}
	case kernelNull:
	}
	return payload, true
}

// Spoils tells whether Open leaves zeros of the payload of a packet that is not authentic. Otherwise such a packet stays as it is.
func (t *Transform) Spoils() bool { return t.kind == kernelAEAD }

// Body is how long payload and trailer of an ESP packet of n bytes are, in bytes; whole tells whether that is possible at all, ends whether they
// end on a block.
func (t *Transform) Body(n int) (body int, whole, ends bool) {
	body = n - headerLen - t.shape.IV - t.shape.ICV
	return body, body >= trailerLen, body%t.shape.Align == 0
}

// openShort opens GCM with 8 bytes of ICV: the payload is decrypted aside, by encrypting it once more, and encrypted again for the tag it should have.
func (t *Transform) openShort(x *Scratch, iv, payload, icv []byte, seq uint64) bool {
	n := len(payload)
	if n+aeadTag > len(x.long) {
		return false
	}
	nonce := t.nonce(x, iv)
	copy(x.long, payload)
	t.aead.Seal(x.long[:0], nonce, x.long[:n], nil)
	copy(payload, x.long[:n])
	t.aead.Seal(x.long[:0], nonce, x.long[:n], t.aad(x, seq))
	return subtle.ConstantTimeCompare(x.long[n:n+shortICV], icv) == 1
}

// Strip looks at the trailer of an opened payload: n is how much of it stays, next what it is. ok is false where the padding can't be (RFC 4303 section 2.4).
func Strip(payload []byte) (n int, next uint8, ok bool) {
	end := len(payload) - trailerLen
	if end < 0 {
		return 0, 0, false
	}
	pad := int(payload[end])
	if pad > end {
		return 0, 0, false
	}
	for i, b := range payload[end-pad : end] {
		if b != byte(i+1) {
			return 0, 0, false
		}
	}
	return end - pad, payload[end+1], true
}
