package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// file appends messages to a file: lines as IOS writes them, or JSON. It sees for itself when the file was renamed or taken away, as logrotate does, and makes another.
type file struct {
	path   string
	f      *os.File
	looked time.Time // when it was last looked whether the file is still there
	retry  time.Time // when opening is tried again
	err    error     // why it is not open
	torn   bool      // the last line is not whole
	line   bytes.Buffer
	json   slog.Handler // nil: text
}

// Limits of how often the file system is asked.
const (
	lookEvery  = time.Second
	retryEvery = time.Second
)

func newFile(path string, asJSON bool) *file {
	f := &file{path: path}
	if asJSON {
		f.json = slog.NewJSONHandler(&f.line, &slog.HandlerOptions{Level: slog.LevelDebug - 1, ReplaceAttr: nameLevel})
	}
	return f
}

func (f *file) write(r *record, leftOut int) error {
	if err := f.ready(time.Now()); err != nil {
		return err
	}
	f.line.Reset()
	switch {
	case f.json != nil:
		in := r.slog(leftOut)
		in.Message = r.text
		in.AddAttrs(slog.Int("severity", int(r.severity)), slog.Uint64("number", r.number))
		if err := f.json.Handle(context.Background(), in); err != nil {
			return err
		}
	default:
		f.line.WriteString(r.stamped)
		if leftOut > 0 {
			fmt.Fprintf(&f.line, " (%d more before it were not written)", leftOut)
		}
		f.line.WriteByte('\n')
	}
	if f.torn {
		_, _ = f.f.WriteString("\n") // if this fails the next does, too
	}
	n, err := f.f.Write(f.line.Bytes())
	f.torn = err != nil && (n > 0 || f.torn)
	return err
}

// ready opens the file, if it is not.
func (f *file) ready(now time.Time) error {
	if f.f != nil && now.Sub(f.looked) >= lookEvery {
		f.looked = now
		if !f.there() {
			f.reopen()
		}
	}
	if f.f != nil {
		return nil
	}
	if now.Before(f.retry) {
		return f.err
	}
	const mode = 0o640 // the group of its folder's owner may read it; who peers are is nobody else's business
	if f.f, f.err = open(f.path, mode); f.err != nil {
		f.f, f.retry = nil, now.Add(retryEvery)
		return f.err
	}
	f.looked = now
	return nil
}

// open opens a file to append to, and makes it and its folder where they are missing. It takes ordinary files only: a pipe could keep the log waiting, and a link could
// lead to what is not nave's.
func open(path string, mode os.FileMode) (*os.File, error) {
	if err := os.Mkdir(filepath.Dir(path), 0o750); err != nil && !os.IsExist(err) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, mode)
	if err != nil {
		return nil, err
	}
	if i, err := f.Stat(); err != nil || !i.Mode().IsRegular() {
		_ = f.Close()
		return nil, fmt.Errorf("%s is no ordinary file", path)
	}
	return f, nil
}

// there tells whether the path still names the file that is open.
func (f *file) there() bool {
	a, err := os.Stat(f.path)
	if err != nil {
		return false
	}
	b, err := f.f.Stat()
	return err == nil && os.SameFile(a, b)
}

// reopen has the file opened with the next message.
func (f *file) reopen() {
	_ = f.Close() // what was written is with the kernel
	f.retry = time.Time{}
}

// Close implements io.Closer.
func (f *file) Close() error {
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}

var _ io.Closer = (*file)(nil)
