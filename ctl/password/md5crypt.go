package password

import "crypto/md5" //nolint:gosec // type 5 is what it is: configurations have it

const (
	md5Chars  = 22   // of a hash
	md5Rounds = 1000 // of mixing
	md5Salt   = 8    // most characters of the salt that count
)

// md5Crypt is the hash of MD5-crypt, without salt and mark.
func md5Crypt(plain, salt string) string {
	if len(salt) > md5Salt {
		salt = salt[:md5Salt]
	}
	pw := []byte(plain)
	inner := md5.Sum([]byte(plain + salt + plain))
	first := append([]byte(plain+"$1$"), salt...)
	for n := len(pw); n > 0; n -= md5.Size {
		first = append(first, inner[:min(n, md5.Size)]...)
	}
	for n := len(pw); n > 0; n >>= 1 { // a byte for each bit of the length: what the algorithm's first program did
		if n&1 == 1 {
			first = append(first, 0)
		} else {
			first = append(first, pw[0])
		}
	}
	sum := md5.Sum(first)
	for round := range md5Rounds {
		var mix []byte
		if round&1 == 1 {
			mix = append(mix, pw...)
		} else {
			mix = append(mix, sum[:]...)
		}
		if round%3 != 0 {
			mix = append(mix, salt...)
		}
		if round%7 != 0 {
			mix = append(mix, pw...)
		}
		if round&1 == 1 {
			mix = append(mix, sum[:]...)
		} else {
			mix = append(mix, pw...)
		}
		sum = md5.Sum(mix)
	}
	out := make([]byte, 0, md5Chars)
	put := func(v uint, n int) {
		for range n {
			out = append(out, alphabet[v&63])
			v >>= 6
		}
	}
	for i := range 5 {
		last := i + 12
		if i == 4 {
			last = 5
		}
		put(uint(sum[i])<<16|uint(sum[i+6])<<8|uint(sum[last]), 4)
	}
	put(uint(sum[11]), 2)
	return string(out)
}
