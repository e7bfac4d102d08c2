package sa

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

// IVs makes the IVs of CBC: unpredictable to everybody else (RFC 3602 section 3), and without a system call a packet. It is a
// pseudo-random permutation with a key that never leaves the process, of the SPI and the sequence number (NIST SP 800-38A appendix C).
// It may be used by many at once.
type IVs struct{ block cipher.Block }

// NewIVs takes a key from the system's random numbers.
func NewIVs() (*IVs, error) {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, fmt.Errorf("key for IVs: %w", err)
	}
	b, err := aes.NewCipher(key[:])
	clear(key[:])
	if err != nil {
		return nil, fmt.Errorf("cipher for IVs: %w", err)
	}
	return &IVs{b}, nil
}

// put writes an IV of len(iv) bytes, 8 or 16.
func (v *IVs) put(x *Scratch, iv []byte, spi, generation uint32, seq uint64) {
	binary.BigEndian.PutUint64(x.block[:], seq)
	binary.BigEndian.PutUint32(x.block[8:], spi)
	binary.BigEndian.PutUint32(x.block[12:], generation)
	v.block.Encrypt(x.block[:], x.block[:])
	copy(iv, x.block[:])
}
