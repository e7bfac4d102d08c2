package api

import "net/http"

// Config edits the configuration.
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
	ActReload   = "reload"   // run by File, or by the file that naved started with
)

// ConfigAction is something done to the whole configuration.
type ConfigAction struct {
	What    string `json:"what"`
	File    string `json:"file,omitempty"`
	Minutes int    `json:"minutes,omitempty"`
	N       int    `json:"n,omitempty"`
	Now     bool   `json:"now,omitempty"`
}

// ConfigDone is what came of it.
type ConfigDone struct {
	Findings []string `json:"findings,omitempty"`
	Changes  string   `json:"changes,omitempty"` // in a few words
	Partly   string   `json:"partly,omitempty"`
}

// ConfigText names a text: running, startup, candidate, diff (running to candidate), diff-startup, revision (N), revisions (a list).
type ConfigText struct {
	What string `json:"what"`
	N    int    `json:"n,omitempty"`
}

func (s *Server) routeConfig(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/config/edit", s.change(func(w http.ResponseWriter, _ *http.Request) { notHere(w, "editing") }))
}
