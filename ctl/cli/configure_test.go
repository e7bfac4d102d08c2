package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/show"
)

// fakeEditor notes what it is asked.
type fakeEditor struct {
	acts  []api.ConfigAction
	texts []api.ConfigText
	done  api.ConfigDone
	err   error
}

func (e *fakeEditor) Edit(api.Edit) (api.Edited, error) { return api.Edited{}, e.err }
func (e *fakeEditor) Act(a api.ConfigAction) (api.ConfigDone, error) {
	e.acts = append(e.acts, a)
	return e.done, e.err
}
func (e *fakeEditor) ConfigText(t api.ConfigText) (string, error) {
	e.texts = append(e.texts, t)
	return "text of " + t.What + "\n", e.err
}

func runEditor(e *fakeEditor, line string, asJSON bool) (string, error) {
	var out bytes.Buffer
	s := &Session{Daemon: &daemon{}, Out: &out, JSON: asJSON}
	if e != nil {
		s.Editor = e
	}
	err := s.Run(line)
	return out.String(), err
}

func TestConfigCommands(t *testing.T) {
	done := api.ConfigDone{Revision: 7, Changes: "Tunnel0"}
	for _, tc := range []struct {
		line string
		want api.ConfigAction
		text string
	}{
		{"write", api.ConfigAction{What: api.ActWrite}, "[OK]\n"},
		{"wr mem", api.ConfigAction{What: api.ActWrite}, "[OK]\n"},
		{"write memory force", api.ConfigAction{What: api.ActWrite, Force: true}, "[OK]\n"},
		{"copy run start", api.ConfigAction{What: api.ActWrite}, "[OK]\n"},
		{"copy running-config new.cfg", api.ConfigAction{What: api.ActCopy, File: "new.cfg"}, "[OK]\n"},
		{"copy start run", api.ConfigAction{What: api.ActMerge}, "Revision 7 runs. Changes: Tunnel0.\n"},
		{"copy /etc/nave/x.cfg running-config", api.ConfigAction{What: api.ActMerge, File: "/etc/nave/x.cfg"}, "Revision 7 runs. Changes: Tunnel0.\n"},
		{"reload config x.cfg", api.ConfigAction{What: api.ActReload, File: "x.cfg"}, "Revision 7 runs. Changes: Tunnel0.\n"},
		{"conf replace x.cfg", api.ConfigAction{What: api.ActReload, File: "x.cfg"}, "Revision 7 runs. Changes: Tunnel0.\n"},
		{"configure confirm", api.ConfigAction{What: api.ActConfirm}, "Revision 7 stays.\n"},
		{"configure abandon", api.ConfigAction{What: api.ActAbandon}, ""},
		{"commit", api.ConfigAction{What: api.ActCommit}, "Revision 7 runs. Changes: Tunnel0.\n"},
		{"commit confirmed 5", api.ConfigAction{What: api.ActCommit, Minutes: 5}, "Revision 7 runs. Changes: Tunnel0.\n"},
		{"rollback 3", api.ConfigAction{What: api.ActRollback, N: 3}, show.Taken(3)},
		{"rollback 0", api.ConfigAction{What: api.ActRollback}, show.Taken(0)},
		{"rollback 3 now", api.ConfigAction{What: api.ActRollback, N: 3, Now: true}, "Revision 7 runs. Changes: Tunnel0.\n"},
		{"rollback 3 now confirmed 9", api.ConfigAction{What: api.ActRollback, N: 3, Now: true, Minutes: 9}, "Revision 7 runs. Changes: Tunnel0.\n"},
	} {
		e := &fakeEditor{done: done}
		out, err := runEditor(e, tc.line, false)
		if err != nil || len(e.acts) != 1 || e.acts[0] != tc.want || out != tc.text {
			t.Errorf("%s: %v, %+v, %q", tc.line, err, e.acts, out)
		}
		if out, err := runEditor(&fakeEditor{done: done}, tc.line, true); err != nil || !json.Valid([]byte(out)) || !strings.Contains(out, `"revision": 7`) {
			t.Errorf("%s: %v, %q", tc.line, err, out)
		}
		if _, err := runEditor(nil, tc.line, false); err == nil {
			t.Errorf("%s: without an editor", tc.line)
		}
		if _, err := runEditor(&fakeEditor{err: errors.New("no")}, tc.line, false); err == nil {
			t.Errorf("%s: no error", tc.line)
		}
	}
	for _, bad := range []string{"commit confirmed 0", "commit confirmed 1441", "rollback", "rollback x", "rollback 0 now", "copy running-config", "configure replace"} {
		e := &fakeEditor{}
		if _, err := runEditor(e, bad, false); err == nil || len(e.acts) > 0 {
			t.Errorf("%s: %v, %v", bad, err, e.acts)
		}
	}
}

