package api

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"nave/ctl/api/peer"
)

// Caller is who asks: the process at the other end of the socket, as the kernel says.
type Caller struct {
	Name   string // of the user; its number where it has none
	UID    uint32
	GID    uint32
	PID    int32
	Groups []uint32 // those of the process when it connected
	Look   bool     // may look
	Change bool     // may change things, too
}

// Access says who may look and who may change things. root may do all, and so may whom the daemon runs as.
type Access struct {
	// Look is the group that may look: the socket is its. Change is the group that may change things as well; its members need to be in
	// Look, too, to open the socket. A group that does not exist has no members.
	Look, Change string
}

// DefaultAccess is that of naved.
var DefaultAccess = Access{Look: "nave", Change: "nave-admin"}

// callerOf asks the kernel who is at the other end.
func (a Access) callerOf(c syscall.Conn) (*Caller, error) {
	cred, err := peer.Of(c)
	if err != nil {
		return nil, err
	}
	who := &Caller{UID: cred.UID, GID: cred.GID, PID: cred.PID, Name: strconv.Itoa(int(cred.UID)), Groups: cred.Groups}
	if known, err := user.LookupId(who.Name); err == nil {
		who.Name = known.Username
	}
	in := func(group string) bool {
		id, ok := groupID(group)
		return ok && cred.In(id)
	}
	who.Change = who.UID == 0 || who.UID == uint32(os.Geteuid()) || in(a.Change)
	who.Look = who.Change || in(a.Look)
	return who, nil
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

// trickles are answers that come bit by bit, and are not counted as those that are made as a whole: they take long and little.
var trickles = map[string]bool{"/v1/logs/follow": true, "/v1/ping": true}

// admit lets in who may look, as often as they may ask.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := CallerOf(r.Context())
		switch {
		case !who.Look:
			fail(w, http.StatusForbidden, fmt.Errorf("%s may not look here; who may is in group %s, or root", who.Name, s.services.Access.Look))
		case !who.Change && !s.door.mayAsk(who.UID):
			fail(w, http.StatusTooManyRequests, fmt.Errorf("%s asks too often; %d times a second are taken of who may only look", who.Name, asksPerSecond))
		case who.Change || trickles[r.URL.Path]:
			next.ServeHTTP(w, r)
		default:
			done, ok := s.door.begin(who.UID)
			if !ok {
				fail(w, http.StatusTooManyRequests, fmt.Errorf("%s asks for too much at once; who may only look is given %d answers at a time", who.Name, answersAtOnce))
				return
			}
			defer done()
			next.ServeHTTP(w, r)
		}
	})
}

// change lets a handler be called only by who may change things. That somebody tried is told to Audit, once a second at most.
func (s *Server) change(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who := CallerOf(r.Context())
		if !who.Change {
			err := fmt.Errorf("%s may look and not change; who may is in group %s, or root", who.Name, s.services.Access.Change)
			if s.door.mayTell(who.UID) {
				s.audit(r, r.Method+" "+r.URL.Path, err)
			}
			fail(w, http.StatusForbidden, err)
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
