package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	dialTimeout    = 30 * time.Second
	maxHeaderBytes = 64 << 10
	maxInformative = 5 // 1xx answers before the real one
)

// HTTPError is an answer other than 200 to the client's request.
type HTTPError struct{ StatusCode int }

func (e HTTPError) Error() string {
	return fmt.Sprintf("server answered HTTP status %d %s", e.StatusCode,
		http.StatusText(e.StatusCode))
}

// ErrURL means that Dial was given something other than an http or https URL with a host.
var ErrURL = errors.New("not an http or https URL")

// Dial opens the client's end of a conversation at rawURL, over HTTP/1.1 on a connection of
// its own. The request goes out with the first message, the answer's headers are read with the
// first Read. conf says whom to trust and is not changed; nil means the system's roots.
func Dial(ctx context.Context, rawURL string, conf *tls.Config, limits Limits) (*Conn, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("dialing: %w", ErrURL)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := dialHost(ctx, u, conf)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", u.Host, err)
	}
	return newClientConn(nc, u, limits.withDefaults()), nil
}

func dialHost(ctx context.Context, u *url.URL, conf *tls.Config) (net.Conn, error) {
	if u.Scheme == "http" {
		return new(net.Dialer).DialContext(ctx, "tcp", hostPort(u, "80"))
	}
	if conf == nil {
		conf = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	conf = conf.Clone()
	conf.NextProtos = []string{"http/1.1"}
	conf.MinVersion = max(conf.MinVersion, tls.VersionTLS12)
	if conf.ServerName == "" {
		conf.ServerName = u.Hostname()
	}
	return (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", hostPort(u, "443"))
}

func hostPort(u *url.URL, port string) string {
	if p := u.Port(); p != "" {
		port = p
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// clientStream is the client's connection: it writes the request's head before the first
// chunk, and takes the answer's head off before the first byte it reads.
type clientStream struct {
	conn    net.Conn
	wait    time.Duration // for the answer's head
	ended   bool          // the peer sends no more
	done    bool          // the request's body was ended
	head    []byte        // still to be sent
	limit   *io.LimitedReader
	in      *bufio.Reader
	body    io.Reader // nil until the answer's head was read
	session string
}

func newClientConn(nc net.Conn, u *url.URL, limits Limits) *Conn {
	s := &clientStream{
		conn: nc, wait: limits.HeadTimeout,
		head: []byte("POST " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host +
			"\r\nTransfer-Encoding: chunked\r\n\r\n"),
	}
	s.limit = &io.LimitedReader{R: readerFunc(s.receive), N: maxHeaderBytes}
	s.in = bufio.NewReader(s.limit)
	return &Conn{
		frames:   NewFrameReader(s, limits.MaxMessage),
		send:     s.send,
		setRead:  nc.SetReadDeadline,
		setWrite: nc.SetWriteDeadline,
		close:    s.close,
		session:  func() string { return s.session },
		limits:   limits,
	}
}

// send writes the message as one chunk with one call, so that chunk and segment agree.
func (s *clientStream) send(message []byte) error {
	b := strconv.AppendInt(s.head, int64(len(message)), 16)
	b = append(b, "\r\n"...)
	b = append(b, message...)
	b = append(b, "\r\n"...)
	s.head = nil
	_, err := s.conn.Write(b)
	return err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// receive reads from the socket and notes its end, which net/http reports as many things.
func (s *clientStream) receive(p []byte) (int, error) {
	n, err := s.conn.Read(p)
	s.ended = errors.Is(err, io.EOF)
	return n, err
}

func (s *clientStream) Read(p []byte) (int, error) {
	if s.body == nil {
		if err := s.readHead(); err != nil {
			return 0, err
		}
	}
	return s.body.Read(p)
}

const lastChunk = "0\r\n\r\n"

// readHead reads the answer's head. A TPS sends it at once; a server that is none may wait for
// the request's body to end before it says so, and is given that end after a while.
func (s *clientStream) readHead() error {
	giveUp := time.AfterFunc(s.wait, func() { _, _ = io.WriteString(s.conn, lastChunk) })
	a, err := s.answer()
	s.done = !giveUp.Stop()
	switch {
	case err != nil:
		return fmt.Errorf("reading response: %w", err)
	case a.status != http.StatusOK:
		return HTTPError{StatusCode: a.status}
	case s.done:
		return fmt.Errorf("%w: no response within %s", ErrConnectionLost, s.wait)
	}
	s.limit.N = 1<<63 - 1 // from here on the Conn's limits hold
	s.session = a.session
	s.body = a.body
	return nil
}

// answer is what matters of an HTTP answer. Its body needs no Close: the connection is of no
// other use.
type answer struct {
	status  int
	session string
	body    io.Reader
}

// answer reads an answer's head and skips informative ones.
func (s *clientStream) answer() (answer, error) {
	for range maxInformative {
		resp, err := http.ReadResponse(s.in, &http.Request{Method: http.MethodPost}) //nolint:bodyclose // hanging up ends it
		switch {
		case err == nil && (resp.StatusCode < 100 || resp.StatusCode > 199):
			return answer{resp.StatusCode, sessionName(resp.Header.Get(SessionHeader)),
				resp.Body}, nil
		case err == nil:
		case s.ended:
			return answer{}, io.ErrUnexpectedEOF
		case s.limit.N <= 0:
			return answer{}, fmt.Errorf("%w: header is too long", ErrFraming)
		default:
			return answer{}, err
		}
	}
	return answer{}, fmt.Errorf("%w: no final answer", ErrFraming)
}

// sessionName accepts a name that is fit for a log line and nothing else.
func sessionName(s string) string {
	bad := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(s) > 64 || strings.ContainsFunc(s, bad) {
		return ""
	}
	return s
}

// close ends the request's body as HTTP wants it, if the peer still listens, and hangs up.
func (s *clientStream) close() error {
	if s.head == nil && !s.done {
		if err := s.conn.SetWriteDeadline(time.Now().Add(time.Second)); err == nil {
			_, _ = io.WriteString(s.conn, lastChunk)
		}
	}
	return s.conn.Close()
}
