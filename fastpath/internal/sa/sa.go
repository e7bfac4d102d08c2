// Package sa is the cryptography of one security association: its transform, its sequence numbers and its anti-replay window.
//
// A Transform is what a key becomes: key schedules, tables, the inner states of HMAC. It is never changed once it is made, so any number
// of workers seal and open with one at the same time. What changes with a packet lies elsewhere: nonces, hash states and
// sums in a Scratch, of which every worker has its own; the sequence number and the window in words of the arena, which are changed
// by atomic operations (window.go). So there is no rule about which worker may use which association, and no lock.
//
// Sealing and opening are in place and allocate nothing. Which algorithm it is, is one switch a packet (seal.go, open.go), and
// behind it stands the standard library's own entry point, or a kernel in assembly (aesgcm, aescbc) where the CPU has what it wants.
//
// No nonce is used twice: the IV of the counter modes (GCM, GMAC, CTR, ChaCha20) is the 64-bit sequence number, which the caller has taken
// from the arena before. The IV of CBC is that number, encrypted with a key that only this process knows: as unpredictable as
// RFC 3602 section 3 asks for, and no random bytes are read for it.
package sa

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" // the guide's networks use it, and the operator is warned
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"nave/fastpath/fib"
	"nave/fastpath/internal/aescbc"
)

// headerLen is SPI and sequence number; trailerLen is pad length and next header, in bytes.
const (
	headerLen  = 8
	trailerLen = 2
)

// AHLen is how long an authentication header is in front of its ICV, in bytes (RFC 4302 section 2).
const AHLen = 12

// kernel is which algorithm encrypts.
type kernel uint8

const (
	kernelNull kernel = iota
	kernelCBC
	kernelCTR
	kernelAEAD   // GCM and ChaCha20-Poly1305: the ICV is the AEAD's tag
	kernelShort  // GCM with an ICV of 8 bytes, shorter than the library gives
	kernelGMAC   // everything is associated data
	saltLen      = 4
	counterIV    = 8  // bytes of IV of the counter modes
	aeadTag      = 16 // longest
	maxICV       = 32
	shortICV     = 8
	gcmNonceLen  = 12
	esnHighBytes = 4
)

// Shape is how much a transform adds to a packet, in bytes.
type Shape struct {
	IV    int // in front of the payload, after the ESP header
	ICV   int // at the end
	Align int // payload, padding, pad length and next header together are a multiple of this
}

// Transform seals or opens the packets of one association.
type Transform struct {
	// Generation tells associations apart that had the same number one after the other.
	Generation uint32

	kind  kernel
	esn   bool
	slow  int // cost, picoseconds a byte; 0 is not slow
	spi   uint32
	shape Shape
	salt  [saltLen]byte
	block cipher.Block
	aead  cipher.AEAD
	mac   *mac
	cbc   cbc
	aes   *aescbc.Key // of CBC and counter mode, where the CPU has what the kernels want
}

// Check tells what is wrong with algorithms, key lengths and ICV of f; nil if nothing.
func Check(f *fib.SA) error {
	if f.AH {
		if f.Cipher != fib.CipherNull || len(f.CipherKey) != 0 || f.Auth == fib.AuthNone {
			return fmt.Errorf("AH takes an integrity algorithm and no cipher")
		}
	} else if err := checkCipher(f); err != nil {
		return err
	}
	if int(f.Auth) >= len(macs) {
		return fmt.Errorf("integrity algorithm %d does not exist", f.Auth)
	}
	if want := macs[f.Auth].key; len(f.AuthKey) != want {
		return fmt.Errorf("integrity key of %d bytes: %s takes %d", len(f.AuthKey), macs[f.Auth].name, want)
	}
	return nil
}

func checkCipher(f *fib.SA) error {
	var combined bool
	var lengths []int
	switch f.Cipher {
	case fib.CipherNull:
		lengths = []int{0}
	case fib.CipherDES:
		lengths = []int{8}
	case fib.Cipher3DES:
		lengths = []int{24}
	case fib.CipherAESCBC:
		lengths = []int{16, 24, 32}
	case fib.CipherAESCTR:
		lengths = []int{20, 28, 36}
	case fib.CipherAESGCM, fib.CipherAESGMAC:
		combined, lengths = true, []int{20, 28, 36}
	case fib.CipherChaCha20Poly1305:
		combined, lengths = true, []int{36}
	default:
		return fmt.Errorf("cipher %d does not exist", f.Cipher)
	}
	fits := false
	for _, n := range lengths {
		fits = fits || n == len(f.CipherKey)
	}
	switch {
	case !fits:
		return fmt.Errorf("key of %d bytes for cipher %d: want one of %v", len(f.CipherKey), f.Cipher, lengths)
	case combined && f.Auth != fib.AuthNone:
		return fmt.Errorf("cipher %d authenticates by itself, and takes no integrity algorithm", f.Cipher)
	case f.Cipher == fib.CipherAESCTR && f.Auth == fib.AuthNone:
		return fmt.Errorf("AES-CTR needs an integrity algorithm (RFC 3686 section 7)")
	case f.ICV != 0 && !combined:
		return fmt.Errorf("an ICV of %d bytes: only combined ciphers have a choice", f.ICV)
	case f.ICV != 0 && f.ICV != 16 && (f.Cipher != fib.CipherAESGCM || f.ICV != 8 && f.ICV != 12):
		return fmt.Errorf("ICV of %d bytes: want 16, or 8 or 12 for AES-GCM", f.ICV)
	}
	return nil
}

