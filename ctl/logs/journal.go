package logs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"

	"nave/ctl/logs/message"
)

// journalSocket is where journald takes messages with fields (systemd's "Native Journal Protocol").
const journalSocket = "/run/systemd/journal/socket"

// toJournal writes messages to the journal, with their fields. Where journald does not take them they are written as lines instead, which journald reads as well.
type toJournal struct {
	socket  string
	conn    *net.UnixConn
	instead *lines
}

func (j *toJournal) write(r *record, leftOut int) error {
	b := journalEntry(r, leftOut)
	err := j.send(b)
	if err != nil { // it may have been started afresh
		j.drop()
		err = j.send(b)
	}
	if err != nil {
		return errors.Join(j.instead.write(r, leftOut), err)
	}
	return nil
}

func (j *toJournal) send(b []byte) error {
	if j.conn == nil {
		c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: j.socket, Net: "unixgram"})
		if err != nil {
			return err
		}
		j.conn = c
	}
	_, err := j.conn.Write(b)
	return err
}

func (j *toJournal) drop() {
	if j.conn != nil {
		_ = j.conn.Close() // it has failed already
		j.conn = nil
	}
}

// Close implements io.Closer.
func (j *toJournal) Close() error {
	j.drop()
	return nil
}

var _ io.Closer = (*toJournal)(nil)

// journalEntry is a message as journald takes it: fields, one a line. What nave says of it has names that begin with NAVE_.
func journalEntry(r *record, leftOut int) []byte {
	var b bytes.Buffer
	put := func(name, value string) { journalField(&b, name, value) }
	put("MESSAGE", r.text)
	put("PRIORITY", strconv.Itoa(int(r.severity)))
	put("SYSLOG_IDENTIFIER", identifier)
	put("SYSLOG_FACILITY", strconv.Itoa(int(message.Daemon)))
	if facility, mnemonic := split(r.text); mnemonic != "" {
		put("NAVE_FACILITY", facility)
		put("NAVE_MNEMONIC", mnemonic)
	}
	put("NAVE_NUMBER", strconv.FormatUint(r.number, 10))
	if leftOut > 0 {
		put(journalName(leftOutField), strconv.Itoa(leftOut))
	}
	for _, f := range r.fields {
		put(journalName(f.Name), f.Value)
	}
	return b.Bytes()
}

// journalField writes a field: NAME=value, or with the value's length where it has ends of lines.
func journalField(b *bytes.Buffer, name, value string) {
	b.WriteString(name)
	if !strings.ContainsRune(value, '\n') {
		b.WriteByte('=')
		b.WriteString(value)
		b.WriteByte('\n')
		return
	}
	b.WriteByte('\n')
	b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
	b.WriteString(value)
	b.WriteByte('\n')
}

// journalName is the journal's name of a field: capital letters, digits and _, at most 64.
func journalName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
	name = "NAVE_" + name
	return name[:min(len(name), 64)]
}
