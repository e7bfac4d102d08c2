package cli

import (
	"errors"
	"io"

	"nave/ctl/config/grammar"
	"nave/ctl/logs/message"
	"nave/ctl/show"
)

// Logs is the log of the daemon. api.Client is one.
type Logs interface {
	LogStatus() (*message.Status, error)
	ClearLog() error
}

// logCommands show the log.
var logCommands = []*grammar.Command{
	{Syntax: "show logging", Help: "where the log goes, and what is remembered of it", Data: showLog(show.Logging, show.LoggingJSON)},
	{Syntax: "show logging count", Help: "how often each message was logged", Data: showLog(show.LoggingCount, show.LoggingCountJSON)},
	{Syntax: "clear logging", Help: "forget what is remembered of the log", Data: run(clearLog)},
}

var errNoLog = errors.New("the log is not to be had here")

// showLog makes a command of a show function of the log.
func showLog(text func(*message.Status) string, asJSON func(*message.Status) ([]byte, error)) run {
	return func(s *Session, _ *grammar.Match) error {
		if s.Logs == nil {
			return errNoLog
		}
		st, err := s.Logs.LogStatus()
		if err != nil {
			return err
		}
		if !s.JSON {
			_, err = io.WriteString(s.Out, text(st))
			return err
		}
		b, err := asJSON(st)
		if err != nil {
			return err
		}
		_, err = s.Out.Write(b)
		return err
	}
}

func clearLog(s *Session, _ *grammar.Match) error {
	if s.Logs == nil {
		return errNoLog
	}
	return s.Logs.ClearLog()
}
