package api

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// editor is a Config for tests: it notes what it was asked, and answers what it is told to.
type editor struct {
	who    *Caller
	edit   Edit
	act    ConfigAction
	text   ConfigText
	edited Edited
	done   ConfigDone
	err    error
}

func (e *editor) Edit(who *Caller, l Edit) (Edited, error) {
	e.who, e.edit = who, l
	return e.edited, e.err
}
func (e *editor) Act(who *Caller, a ConfigAction) (ConfigDone, error) {
	e.who, e.act = who, a
	return e.done, e.err
}
func (e *editor) Text(who *Caller, t ConfigText) (string, error) {
	e.who, e.text = who, t
	return "hostname x\n", e.err
}

func TestConfigSurvives(t *testing.T) {
	e := &editor{
		edited: Edited{Line: "ip mtu 5", Path: []string{"interface Tunnel0"}, Mode: "config-if", Findings: []string{"error: no"}, Refused: true, Column: 8, Partly: "UDP 500"},
		done:   ConfigDone{Findings: []string{"x"}, Refused: true, Changes: "Tunnel0", Partly: "p", Revision: 7, Until: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
	socket := filepath.Join(t.TempDir(), "nave.sock")
	s, err := Serve(socket, Services{Box: &box{}, Config: e})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := NewClient(socket)
	edit := Edit{Path: []string{"interface Tunnel0"}, Line: "ip mtu 5", Candidate: true}
	action := ConfigAction{What: ActRollback, File: "f.cfg", Minutes: 3, N: 9, Now: true, Force: true}
	text := ConfigText{What: TextRevision, N: 3, Section: "interface Tunnel0", JSON: true}
	for _, v := range []any{edit, action, text, e.edited, e.done} {
		if left := zeros(reflect.ValueOf(v), "sample"); len(left) > 0 {
			t.Errorf("%T leaves out %v", v, left)
		}
	}
	if got, err := c.Edit(edit); err != nil || !reflect.DeepEqual(got, e.edited) || !reflect.DeepEqual(e.edit, edit) || e.who.UID != uint32(0) && e.who.Name == "" {
		t.Errorf("%v %+v %+v", err, got, e.edit)
	}
	if got, err := c.Act(action); err != nil || !reflect.DeepEqual(got, e.done) || e.act != action {
		t.Errorf("%v %+v %+v", err, got, e.act)
	}
	if got, err := c.ConfigText(text); err != nil || got != "hostname x\n" || e.text != text {
		t.Errorf("%v %q %+v", err, got, e.text)
	}
	e.err = errors.New("it can't be")
	_, err1 := c.Edit(edit)
	_, err2 := c.Act(action)
	_, err3 := c.ConfigText(text)
	for _, err := range []error{err1, err2, err3} {
		if err == nil || err.Error() != "it can't be" {
			t.Errorf("%v", err)
		}
	}
	for _, path := range []string{"edit", "act", "text"} {
		if status, _ := raw(t, socket, "POST", "/v1/config/"+path, `{"unknown": 1}`); status != 400 {
			t.Errorf("%s: status %d", path, status)
		}
	}
}

func TestConfigIsNotThere(t *testing.T) {
	socket, _ := serve(t, &box{})
	if _, err := NewClient(socket).Edit(Edit{Line: "x"}); err == nil || !strings.Contains(err.Error(), "not to be had") {
		t.Errorf("%v", err)
	}
	if _, err := NewClient(socket).ConfigText(ConfigText{What: TextRunning}); err == nil || !strings.Contains(err.Error(), "not to be had") {
		t.Errorf("%v", err)
	}
}

func TestConfigActionString(t *testing.T) {
	for want, a := range map[string]ConfigAction{
		"configure candidate":                {What: ActBegin},
		"commit":                             {What: ActCommit},
		"commit confirmed 5":                 {What: ActCommit, Minutes: 5},
		"configure confirm":                  {What: ActConfirm},
		"configure abandon":                  {What: ActAbandon},
		"rollback 7":                         {What: ActRollback, N: 7},
		"rollback 7 now confirmed 3":         {What: ActRollback, N: 7, Now: true, Minutes: 3},
		"write memory":                       {What: ActWrite},
		"write memory force":                 {What: ActWrite, Force: true},
		"copy running-config f.cfg":          {What: ActCopy, File: "f.cfg"},
		"copy running-config f.cfg force":    {What: ActCopy, File: "f.cfg", Force: true},
		"reload":                             {What: ActReload},
		"reload config f.cfg":                {What: ActReload, File: "f.cfg"},
		"copy startup-config running-config": {What: ActMerge},
		"copy f.cfg running-config":          {What: ActMerge, File: "f.cfg"},
	} {
		if got := a.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