// New makes the transform of f, which Check has found good. Keys are not kept but in what they become.
func New(f *fib.SA) (*Transform, error) {
	t, err := NewLibrary(f)
	if err == nil && aescbc.Kernel() != "" {
		switch f.Cipher {
		case fib.CipherAESCBC:
			err = t.expand(f.CipherKey)
		case fib.CipherAESCTR:
			err = t.expand(f.CipherKey[:len(f.CipherKey)-saltLen])
		}
	}
	return t, err
}

// expand makes what the kernels of CBC and counter mode work with.
func (t *Transform) expand(key []byte) error {
	t.aes = new(aescbc.Key)
	return t.aes.Expand(key)
}

// NewLibrary is New for a CPU without what our kernels want: all is done by the library.
func NewLibrary(f *fib.SA) (*Transform, error) {
	if err := Check(f); err != nil {
		return nil, err
	}
	t := &Transform{esn: f.ESN, spi: f.SPI, shape: Shape{Align: 4}}
	if f.Auth != fib.AuthNone {
		t.mac = newMAC(f.Auth, f.AuthKey)
		t.shape.ICV = macs[f.Auth].icv
	}
	if f.AH {
		return t, nil
	}
	var err error
	switch f.Cipher {
	case fib.CipherNull:
	case fib.CipherDES:
		t.block, err = des.NewCipher(f.CipherKey)
		t.setCBC(costDES)
	case fib.Cipher3DES:
		t.block, err = des.NewTripleDESCipher(f.CipherKey)
		t.setCBC(cost3DES)
	case fib.CipherAESCBC:
		t.block, err = aes.NewCipher(f.CipherKey)
		t.setCBC(0)
	case fib.CipherAESCTR:
		t.kind, t.shape.IV = kernelCTR, counterIV
		err = t.setGCM(f.CipherKey, aeadTag)
	case fib.CipherAESGCM:
		t.kind, t.shape.IV, t.shape.ICV = kernelAEAD, counterIV, aeadTag
		if f.ICV != 0 {
			t.shape.ICV = int(f.ICV)
		}
		tag := t.shape.ICV
		if tag == shortICV {
			t.kind, tag = kernelShort, aeadTag
		}
		err = t.setGCM(f.CipherKey, tag)
	case fib.CipherAESGMAC:
		t.kind, t.shape.IV, t.shape.ICV = kernelGMAC, counterIV, aeadTag
		err = t.setGCM(f.CipherKey, aeadTag)
	case fib.CipherChaCha20Poly1305:
		t.kind, t.shape.IV, t.shape.ICV = kernelAEAD, counterIV, aeadTag
		key := f.CipherKey[:len(f.CipherKey)-saltLen]
		copy(t.salt[:], f.CipherKey[len(key):])
		t.aead, err = chacha20poly1305.New(key)
	}
	if err != nil {
		return nil, fmt.Errorf("cipher %d: %w", f.Cipher, err)
	}
	return t, nil
}

// Costs of the ciphers that are slow in software, picoseconds a byte as measured; what they add up to decides how often such a packet gets its turn.
const (
	costDES  = 9_000
	cost3DES = 22_000
)

func (t *Transform) setCBC(cost int) {
	t.kind, t.slow = kernelCBC, cost
	if t.block != nil {
		t.shape.IV, t.shape.Align = t.block.BlockSize(), t.block.BlockSize()
		t.cbc.init(t.block)
	}
}

func (t *Transform) setGCM(keyAndSalt []byte, tag int) (err error) {
	key := keyAndSalt[:len(keyAndSalt)-saltLen]
	copy(t.salt[:], keyAndSalt[len(key):])
	if t.block, err = aes.NewCipher(key); err != nil {
		return err
	}
	t.aead, err = cipher.NewGCMWithTagSize(t.block, tag)
	return err
}

// Shape is how much the transform adds.
func (t *Transform) Shape() Shape { return t.shape }

// Authenticates tells whether a packet that was changed on its way, or that a stranger made, is found out.
func (t *Transform) Authenticates() bool { return t.shape.ICV != 0 }

// Slow tells whether the cipher takes so long that its packets wait for their turn.
func (t *Transform) Slow() bool { return t.slow != 0 }

// Cost is about how long n bytes take with a slow cipher, in nanoseconds; 0 with any other.
func (t *Transform) Cost(n int) int64 { return int64(t.slow) * int64(n) / 1000 }

// Sealed is how long the ESP packet is that n bytes of payload become.
func (t *Transform) Sealed(n int) int {
	return headerLen + t.shape.IV + t.Padded(n) + t.shape.ICV
}

// Padded is how long a payload of n bytes is with padding, pad length and next header.
func (t *Transform) Padded(n int) int {
	return (n + trailerLen + t.shape.Align - 1) &^ (t.shape.Align - 1)
}

// Front is how long ESP header and IV are.
func (t *Transform) Front() int { return headerLen + t.shape.IV }

// Tail is how many bytes behind the padded payload Seal writes to; not all of them are of the packet.
func (t *Transform) Tail() int {
	if t.kind == kernelCTR && t.aes == nil || t.kind == kernelShort {
		return max(t.shape.ICV, aeadTag)
	}
	return t.shape.ICV
}

// Clear overwrites what the transform keeps of its keys. Only when nobody uses it any more. The library's key schedules stay until their memory is used anew.
func (t *Transform) Clear() {
	if t.mac != nil {
		clear(t.mac.inner)
		clear(t.mac.outer)
	}
	clear(t.salt[:])
	if t.aes != nil {
		t.aes.Clear()
	}
	t.block, t.aead, t.aes = nil, nil, nil
	t.cbc = cbc{}
}
