package sa

import (
	"encoding/binary"

	"nave/fastpath/internal/aesgcm"
)

// BurstSize is how many packets a Burst holds.
const BurstSize = 64

// KernelGCM is the kernel of AES-GCM: what it makes of a key can lie in memory that processes share.
const KernelGCM = 1

// KernelFront is how long ESP header and IV are with KernelGCM, and KernelAlign what its payload is padded to, in bytes.
const (
	KernelFront = headerLen + counterIV
	KernelAlign = 4
)

// Burst is ESP packets that a kernel seals or opens together, which is faster than one after the other: while one waits for the result of an
// instruction, the others go on. The packets may be of different associations.
type Burst struct {
	n    int
	jobs [BurstSize]aesgcm.Packet
}

// HasKernel tells whether this CPU has what KernelGCM is made of.
func HasKernel() bool { return aesgcm.Kernel() != "" }

// Expand makes of a key of AES-GCM, with its salt, what KernelGCM works with. The caller overwrites it when it has a copy elsewhere.
func Expand(keyAndSalt []byte) (expanded []byte, salt uint32, err error) {
	n := len(keyAndSalt) - saltLen
	k := new(aesgcm.Key)
	if err := k.Expand(keyAndSalt[:n]); err != nil {
		return nil, 0, err
	}
	return k.Bytes()[:], binary.NativeEndian.Uint32(keyAndSalt[n:]), nil
}

// Add takes an ESP packet whose header and IV are written, or came in: n bytes of payload behind KernelFront bytes, and room for or an ICV of icv
// bytes behind them. key is from the tables, seq the whole sequence number and esn whether all of it is authenticated.
// The caller has seen to it that there is room.
func (b *Burst) Add(key *[aesgcm.Size]byte, salt uint32, esn bool, esp []byte, n int, icv uint8, seq uint64) {
	j := &b.jobs[b.n]
	b.n++
	j.Key, j.ICV = aesgcm.At(key), icv
	j.Hold(esp[KernelFront:], n)
	binary.NativeEndian.PutUint32(j.Nonce[:], salt)
	*(*[8]byte)(j.Nonce[saltLen:]) = *(*[8]byte)(esp[headerLen:])
	// SPI and sequence number, with its upper half if that is authenticated (RFC 4106 section 5).
	*(*[8]byte)(j.AAD[:]) = *(*[8]byte)(esp)
	j.AADLen = headerLen
	if esn {
		binary.BigEndian.PutUint64(j.AAD[4:], seq)
		j.AADLen = headerLen + esnHighBytes
	}
}

// Seal seals the packets, and the burst is empty again.
func (b *Burst) Seal() {
	aesgcm.Seal(b.jobs[:b.n])
	b.n = 0
}

// Open opens the packets in place. OK tells of each which was authentic, until the next one is added.
func (b *Burst) Open() {
	aesgcm.Open(b.jobs[:b.n])
	b.n = 0
}

// OK tells whether packet i, in the order in which they were added, was authentic. If not, its bytes are worthless.
func (b *Burst) OK(i int) bool { return b.jobs[i].OK }

// PutHeader writes ESP header and IV of a packet that is sealed by KernelGCM. seq is used for nothing else.
func PutHeader(esp []byte, spi uint32, seq uint64) {
	_ = esp[KernelFront-1]
	binary.BigEndian.PutUint64(esp, uint64(spi)<<32|seq&(1<<32-1)) // at once: it is read at once, too, before the CPU could put two halves together
	binary.BigEndian.PutUint64(esp[8:], seq)
}
