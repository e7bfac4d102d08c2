package password

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Hashes that other programs made of known passwords.
func TestVerify(t *testing.T) {
	for _, c := range []struct {
		kind  int
		text  string
		plain string
	}{
		{Plain, "cisco", "cisco"},
		{MD5, "$1$28772684$iEwNOgGugqO9.bIz5sk8k/", "hashcat"},
		{MD5, "$1$mERr$hx5rVt7rPNoS4wqbXKX7m0", "cisco"},
		{PBKDF2, "$8$TnGX/fE4KGHOVU$pEhnEvxrvaynpi8j4f.EMHr6M.FzU8xnZnBr/tJdFWk", "hashcat"},
		{PBKDF2, "$8$dsYGNam3K1SIJO$7nv/35M/qr6t.dVc7UY9zrJDWRVqncHub1PE9UlMQFs", "cisco"},
		{Scrypt, "$9$2MJBozw/9R3UsU$2lFhcKvpghcyw8deP25GOfyZaagyUOGBymkryvOdfo6", "hashcat"},
		{Scrypt, "$9$nhEmQVczB7dqsO$X.HsgL6x1il0RxkOSSvyQYwucySCt7qFm4v7pqCxkKM", "cisco"},
	} {
		if ok, err := Verify(c.kind, c.text, c.plain); err != nil || !ok {
			t.Errorf("type %d, %s: %v, %v", c.kind, c.text, ok, err)
		}
		wrongs := []string{"", c.plain + "x"}
		if c.kind != Scrypt { // which takes its time
			wrongs = append(wrongs, strings.ToUpper(c.plain), c.plain[1:], strings.Repeat("a", 100), strings.Repeat("a", MaxLength+1))
		}
		for _, wrong := range wrongs {
			if ok, err := Verify(c.kind, c.text, wrong); err != nil || ok {
				t.Errorf("type %d takes %q: %v, %v", c.kind, wrong, ok, err)
			}
		}
	}
}

func TestHash(t *testing.T) {
	for _, plain := range []string{"x", "two words", strings.Repeat("y", MaxLength)} {
		a, err := Hash(plain)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := Hash(plain)
		if a == b {
			t.Error("no salt")
		}
		if ok, err := Verify(Scrypt, a, plain); err != nil || !ok {
			t.Errorf("%q: %v, %v", plain, ok, err)
		}
	}
	for _, plain := range []string{"", strings.Repeat("y", MaxLength+1)} {
		if _, err := Hash(plain); err == nil {
			t.Errorf("%d bytes are hashed", len(plain))
		}
	}
}

// What is cut off anywhere, or of another type, is an error that does not give the text away.
func TestForm(t *testing.T) {
	good := map[int]string{MD5: "$1$28772684$iEwNOgGugqO9.bIz5sk8k/", PBKDF2: "$8$TnGX/fE4KGHOVU$pEhnEvxrvaynpi8j4f.EMHr6M.FzU8xnZnBr/tJdFWk",
		Scrypt: "$9$2MJBozw/9R3UsU$2lFhcKvpghcyw8deP25GOfyZaagyUOGBymkryvOdfo6"}
	for kind, text := range good {
		for n := range len(text) {
			if err := Check(kind, text[:n]); !errors.Is(err, ErrForm) || strings.Contains(err.Error(), "28772684") {
				t.Errorf("%q: %v", text[:n], err)
			}
			if ok, err := Verify(kind, text[:n], "hashcat"); ok || err == nil {
				t.Errorf("%q: %v, %v", text[:n], ok, err)
			}
		}
		for other := range good {
			if err := Check(other, text); (err == nil) != (other == kind) {
				t.Errorf("type %d as %d: %v", kind, other, err)
			}
		}
	}
	for kind, text := range map[int]string{Plain: "", 7: "0822", 4: "x"} {
		if err := Check(kind, text); !errors.Is(err, ErrForm) {
			t.Errorf("type %d: %v", kind, err)
		}
	}
}

func TestAttempts(t *testing.T) {
	var a Attempts
	now := time.Unix(1000, 0)
	for i := range freeAttempts {
		if err := a.May(now, 1); err != nil {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	var many TooMany
	if err := a.May(now, 1); !errors.As(err, &many) || many.Wait != firstPause {
		t.Errorf("a fourth: %v", err)
	}
	if err := a.May(now, 2); err != nil {
		t.Errorf("another user: %v", err)
	}
	pause := firstPause
	for range 8 { // the pause doubles, and ends somewhere
		now = now.Add(pause)
		if err := a.May(now, 1); err != nil {
			t.Fatalf("after %v: %v", pause, err)
		}
		pause = min(2*pause, longestPause)
		if err := a.May(now, 1); !errors.As(err, &many) || many.Wait != pause {
			t.Errorf("want a pause of %v: %v", pause, err)
		}
	}
	if a.Right(1); a.May(now, 1) != nil {
		t.Error("a right password is not the end of it")
	}
	now = now.Add(forgetAfter + time.Second)
	if a.May(now, 3) != nil || len(a.users) != 1 {
		t.Errorf("%d users are remembered", len(a.users))
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(5, "$1$28772684$iEwNOgGugqO9.bIz5sk8k/", "hashcat")
	f.Add(9, "$9$$", "")
	f.Fuzz(func(t *testing.T, kind int, text, plain string) {
		if err := Check(kind, text); err != nil {
			if ok, _ := Verify(kind, text, plain); ok {
				t.Error("taken, though it is not of the type")
			}
			return
		}
		if kind == MD5 {
			md5Crypt(plain, text)
		}
	})
}
