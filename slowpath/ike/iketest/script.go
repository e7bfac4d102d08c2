package iketest

// Script is what a fuzz test was given, as decisions: zeros when it is used up.
type Script []byte

// Byte takes one.
func (s *Script) Byte() byte {
	if len(*s) == 0 {
		return 0
	}
	c := (*s)[0]
	*s = (*s)[1:]
	return c
}

// Bytes takes as many as the next byte says, and at the most so many.
func (s *Script) Bytes(most int) []byte {
	n := min(int(s.Byte()), len(*s), most)
	out := (*s)[:n:n]
	*s = (*s)[n:]
	return out
}
