package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/user"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Caller is who asks: the process at the other end of the socket, as the kernel says.
type Caller struct {
	Name   string // of the user; its number where it has none
	UID    uint32
	GID    uint32
	PID    int32
	Groups []uint32 // all that the user is in, the process's own included
	Change bool     // may change things, not only look
}

// Access says who may open the socket and what they may do there. root may do all.
type Access struct {
	// Look is the group that may look: the socket is its. Change is the group that may change things as well; its members need to be in
	// Look, too, to open the socket. A group that does not exist has no members.
	Look, Change string
}

// DefaultAccess is that of naved.
var DefaultAccess = Access{Look: "nave", Change: "nave-admin"}

// errNoPeer is for a connection that the kernel names nobody for.
var errNoPeer = errors.New("api: the kernel does not say who asks")

// callerOf asks the kernel who is at the other end.
func (a Access) callerOf(c net.Conn) (*Caller, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errNoPeer
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); e != nil || err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPeer, errors.Join(e, err))
	}
	who := &Caller{UID: cred.Uid, GID: cred.Gid, PID: cred.Pid, Name: strconv.Itoa(int(cred.Uid)), Groups: []uint32{cred.Gid}}
	if known, err := user.LookupId(who.Name); err == nil {
		who.Name = known.Username
		if ids, err := known.GroupIds(); err == nil {
			who.Groups = append(who.Groups, numbers(ids)...)
		}
	}
	who.Change = who.UID == 0 || a.in(who, a.Change)
	return who, nil
}

func numbers(ids []string) (out []uint32) {
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			out = append(out, uint32(n))
		}
	}
	return out
}

// in tells whether a caller is in a group.
func (a Access) in(who *Caller, group string) bool {
	id, ok := groupID(group)
	return ok && slices.Contains(who.Groups, id)
}

func groupID(name string) (id uint32, ok bool) {
	if name == "" {
		return 0, false
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(n), err == nil
}

// callerKey finds the Caller in a request's context.
type callerKey struct{}

// CallerOf is who a request came from.
func CallerOf(ctx context.Context) *Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return c
	}
	return &Caller{Name: "nobody"}
}

// change lets a handler be called only by who may change things, and tells Audit of it.
func (s *Server) change(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who := CallerOf(r.Context())
		if !who.Change {
			fail(w, http.StatusForbidden, fmt.Errorf("%s may look and not change; who may is in group %s, or root", who.Name, s.services.Access.Change))
			return
		}
		h(w, r)
	}
}

// audit has a change logged, with the name of who made it. what is a command line, without secrets.
func (s *Server) audit(r *http.Request, what string, err error) {
	if s.services.Audit != nil {
		s.services.Audit(CallerOf(r.Context()), what, err)
	}
}
