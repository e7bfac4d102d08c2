package path

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// Lengths of ESP with AES-GCM (RFC 4106), bytes.
const (
	espLen    = 8 // SPI and sequence number
	ivLen     = 8
	saltLen   = 4
	tagLen    = 16
	trailerLn = 2
	sealedTop = packet.EthernetLen + packet.IPv4Len + espLen + ivLen // what stands in front of GRE in a frame
)

// sealer is all peers that send to the gateway, for AES-GCM: the library's cipher with one key for all of them. A second engine with as many associations as the
// gateway would push the gateway's own out of the caches, and so make it look slower than it is; this one needs a sequence number a peer.
type sealer struct {
	aead  cipher.AEAD
	iv    uint64   // of the next packet; no two are the same, whoever sends
	seq   []uint32 // the last one of each peer
	nonce [saltLen + ivLen]byte
	aad   [espLen]byte
}

// sealerKey stands for the SPI where keys are made of it.
const sealerKey = 0

// newSealer is nil for transforms that are not the library's.
func newSealer(t *transform, n int) (*sealer, error) {
	if t.cipher != fib.CipherAESGCM || t.icv != 0 {
		return nil, nil
	}
	key := material(t.key, sealerKey, 'c')
	block, err := aes.NewCipher(key[:len(key)-saltLen])
	if err != nil {
		return nil, err
	}
	z := &sealer{seq: make([]uint32, n)}
	if z.aead, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	copy(z.nonce[:], key[len(key)-saltLen:])
	return z, nil
}

// sealedSize is how long a sealed frame is whose inner packet has size bytes.
func sealedSize(size int) int { return sealedTop + padded(size) + tagLen }

// padded is what is encrypted: GRE, the inner packet, and padding so that the trailer ends on four bytes (RFC 4303 section 2.4).
func padded(size int) int { return (greLen + size + trailerLn + 3) &^ 3 }

// sealedFrame is a frame of a peer that is not sealed yet: headers, GRE and the inner packet, room for the rest.
func sealedFrame(src addr, spi uint32, ip []byte) []byte {
	b := make([]byte, sealedSize(len(ip)))
	packet.PutEthernet(b, wanMAC, nextMAC, packet.TypeIPv4)
	h := packet.Header{TTL: 255, Proto: packet.ProtoESP, Src: src.bytes(), Dst: hub.bytes()}
	h.Put(b[packet.EthernetLen:], len(b)-packet.EthernetLen-packet.IPv4Len)
	binary.BigEndian.PutUint32(b[sealedTop-espLen-ivLen:], spi)
	packet.PutGRE(b[sealedTop:], packet.TypeIPv4, tunnelKey, true)
	copy(b[sealedTop+greLen:], ip)
	return b
}

// seal seals a frame that sealedFrame made, whose inner packet has size bytes, as the next one of a peer's association.
func (z *sealer) seal(frame []byte, flow, size int) {
	z.seq[flow]++
	z.iv++
	esp := frame[sealedTop-espLen-ivLen:]
	binary.BigEndian.PutUint32(esp[4:], z.seq[flow])
	binary.BigEndian.PutUint64(esp[espLen:], z.iv)
	copy(z.nonce[saltLen:], esp[espLen:espLen+ivLen])
	copy(z.aad[:], esp)
	n := padded(size)
	text := frame[sealedTop : sealedTop+n]
	pad := n - greLen - size - trailerLn
	for i := range pad {
		text[greLen+size+i] = byte(i + 1)
	}
	text[n-2], text[n-1] = byte(pad), packet.ProtoGRE
	z.aead.Seal(text[:0], z.nonce[:], text, z.aad[:])
}
