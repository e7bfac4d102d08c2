package shell

import (
	"bytes"
	"io"
)

// What keys mean here.
const (
	keyInterrupt = 0x03 // ^C
	keyQuote     = 0x16 // ^V: the next key is a character
	keyEndOfAll  = 0x1a // ^Z
	keyRedraw    = 0x12 // ^R
	keyErase     = 0x18 // ^X: to the beginning of the line
	// marked stands for ^C on its way through the line editor, which would end at it.
	marked = 0x1c
)

// Sequences that terminals send.
var (
	pasteBegin = []byte("\x1b[200~")
	pasteEnd   = []byte("\x1b[201~")
)

// keys is the way of bytes from the terminal into the line editor, one line at a time, so that what is typed ahead is not in the editor's hands while a command runs or a
// page waits for a key. ^C and ^Z become keys that end the line.
type keys struct {
	in      io.Reader
	ahead   []byte // read and not handed on yet
	out     []byte // translated, and not handed on yet
	pasting bool
	cr      bool // the last byte was a carriage return: a line feed behind it is the same key
	err     error
}

// more reads what there is.
func (k *keys) more() error {
	if k.err != nil {
		return k.err
	}
	var b [4096]byte
	n, err := k.in.Read(b[:])
	k.ahead = append(k.ahead, b[:n]...)
	if err != nil {
		k.err = err
	}
	if n == 0 {
		return k.err
	}
	return nil
}

// Read implements io.Reader for the line editor.
func (k *keys) Read(b []byte) (int, error) {
	for len(k.out) == 0 {
		if len(k.ahead) == 0 {
			if err := k.more(); err != nil {
				return 0, err
			}
		}
		k.translate()
	}
	n := copy(b, k.out)
	k.out = k.out[n:]
	return n, nil
}

// translate moves bytes from ahead to out, up to the end of a line.
func (k *keys) translate() {
	for len(k.ahead) > 0 {
		c := k.ahead[0]
		if c == 0x1b {
			k.escape()
			continue
		}
		k.ahead = k.ahead[1:]
		if cr := k.cr; c == '\n' && cr {
			k.cr = false
			continue
		}
		k.cr = c == '\r'
		switch {
		case c == '\r' || c == '\n':
			k.out = append(k.out, '\r')
			return
		case k.pasting:
			k.out = append(k.out, c)
		case c == keyInterrupt:
			k.out = append(k.out, marked, '\r')
			return
		case c == keyEndOfAll:
			k.out = append(k.out, c, '\r')
			return
		case c == keyErase:
			k.out = append(k.out, 0x15)
		case c == 0: // padding of old terminals
		default:
			k.out = append(k.out, c)
		}
	}
}

// escape hands on what begins with an escape, and keeps account of pastes.
func (k *keys) escape() {
	mark := pasteBegin
	if k.pasting {
		mark = pasteEnd
	}
	switch {
	case bytes.HasPrefix(k.ahead, mark):
		k.pasting = !k.pasting
		k.out = append(k.out, mark...)
		k.ahead = k.ahead[len(mark):]
		return
	case bytes.HasPrefix(mark, k.ahead): // an escape alone means nothing: what belongs to it is on its way
		if k.more() == nil {
			k.escape()
			return
		}
	case len(k.ahead) > 1 && !k.pasting:
		for from, to := range map[byte]string{'b': "\x1b[1;3D", 'f': "\x1b[1;3C", 'B': "\x1b[1;3D", 'F': "\x1b[1;3C"} {
			if k.ahead[1] == from {
				k.out = append(k.out, to...)
				k.ahead = k.ahead[2:]
				return
			}
		}
	}
	k.out = append(k.out, 0x1b)
	k.ahead = k.ahead[1:]
}

// key reads one key.
func (k *keys) key() (byte, error) {
	for len(k.ahead) == 0 {
		if err := k.more(); err != nil {
			return 0, err
		}
	}
	c := k.ahead[0]
	k.ahead = k.ahead[1:]
	if c == '\n' && k.cr {
		k.cr = false
		return k.key()
	}
	k.cr = c == '\r'
	return c, nil
}
