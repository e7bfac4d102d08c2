package api

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

type enabler struct{ asked []string }

func (e *enabler) Greet(who *Caller) Greeting {
	return Greeting{Hostname: "box", User: who.Name, Change: who.Change, Password: true}
}

func (e *enabler) Enable(_ *Caller, password string) error {
	if e.asked = append(e.asked, password); password != "wheel" {
		return errors.New(BadSecret)
	}
	return nil
}

// Who asks is greeted; the password goes over as it is, and is in no log.
func TestEnable(t *testing.T) {
	e := &enabler{}
	var audited []string
	socket := filepath.Join(t.TempDir(), "nave.sock")
	s, err := Serve(socket, Services{Box: &box{}, Enable: e, Audit: func(_ *Caller, what string, err error) {
		audited = append(audited, what)
		if err != nil {
			audited = append(audited, err.Error())
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := NewClient(socket)
	if g, err := c.Greet(); err != nil || g.Hostname != "box" || g.User == "" || !g.Password {
		t.Errorf("%+v, %v", g, err)
	}
	if err := c.Enable("sp\"ok€"); err == nil || err.Error() != BadSecret {
		t.Errorf("another password: %v", err)
	}
	if err := c.Enable("wheel"); err != nil {
		t.Errorf("the password: %v", err)
	}
	if !reflect.DeepEqual(e.asked, []string{"sp\"ok€", "wheel"}) {
		t.Errorf("came as %q", e.asked)
	}
	if got := strings.Join(audited, ", "); got != "enable, bad secret, enable" {
		t.Errorf("the log says %q", got)
	}
}

func TestNoEnabler(t *testing.T) {
	socket, s := serve(t, &box{})
	defer s.Close()
	if _, err := NewClient(socket).Greet(); err == nil {
		t.Error("nobody greets, and a greeting comes")
	}
	if err := NewClient(socket).Enable(""); err == nil {
		t.Error("nobody enables, and it is done")
	}
}
