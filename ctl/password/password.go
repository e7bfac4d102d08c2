// Package password verifies the password of privileged exec in the forms that configurations have it in, and makes the form that nave writes.
//
// A form is a type number and a text: 0, the password itself; 5, MD5-crypt ($1$salt$hash); 8, PBKDF2 with HMAC-SHA-256 and 20 000 rounds ($8$salt$hash); 9, scrypt with
// N=16384, r=1, p=1 ($9$salt$hash). Types 8 and 9 write 32 bytes of hash in an alphabet of their own and take the salt as the characters that it is written in.
package password

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// The types.
const (
	Plain  = 0
	MD5    = 5
	PBKDF2 = 8
	Scrypt = 9
)

// Sizes and costs of types 8 and 9.
const (
	hashBytes    = 32
	saltChars    = 14
	pbkdf2Rounds = 20000
	scryptN      = 1 << 14
)

// MaxLength is the longest password that is looked at, in bytes: what is longer costs time and matches nothing.
const MaxLength = 256

const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

var encoding = base64.NewEncoding(alphabet).WithPadding(base64.NoPadding)

// ErrForm is wrapped by the error of a text that is not of its type.
var ErrForm = errors.New("not a password of this type")

// Hash makes type 9 of a password, with a salt of its own.
func Hash(plain string) (string, error) {
	if plain == "" || len(plain) > MaxLength {
		return "", fmt.Errorf("a password has 1 to %d bytes", MaxLength)
	}
	raw := make([]byte, saltChars)
	_, _ = rand.Read(raw) // never fails
	for i, b := range raw {
		raw[i] = alphabet[b%64]
	}
	key, err := scrypt.Key([]byte(plain), raw, scryptN, 1, 1, hashBytes)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return "$9$" + string(raw) + "$" + encoding.EncodeToString(key), nil
}

// Check tells whether text is of the type. Its error never has the text in it.
func Check(kind int, text string) error {
	if kind == Plain {
		if text == "" || len(text) > MaxLength {
			return fmt.Errorf("%w: a password has 1 to %d bytes", ErrForm, MaxLength)
		}
		return nil
	}
	_, hash, err := split(kind, text)
	if err != nil {
		return err
	}
	if kind == MD5 {
		if len(hash) != md5Chars || strings.Trim(hash, alphabet) != "" {
			return fmt.Errorf("%w: the hash of type 5 has %d characters of ./0-9A-Za-z", ErrForm, md5Chars)
		}
		return nil
	}
	if b, err := encoding.DecodeString(hash); err != nil || len(b) != hashBytes {
		return fmt.Errorf("%w: the hash of type %d has 43 characters of ./0-9A-Za-z", ErrForm, kind)
	}
	return nil
}

// split takes a hashed form apart.
func split(kind int, text string) (salt, hash string, err error) {
	mark, ok := map[int]string{MD5: "$1$", PBKDF2: "$8$", Scrypt: "$9$"}[kind]
	if !ok {
		return "", "", fmt.Errorf("%w: there are types 0, 5, 8 and 9", ErrForm)
	}
	rest, ok := strings.CutPrefix(text, mark)
	salt, hash, more := strings.Cut(rest, "$")
	if !ok || !more || salt == "" || len(salt) > 64 {
		return "", "", fmt.Errorf("%w: type %d is written %ssalt$hash", ErrForm, kind, mark)
	}
	return salt, hash, nil
}

// Verify tells whether plain is the password that text, of the type, was made of. How long it takes says nothing of how much of it was right.
func Verify(kind int, text, plain string) (bool, error) {
	if err := Check(kind, text); err != nil {
		return false, err
	}
	if len(plain) > MaxLength {
		return false, nil
	}
	if kind == Plain {
		a, b := sha256.Sum256([]byte(text)), sha256.Sum256([]byte(plain)) // so that the length does not show
		return subtle.ConstantTimeCompare(a[:], b[:]) == 1, nil
	}
	salt, hash, err := split(kind, text)
	if err != nil {
		return false, err
	}
	var got string
	switch kind {
	case MD5:
		got = md5Crypt(plain, salt)
	case PBKDF2:
		key, err := pbkdf2.Key(sha256.New, plain, []byte(salt), pbkdf2Rounds, hashBytes)
		if err != nil {
			return false, fmt.Errorf("verify a password: %w", err)
		}
		got = encoding.EncodeToString(key)
	case Scrypt:
		key, err := scrypt.Key([]byte(plain), []byte(salt), scryptN, 1, 1, hashBytes)
		if err != nil {
			return false, fmt.Errorf("verify a password: %w", err)
		}
		got = encoding.EncodeToString(key)
	}
	return subtle.ConstantTimeCompare([]byte(got), []byte(hash)) == 1, nil
}