func TestConfigCommandsSay(t *testing.T) {
	until := time.Date(2026, 1, 2, 12, 30, 0, 0, time.Local)
	out, err := runEditor(&fakeEditor{done: api.ConfigDone{Revision: 2, Changes: "x", Until: until, Findings: []string{"warning: w"}}}, "commit confirmed 5", false)
	if err != nil || out != "warning: w\nRevision 2 runs. Changes: x.\nIt is undone at 12:30:00 unless it is confirmed (configure confirm).\n" {
		t.Errorf("%v %q", err, out)
	}
	out, err = runEditor(&fakeEditor{done: api.ConfigDone{Refused: true, Findings: []string{"error: e"}}}, "reload config x.cfg", false)
	if !errors.Is(err, ErrRefused) || out != "error: e\n" {
		t.Errorf("%v %q", err, out)
	}
	out, err = runEditor(&fakeEditor{done: api.ConfigDone{Revision: 2, Changes: "x", Partly: "UDP 500 is taken"}}, "commit", false)
	if err == nil || err.Error() != "UDP 500 is taken" || !strings.Contains(out, "Revision 2 runs") {
		t.Errorf("%v %q", err, out)
	}
}

func TestShowConfiguration(t *testing.T) {
	for line, want := range map[string]api.ConfigText{
		"show run interface tu0":               {What: api.TextRunning, Section: "interface Tunnel0"},
		"show running-config section router b": {What: api.TextRunning, Section: "router b"},
		"show start":                           {What: api.TextStartup},
		"show configuration candidate":         {What: api.TextCandidate},
		"show conf diff":                       {What: api.TextDiff},
		"show configuration diff startup":      {What: api.TextDiffStartup},
		"show configuration diff revision 4":   {What: api.TextDiff, N: 4},
		"show configuration revision 4":        {What: api.TextRevision, N: 4},
		"show configuration revisions":         {What: api.TextRevisions},
	} {
		e := &fakeEditor{}
		out, err := runEditor(e, line, false)
		if err != nil || len(e.texts) != 1 || e.texts[0] != want || out != "text of "+want.What+"\n" {
			t.Errorf("%s: %v, %+v, %q", line, err, e.texts, out)
		}
		if want.What != api.TextRevisions { // that is JSON as it comes
			var v map[string]string
			out, err := runEditor(&fakeEditor{}, line, true)
			name := "configuration"
			if strings.HasPrefix(want.What, "diff") {
				name = "diff"
			}
			if err != nil || json.Unmarshal([]byte(out), &v) != nil || v[name] == "" {
				t.Errorf("%s: %v, %q", line, err, out)
			}
		}
		if _, err := runEditor(nil, line, false); err == nil {
			t.Errorf("%s: without an editor", line)
		}
	}
	if out, err := runEditor(&fakeEditor{}, "write terminal", false); err != nil || !strings.Contains(out, "hostname box") {
		t.Errorf("%v %q", err, out)
	}
}
