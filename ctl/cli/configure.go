package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"nave/ctl/api"
	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// Editor edits the configuration. api.Client is one.
type Editor interface {
	Edit(api.Edit) (api.Edited, error)
	Act(api.ConfigAction) (api.ConfigDone, error)
	ConfigText(api.ConfigText) (string, error)
}

// configCommands save, copy, commit and roll back configurations.
var configCommands = []*grammar.Command{
	{Syntax: "show running-config {interface <iface:interface>|section <section:line>}", Help: "parts of the configuration that runs, keys masked", Data: run(showSection)},
	{Syntax: "show startup-config", Help: "the configuration that naved starts with, keys masked", Data: configText(api.TextStartup)},
	{Syntax: "show configuration candidate", Help: "what you are editing (configure candidate)", Data: configText(api.TextCandidate)},
	{Syntax: "show configuration diff", Help: "what differs from what runs in what you are editing", Data: configText(api.TextDiff)},
	{Syntax: "show configuration diff startup", Help: "what differs from the file that naved starts with in what runs", Data: configText(api.TextDiffStartup)},
	{Syntax: "show configuration diff revision <number:1-4294967295>", Help: "what differs from a revision in what runs", Data: configText(api.TextDiff)},
	{Syntax: "show configuration revisions", Help: "configurations that ran, the last 20", Data: run(showRevisions)},
	{Syntax: "show configuration revision <number:1-4294967295>", Help: "a configuration that ran, keys masked", Data: configText(api.TextRevision)},
	{Syntax: "write", Help: "save what runs to the file that naved starts with", Data: configures(api.ActWrite)},
	{Syntax: "write memory [force]", Help: "save what runs to the file that naved starts with; force: also over changes of others", Data: configures(api.ActWrite)},
	{Syntax: "write terminal", Help: "show what runs, keys masked", Data: shows("running-config", whole(show.RunningConfig))},
	{Syntax: "copy running-config startup-config [force]", Help: "save what runs to the file that naved starts with", Data: configures(api.ActWrite)},
	{Syntax: "copy running-config <path> [force]", Help: "save what runs to a file", Data: configures(api.ActCopy)},
	{Syntax: "copy startup-config running-config", Help: "add the lines of the file that naved starts with to what runs", Data: configures(api.ActMerge)},
	{Syntax: "copy <path> running-config", Help: "add the lines of a file to what runs", Data: configures(api.ActMerge)},
	{Syntax: "reload config <path>", Help: "run by a file: what differs is applied", Data: configures(api.ActReload)},
	{Syntax: "configure replace <path>", Help: "run by a file: what differs is applied", Data: configures(api.ActReload)},
	{Syntax: "configure confirm", Help: "let what was committed for some minutes stay", Data: configures(api.ActConfirm)},
	{Syntax: "configure abandon", Help: "forget what you are editing (configure candidate)", Data: configures(api.ActAbandon)},
	{Syntax: "commit", Help: "run by what you are editing (configure candidate), or confirm a commit that waits for it", Data: configures(api.ActCommit)},
	{Syntax: "commit confirmed <minutes:1-1440>", Help: "run by what you are editing, and by what ran before unless it is confirmed in time", Data: configures(api.ActCommit)},
	{Syntax: "rollback <number:0-4294967295>", Help: "make a revision what you are editing; 0: what runs", Data: configures(api.ActRollback)},
	{Syntax: "rollback <number:1-4294967295> now [confirmed <minutes:1-1440>]", Help: "run by a revision again", Data: configures(api.ActRollback)},
}

var errNoEditor = errors.New("the configuration can't be edited from here")

// ErrRefused is the error of a command that was refused for what the findings said, which are printed.
var ErrRefused = errors.New("refused: nothing has changed")

// configures makes a command that does something to the whole configuration.
func configures(what string) run {
	return func(s *Session, m *grammar.Match) error {
		if s.Editor == nil {
			return errNoEditor
		}
		a := api.ConfigAction{What: what, File: m.Text("path"), Minutes: int(m.Uint("minutes")), N: int(m.Uint("number")), Now: m.Has("now"), Force: m.Has("force")}
		done, err := s.Editor.Act(a)
		if err != nil {
			return err
		}
		if s.JSON {
			text, err := show.ConfigDone{Findings: done.Findings, Refused: done.Refused, Changes: done.Changes, Partly: done.Partly, Revision: done.Revision, Undone: done.Until}.JSON()
			if err != nil {
				return err
			}
			if _, err := io.WriteString(s.Out, text); err != nil {
				return err
			}
		} else if _, err := io.WriteString(s.Out, actText(a, done)); err != nil {
			return err
		}
		switch {
		case done.Refused:
			return ErrRefused
		case done.Partly != "":
			return errors.New(done.Partly)
		}
		return nil
	}
}

// actText says what came of an action.
func actText(a api.ConfigAction, done api.ConfigDone) string {
	var b strings.Builder
	for _, f := range done.Findings {
		fmt.Fprintln(&b, f)
	}
	switch {
	case done.Refused:
	case a.What == api.ActWrite || a.What == api.ActCopy:
		b.WriteString("[OK]\n")
	case a.What == api.ActCommit || a.What == api.ActReload || a.What == api.ActMerge || a.What == api.ActRollback && a.Now:
		fmt.Fprintf(&b, "Revision %d runs. Changes: %s.\n", done.Revision, done.Changes)
	case a.What == api.ActRollback:
		b.WriteString(show.Taken(a.N))
	case a.What == api.ActConfirm:
		b.WriteString(show.Confirmed(done.Revision))
	}
	if !done.Until.IsZero() && !done.Refused {
		fmt.Fprintf(&b, "It is undone at %s unless it is confirmed (configure confirm).\n", done.Until.Local().Format(time.TimeOnly))
	}
	return b.String()
}

// configText makes a command that shows a configuration.
func configText(what string) run {
	return func(s *Session, m *grammar.Match) error {
		return s.showConfig(api.ConfigText{What: what, N: int(m.Uint("number"))})
	}
}

// showConfig prints a configuration, or what differs between two.
func (s *Session) showConfig(what api.ConfigText) error {
	if s.Editor == nil {
		return errNoEditor
	}
	text, err := s.Editor.ConfigText(what)
	if err != nil {
		return err
	}
	if s.JSON {
		if text, err = show.ConfigurationJSON(what.What, text); err != nil {
			return err
		}
	}
	_, err = io.WriteString(s.Out, text)
	return err
}

func showSection(s *Session, m *grammar.Match) error {
	section := m.Text("section")
	if iface := m.Text("iface"); iface != "" {
		section = "interface " + iface
	}
	return s.showConfig(api.ConfigText{What: api.TextRunning, Section: section})
}

func showRevisions(s *Session, _ *grammar.Match) error {
	if s.Editor == nil {
		return errNoEditor
	}
	text, err := s.Editor.ConfigText(api.ConfigText{What: api.TextRevisions, JSON: s.JSON})
	if err != nil {
		return err
	}
	_, err = io.WriteString(s.Out, text)
	return err
}
