package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Config edits the configuration. It tells Audit itself of what was changed: what may be logged of a line, the parser knows.
type Config interface {
	// Edit reads one line of configuration. With an error among the findings nothing changes.
	Edit(who *Caller, e Edit) (Edited, error)
	// Act does something to the whole configuration.
	Act(who *Caller, a ConfigAction) (ConfigDone, error)
	// Text is a configuration, or what differs between two, with keys masked.
	Text(who *Caller, what ConfigText) (string, error)
}

// Edit is a line of configuration, and where it stands.
type Edit struct {
	Path      []string `json:"path,omitempty"` // the lines that lead to the mode, outermost first; none: the top
	Line      string   `json:"line"`
	Candidate bool     `json:"candidate,omitempty"` // of the caller's candidate; otherwise it is applied at once
}

// Edited is what became of a line.
type Edited struct {
	// Line is the line as it was understood, in full, with keys masked: what may be logged.
	Line     string   `json:"line,omitempty"`
	Path     []string `json:"path,omitempty"` // where the next line stands
	Mode     string   `json:"mode"`           // as the prompt says it: config, config-if
	Findings []string `json:"findings,omitempty"`
	Refused  bool     `json:"refused,omitempty"` // there are errors among the findings: nothing has changed
	Column   int      `json:"column,omitempty"`  // of the first error, in Line, from 1
	Partly   string   `json:"partly,omitempty"`  // what the box refused of what runs now
}

// What ConfigAction does.
const (
	ActBegin    = "begin"    // make or take up the caller's candidate
	ActCommit   = "commit"   // run by the candidate; with Minutes it is undone then, if ActConfirm does not come
	ActConfirm  = "confirm"  // let what was committed for some minutes stay
	ActAbandon  = "abandon"  // forget the candidate
	ActRollback = "rollback" // put revision N into the candidate of the caller (0: what runs), or run by it at once with Now
	ActWrite    = "write"    // running configuration to the file that naved starts with
	ActCopy     = "copy"     // running configuration to File
	ActReload   = "reload"   // run by File, or by the file that naved starts with: the difference is applied
	ActMerge    = "merge"    // add the lines of File, or of the file that naved starts with, to what runs, as though they were typed
)

// ConfigAction is something done to the whole configuration. File is a name in the folder of the file that naved starts with; root may name any path.
type ConfigAction struct {
	What    string `json:"what"`
	File    string `json:"file,omitempty"`
	Minutes int    `json:"minutes,omitempty"` // of ActCommit and ActRollback with Now, 1 to 1440; 0: it stays
	N       int    `json:"n,omitempty"`       // a revision's number
	Now     bool   `json:"now,omitempty"`
	Force   bool   `json:"force,omitempty"` // ActWrite and ActCopy: over a file that somebody else has changed
}

// String is the command line that asks for it.
func (a ConfigAction) String() string {
	words := []string{a.What}
	switch a.What {
	case ActBegin:
		words = []string{"configure candidate"}
	case ActAbandon:
		words = []string{"configure abandon"}
	case ActConfirm:
		words = []string{"configure confirm"}
	case ActWrite:
		words = []string{"write memory"}
	case ActCopy:
		words = []string{"copy running-config"}
	case ActReload:
		words = []string{"reload"}
		if a.File != "" {
			words = append(words, "config")
		}
	case ActMerge:
		words = []string{"copy"}
		if a.File == "" {
			words = append(words, "startup-config")
		}
	case ActRollback:
		words = append(words, strconv.Itoa(a.N))
	}
	if a.File != "" {
		words = append(words, a.File)
	}
	if a.What == ActMerge {
		words = append(words, "running-config")
	}
	if a.Now {
		words = append(words, "now")
	}
	if a.Minutes != 0 {
		words = append(words, "confirmed", strconv.Itoa(a.Minutes))
	}
	if a.Force {
		words = append(words, "force")
	}
	return strings.Join(words, " ")
}

// ConfigDone is what came of it.
type ConfigDone struct {
	Findings []string  `json:"findings,omitempty"`
	Refused  bool      `json:"refused,omitempty"` // there are errors among the findings: nothing has changed
	Changes  string    `json:"changes,omitempty"` // in a few words
	Partly   string    `json:"partly,omitempty"`  // what the box refused of what runs now
	Revision int       `json:"revision,omitempty"`
	Until    time.Time `json:"until,omitzero"` // when it is undone, if ActConfirm does not come
}

// Texts of ConfigText.
const (
	TextRunning     = "running"
	TextStartup     = "startup"      // the file that naved starts with, as it is read
	TextCandidate   = "candidate"    // the caller's
	TextDiff        = "diff"         // what runs to the caller's candidate; with N, revision N to what runs
	TextDiffStartup = "diff-startup" // the file that naved starts with to what runs
	TextRevision    = "revision"     // revision N
	TextRevisions   = "revisions"    // a list
)

// ConfigText names a text. Keys are masked in each.
type ConfigText struct {
	What string `json:"what"`
	N    int    `json:"n,omitempty"`
	// Section selects the parts whose first lines begin with these words: "interface Tunnel0", "router". Empty: all.
	Section string `json:"section,omitempty"`
	JSON    bool   `json:"json,omitempty"` // of TextRevisions: for programs
}

// configText is the body of the answer to a ConfigText.
type configText struct {
	Text string `json:"text"`
}

func (s *Server) routeConfig(mux *http.ServeMux) {
	config := s.services.Config
	if config == nil {
		for _, route := range []string{"edit", "act", "text"} {
			mux.HandleFunc("POST /v1/config/"+route, s.change(func(w http.ResponseWriter, _ *http.Request) { notHere(w, "editing") }))
		}
		return
	}
	mux.HandleFunc("POST /v1/config/edit", s.change(func(w http.ResponseWriter, r *http.Request) {
		var e Edit
		if !read(w, r, "Edit", &e) {
			return
		}
		done, err := config.Edit(CallerOf(r.Context()), e)
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err)
			return
		}
		answer(w, done)
	}))
	mux.HandleFunc("POST /v1/config/act", s.change(func(w http.ResponseWriter, r *http.Request) {
		var a ConfigAction
		if !read(w, r, "ConfigAction", &a) {
			return
		}
		done, err := config.Act(CallerOf(r.Context()), a)
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err)
			return
		}
		answer(w, done)
	}))
	mux.HandleFunc("POST /v1/config/text", func(w http.ResponseWriter, r *http.Request) {
		var t ConfigText
		if !read(w, r, "ConfigText", &t) {
			return
		}
		text, err := config.Text(CallerOf(r.Context()), t)
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err)
			return
		}
		answer(w, configText{text})
	})
}

// Edit has a line of configuration read.
func (c *Client) Edit(e Edit) (Edited, error) {
	var done Edited
	err := c.do(http.MethodPost, "/v1/config/edit", e, &done)
	return done, err
}

// Act does something to the whole configuration.
func (c *Client) Act(a ConfigAction) (ConfigDone, error) {
	var done ConfigDone
	err := c.do(http.MethodPost, "/v1/config/act", a, &done)
	return done, err
}

// ConfigText asks for a configuration, or for what differs between two, with keys masked.
func (c *Client) ConfigText(what ConfigText) (string, error) {
	var t configText
	err := c.do(http.MethodPost, "/v1/config/text", what, &t)
	return t.Text, err
}
