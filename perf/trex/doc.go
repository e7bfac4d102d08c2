// Package trex has no Go to call: it is Python for TRex, a traffic generator on NICs. nave_mix.py reads the mixes of package mix and makes the same frames,
// nave.py is a stateless profile of them, ndr.py the search of package ndr by TRex's API. Its tests check what can be checked without TRex: that the frames are
// the same byte by byte, that the search finds what it should, and that all of it compiles.
package trex
