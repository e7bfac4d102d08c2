//go:build !amd64

package aescbc

// Encrypt encrypts each packet's whole blocks in CBC.
func Encrypt(ps []Packet) {
	for i := range ps {
		ps[i].encrypt()
	}
}

// Decrypt decrypts each packet's whole blocks in CBC.
func Decrypt(ps []Packet) {
	for i := range ps {
		ps[i].decrypt()
	}
}

// CTR encrypts or decrypts each packet in counter mode, any number of bytes.
func CTR(ps []Packet) {
	for i := range ps {
		ps[i].ctr()
	}
}
