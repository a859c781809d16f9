package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// SessionHeader is the response header in which a server may name its session, so that traces
// taken at both ends can be matched.
const SessionHeader = "Tps-Session"

// Limits bound what a Conn accepts. The zero value of a field means its default.
type Limits struct {
	MaxMessage   int           // largest N in bytes; DefaultMaxMessage
	MaxMessages  int           // messages read in one conversation; 20,000
	MaxBytes     int64         // bytes of messages read in one conversation; 16 MiB
	ReadTimeout  time.Duration // wait for one message; 90 s
	WriteTimeout time.Duration // hand one message to the network; 30 s
	HeadTimeout  time.Duration // client: wait for the answer's headers; 15 s
}

func (l Limits) withDefaults() Limits {
	if l.MaxMessage <= 0 {
		l.MaxMessage = DefaultMaxMessage
	}
	if l.MaxMessages <= 0 {
		l.MaxMessages = 20_000
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = 16 << 20
	}
	if l.ReadTimeout <= 0 {
		l.ReadTimeout = 90 * time.Second
	}
	if l.WriteTimeout <= 0 {
		l.WriteTimeout = 30 * time.Second
	}
	if l.HeadTimeout <= 0 {
		l.HeadTimeout = 15 * time.Second
	}
	return l
}

// Errors of Conn.
var (
	// ErrConnectionLost means that the peer went away, or fell silent for longer than the
	// limit, before the conversation ended. A client that sees it must report failure.
	ErrConnectionLost = errors.New("connection lost")
	// ErrLimit means that the peer sent more than one conversation may hold.
	ErrLimit = errors.New("conversation is too long")
)

// Conn is one conversation, seen from either end. It is used by one goroutine at a time. After
// an error other than one of Parse the Conn is of no more use.
type Conn struct {
	frames   *FrameReader
	send     func(message []byte) error // one chunk, flushed
	setRead  func(time.Time) error
	setWrite func(time.Time) error
	close    func() error
	session  func() string
	limits   Limits
	messages int
	bytes    int64
	gone     error // ErrConnectionLost, once seen
}

// Session is what the server called the conversation in SessionHeader; empty when it gave no
// name, or before the client has read its first message.
func (c *Conn) Session() string { return c.session() }

// Read waits for the next message. An error of Parse leaves the Conn usable: the message that
// was not understood is skipped.
func (c *Conn) Read(ctx context.Context) (Message, error) {
	if c.messages >= c.limits.MaxMessages || c.bytes >= c.limits.MaxBytes {
		return nil, fmt.Errorf("reading message: %w: %d messages, %d bytes",
			ErrLimit, c.messages, c.bytes)
	}
	var payload []byte
	err := c.within(ctx, c.limits.ReadTimeout, c.setRead, func() (err error) {
		payload, err = c.frames.Next()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading message: %w", err)
	}
	c.messages++
	c.bytes += int64(len(payload))
	return Parse(payload)
}

// Write sends m as one chunk and flushes it.
func (c *Conn) Write(ctx context.Context, m Message) error {
	b := Append(nil, m)
	err := c.within(ctx, c.limits.WriteTimeout, c.setWrite, func() error { return c.send(b) })
	if err != nil {
		return fmt.Errorf("writing message of type %d: %w", m.Type(), err)
	}
	return nil
}

// Close ends the conversation at this end. On the server it must be called before the handler
// returns: clients leave their request body open, and without it the server would wait for it.
func (c *Conn) Close() error { return c.close() }

// within runs f under a deadline that is the earlier of the limit and the end of ctx. What the
// peer did counts before what became of ctx: net/http ends a request's context itself when the
// client goes away.
func (c *Conn) within(ctx context.Context, limit time.Duration, set func(time.Time) error,
	f func() error,
) error {
	if c.gone != nil {
		return c.gone
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline := time.Now().Add(limit)
	if err := set(deadline); err != nil {
		return c.lost(err)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = set(time.Unix(1, 0))
	})
	err := f()
	if !stop() {
		<-ended
	}
	if err == nil {
		return nil
	}
	interrupted := errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(deadline)
	if interrupted && ctx.Err() != nil {
		return ctx.Err()
	}
	return c.lost(err)
}

// lost is peerGone, and remembers it: a peer does not come back.
func (c *Conn) lost(err error) error {
	err = peerGone(err)
	if errors.Is(err, ErrConnectionLost) {
		c.gone = err
	}
	return err
}

// peerGone adds ErrConnectionLost to every error that means the peer is gone.
func peerGone(err error) error {
	var netErr net.Error
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &netErr):
		return fmt.Errorf("%w: %w", ErrConnectionLost, err)
	}
	return err
}
