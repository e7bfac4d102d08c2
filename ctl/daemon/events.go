package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"nave/ctl/gateway"
	"nave/ctl/logs"
	"nave/ctl/logs/message"
	"nave/ctl/show"
)

// event logs what the protocols report, in the words of IOS. The control plane's goroutine calls it.
func (d *Daemon) event(e gateway.Event) {
	text, severity := show.Log(e)
	if text == "" {
		return
	}
	ok, leftOut := d.limit.Allow(time.Now(), e.About(), text)
	if !ok {
		return
	}
	if leftOut > 0 {
		text += fmt.Sprintf(" (%d more before it were not logged)", leftOut)
	}
	d.say(severity, text, show.LogFields(e)...)
}

// say logs a message of a severity of IOS's (0 to 7).
func (d *Daemon) say(severity int, text string, attrs ...slog.Attr) {
	d.log.LogAttrs(context.Background(), logs.LevelOf(message.Severity(severity)), text, attrs...)
}
