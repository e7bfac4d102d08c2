package daemon

import (
	"errors"
	"strings"
	"testing"
	"time"

	"nave/ctl/password"
)

func TestEnableVerify(t *testing.T) {
	hash, err := password.Hash("wheel")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	var e enabler
	for range 10 {
		if err := e.verify(now, 1, password.Scrypt, hash, ""); !errors.Is(err, errBadSecret) {
			t.Fatalf("no password: %v", err)
		}
	}
	if err := e.verify(now, 1, password.Scrypt, hash, "wheel"); err != nil {
		t.Errorf("the password: %v", err)
	}
	for range 3 {
		if err := e.verify(now, 1, password.Scrypt, hash, "spoke"); !errors.Is(err, errBadSecret) {
			t.Errorf("another: %v", err)
		}
	}
	var many password.TooMany
	if err := e.verify(now, 1, password.Scrypt, hash, "wheel"); !errors.As(err, &many) {
		t.Errorf("after three that were wrong: %v", err)
	}
	if err := e.verify(now, 2, password.Scrypt, hash, "wheel"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	if err := e.verify(now.Add(many.Wait), 1, password.Scrypt, hash, "wheel"); err != nil {
		t.Errorf("after the pause: %v", err)
	}
	if err := e.verify(now, 3, password.MD5, "garbage", "wheel"); err == nil || strings.Contains(err.Error(), "garbage") {
		t.Errorf("a hash that is none: %v", err)
	}
}
