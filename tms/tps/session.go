package tps

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"tokenwright/tms/connector"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/wire"
)

// endTimeout bounds the writing of END_OP when the session's own time is over.
const endTimeout = 10 * time.Second

// conversation is what a session needs of a wire.Conn.
type conversation interface {
	Read(ctx context.Context) (wire.Message, error)
	Write(ctx context.Context, m wire.Message) error
}

// serveOperation turns one POST into one session.
func (s *Server) serveOperation(w http.ResponseWriter, r *http.Request) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		s.log.Warn("too many sessions", "remote", r.RemoteAddr)
		wire.Refuse(w, http.StatusServiceUnavailable, "too many sessions")
		return
	}
	id, err := s.newSessionID()
	if err != nil {
		s.log.Error("session not begun", "err", err)
		wire.Refuse(w, http.StatusInternalServerError, "no session")
		return
	}
	log := s.log.With("session", id)
	w.Header().Set(wire.SessionHeader, id)
	conn, err := wire.Accept(w, r, wire.Limits{
		MaxMessage: s.limits.message, ReadTimeout: max(s.limits.answer, s.limits.login),
	})
	if err != nil {
		log.Info("request refused", "remote", r.RemoteAddr, "err", err)
		return
	}
	ctx, cancel := context.WithTimeoutCause(connector.WithSession(r.Context(), id),
		s.limits.session, fmt.Errorf("session took longer than %s", s.limits.session))
	defer cancel()
	if err := s.converse(ctx, conn, id, remoteIP(r), log); errors.Is(err, contact.ErrKilled) {
		// As if the process were gone: not a byte more, in either direction.
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		panic(http.ErrAbortHandler)
	}
	if err := conn.Close(); err != nil {
		log.Debug("closing conversation", "err", err)
	}
}

// converse reads BEGIN_OP, runs the operation and sends END_OP. The error is the
// operation's.
func (s *Server) converse(ctx context.Context, c conversation, id, ip string,
	log *slog.Logger,
) error {
	begun := time.Now()
	begin, err := s.readBegin(ctx, c)
	sess := &contact.Session{
		ID: id, IP: ip, Begin: begin, Log: log,
		Client: newClient(c, begin, s.limits),
	}
	if err == nil {
		log.Info("operation begun", "operation", begin.Operation.String(), "remote", ip)
		err = s.Perform(ctx, sess)
	}
	if errors.Is(err, contact.ErrKilled) {
		return err
	}
	status := contact.StatusOf(err)
	end := wire.EndOp{Operation: begin.Operation, Result: wire.ResultGood, Status: status}
	attrs := []any{
		"operation", begin.Operation.String(),
		"took", time.Since(begun).Round(time.Millisecond),
	}
	if err != nil {
		end.Result = wire.ResultBad
		sess.Log.Warn("operation failed", append(attrs, "status", int(status), "err", err)...)
	} else {
		sess.Log.Info("operation done", attrs...)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if werr := c.Write(ctx, end); werr != nil {
		sess.Log.Info("client not told of the end", "err", werr)
	}
	return err
}

func (s *Server) readBegin(ctx context.Context, c conversation) (wire.BeginOp, error) {
	m, err := within(ctx, s.limits.answer, c.Read)
	if err != nil {
		return wire.BeginOp{}, fmt.Errorf("reading begin of operation: %w", err)
	}
	begin, ok := m.(wire.BeginOp)
	if !ok {
		return wire.BeginOp{}, fmt.Errorf("reading begin of operation: %w: type %d", errMessage, m.Type())
	}
	return begin, nil
}

// Perform runs the operation asked for, for a client that need not have come by HTTP. Its session's id
// must be one that no other has. A panic ends this session alone. contact.StatusOf gives the code for
// the client.
func (s *Server) Perform(ctx context.Context, sess *contact.Session) (err error) {
	run, ok := s.ops[sess.Begin.Operation]
	if !ok {
		return &contact.Failure{
			Status: wire.StatusCannotPerformOperation,
			Err:    fmt.Errorf("operation %d is not offered", int(sess.Begin.Operation)),
		}
	}
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		// The value of a panic may quote what it choked on; the stack does not.
		sess.Log.Error("operation panicked", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		err = errPanic
	}()
	return run(ctx, &s.env, sess)
}

var (
	errPanic   = errors.New("operation panicked")
	errMessage = errors.New("unexpected message")
)

func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
