package iketest

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
)

// repeatable is a stream of bytes that depends on its seed alone.
type repeatable struct{ r *rand.ChaCha8 }

func (c repeatable) Read(b []byte) (int, error) { return c.r.Read(b) }

// Random is randomness that a test can repeat.
func Random(seed uint64) io.Reader {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	return repeatable{rand.NewChaCha8(s)}
}
