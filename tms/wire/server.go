package wire

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Errors of Accept. The HTTP answer has been written when they are returned.
var (
	ErrMethod     = errors.New("method is not POST")              // answered 405
	ErrNotChunked = errors.New("request is not HTTP/1.1 chunked") // answered 400
)

// closeGrace is how long a client may take to send what it still has to say after END_OP.
const closeGrace = 200 * time.Millisecond

// Accept turns a POST request into the server's end of a conversation: it sends status and
// headers at once, so that both directions are open before any message. Headers that the
// caller has set on w, SessionHeader among them, go out with them. The caller must Close the
// Conn before its handler returns.
func Accept(w http.ResponseWriter, r *http.Request, limits Limits) (*Conn, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		Refuse(w, http.StatusMethodNotAllowed, "only POST is answered here")
		return nil, fmt.Errorf("accepting conversation: %w", ErrMethod)
	}
	if r.ProtoMajor != 1 || !slices.Contains(r.TransferEncoding, "chunked") {
		Refuse(w, http.StatusBadRequest, "Transfer-Encoding: chunked over HTTP/1.1 is required")
		return nil, fmt.Errorf("accepting conversation: %w", ErrNotChunked)
	}
	limits = limits.withDefaults()
	rc := http.NewResponseController(w)
	if err := rc.EnableFullDuplex(); err != nil {
		http.Error(w, "full duplex is not available", http.StatusInternalServerError)
		return nil, fmt.Errorf("accepting conversation: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain")
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close")
	session := h.Get(SessionHeader)
	if err := rc.SetWriteDeadline(time.Now().Add(limits.WriteTimeout)); err != nil {
		return nil, fmt.Errorf("accepting conversation: %w", err)
	}
	w.WriteHeader(http.StatusOK)
	if err := rc.Flush(); err != nil {
		return nil, fmt.Errorf("accepting conversation: %w", peerGone(err))
	}
	return &Conn{
		frames: NewFrameReader(r.Body, limits.MaxMessage),
		// One Write and one Flush make one chunk, whatever the length: a message longer than
		// net/http's buffer passes through it in one piece.
		send: func(b []byte) error {
			if _, err := w.Write(b); err != nil {
				return err
			}
			return rc.Flush()
		},
		setRead:  rc.SetReadDeadline,
		setWrite: rc.SetWriteDeadline,
		close: func() error {
			return errors.Join(rc.SetReadDeadline(time.Now().Add(closeGrace)),
				rc.SetWriteDeadline(time.Now().Add(limits.WriteTimeout)))
		},
		session: func() string { return session },
		limits:  limits,
	}, nil
}

// Refuse answers a client's request with an HTTP error, at once: net/http would otherwise first
// wait for the end of a body that clients leave open until they are answered.
func Refuse(w http.ResponseWriter, status int, text string) {
	rc := http.NewResponseController(w)
	// Where one of these is not supported, the answer is only later.
	_ = rc.EnableFullDuplex()
	w.Header().Set("Connection", "close")
	http.Error(w, text, status)
	_ = rc.Flush()
	_ = rc.SetReadDeadline(time.Now().Add(closeGrace))
}
