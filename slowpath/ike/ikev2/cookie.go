package ikev2

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
)

// cookies shows, without keeping anything, that an initiator is where it says (RFC 7296 section 2.6).
type cookies struct {
	secret, before [32]byte
	since          time.Time
}

// cookieLife is how long a secret is used; its cookies are taken for as long again.
const cookieLife = time.Minute

func (c *cookies) init(env *ike.Env) {
	env.Random(c.secret[:])
	env.Random(c.before[:])
}

// turn changes the secret when it is old.
func (c *cookies) turn(env *ike.Env, now time.Time) {
	if now.Sub(c.since) >= cookieLife {
		c.since, c.before = now, c.secret
		env.Random(c.secret[:])
	}
}

// cookie makes the cookie of an initiator.
func cookie(secret []byte, path ike.Path, spi ikemsg.SPI, nonce []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(nonce)
	a, _ := path.Remote.MarshalBinary() // never fails
	h.Write(a)
	h.Write(spi[:])
	return h.Sum(nil)
}

// good tells whether a cookie is one that we gave.
func (c *cookies) good(got []byte, path ike.Path, spi ikemsg.SPI, nonce []byte) bool {
	now := subtle.ConstantTimeCompare(got, cookie(c.secret[:], path, spi, nonce))
	before := subtle.ConstantTimeCompare(got, cookie(c.before[:], path, spi, nonce))
	return now|before == 1
}

// cookiesFrom is how many half-open SAs make cookies necessary.
func (e *Engine) cookiesFrom() int {
	if e.cfg.V2.Cookies > 0 {
		return e.cfg.V2.Cookies
	}
	return ike.DefaultCookies
}
