package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"tokenwright/tms/wire"
)

// rawTimeout bounds everything that a raw client waits for.
const rawTimeout = 20 * time.Second

// raw is a client that owns every byte it sends: how messages are written, where chunks are cut.
type raw struct {
	conn   net.Conn
	in     *bufio.Reader
	frames *wire.FrameReader
	status int // of the HTTP answer

	encode func(wire.Message) []byte     // a whole message, "s=" included
	cut    func(message []byte) [][]byte // the pieces that travel as chunks
	seen   []wire.Message                // what the server sent
}

// dialRaw connects and sends the request line and headers that old clients send.
func dialRaw(ctx context.Context, rawURL string, conf *tls.Config) (*raw, error) {
	return dialRequest(ctx, rawURL, conf, "POST", "", "Transfer-Encoding: chunked\r\n")
}

func dialRequest(ctx context.Context, rawURL string, conf *tls.Config,
	method, path, headers string) (*raw, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	if path == "" {
		path = u.Path
	}
	d := tls.Dialer{Config: conf}
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(rawTimeout)); err != nil {
		return nil, err
	}
	r := &raw{conn: conn, in: bufio.NewReader(conn), encode: encodeCanonical, cut: whole}
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, path, u.Host, headers)
	return r, err
}

func encodeCanonical(m wire.Message) []byte { return wire.Append(nil, m) }

func whole(b []byte) [][]byte { return [][]byte{b} }

func everyByte(b []byte) [][]byte {
	var out [][]byte
	for i := range b {
		out = append(out, b[i:i+1])
	}
	return out
}

func inThree(b []byte) [][]byte {
	a, c := len(b)/3, 2*len(b)/3
	return [][]byte{b[:a], b[a:c], b[c:]}
}

// send writes a message.
func (r *raw) send(m wire.Message) error { return r.sendBytes(r.encode(m)) }

// sendBytes writes bytes in the client's way of cutting; each piece is a TCP segment where the
// system lets it.
func (r *raw) sendBytes(b []byte) error {
	for _, piece := range r.cut(b) {
		if len(piece) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(r.conn, "%x\r\n%s\r\n", len(piece), piece); err != nil {
			return err
		}
	}
	return nil
}

// head reads the HTTP answer's status and headers.
func (r *raw) head() error {
	if r.status != 0 {
		return nil
	}
	resp, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return fmt.Errorf("reading the HTTP answer: %w", err)
	}
	r.status = resp.StatusCode
	r.frames = wire.NewFrameReader(resp.Body, 0)
	return nil
}

// read reads the next message.
func (r *raw) read() (wire.Message, error) {
	if err := r.head(); err != nil {
		return nil, err
	}
	if r.status != http.StatusOK {
		return nil, fmt.Errorf("the HTTP answer is %d", r.status)
	}
	payload, err := r.frames.Next()
	if err != nil {
		return nil, err
	}
	m, err := wire.Parse(payload)
	if err == nil {
		r.seen = append(r.seen, m)
	}
	return m, err
}

// untilEnd answers the server's messages by answer until END_OP.
func (r *raw) untilEnd(answer func(wire.Message) (wire.Message, error)) (wire.EndOp, error) {
	for {
		m, err := r.read()
		if err != nil {
			return wire.EndOp{}, err
		}
		if end, ok := m.(wire.EndOp); ok {
			return end, nil
		}
		reply, err := answer(m)
		if err != nil {
			return wire.EndOp{}, err
		}
		if err := r.send(reply); err != nil {
			return wire.EndOp{}, err
		}
	}
}

// person answers as a card and somebody who types user and password.
func person(ctx context.Context, card cardTransmitter, user, password string) func(wire.Message) (wire.Message, error) {
	return func(m wire.Message) (wire.Message, error) {
		switch m := m.(type) {
		case wire.LoginRequest:
			return wire.LoginResponse{ScreenName: user, Password: wire.NewSecret(password)}, nil
		case wire.ExtendedLoginRequest:
			return wire.ExtendedLoginResponse{Fields: wire.Credentials{
				{ID: "UID", Value: wire.NewSecret(user)},
				{ID: "PASSWORD", Value: wire.NewSecret(password)},
			}}, nil
		case wire.StatusUpdateRequest:
			return wire.StatusUpdateResponse{Percent: m.Percent}, nil
		case wire.TokenPDURequest:
			answer, err := card.Transmit(ctx, m.PDU)
			if err != nil {
				return nil, err
			}
			return wire.TokenPDUResponse{PDU: answer}, nil
		}
		return nil, errors.New("the server asked for something that the client does not know")
	}
}

// cardTransmitter is the card that a raw client passes PDUs to.
type cardTransmitter interface {
	Transmit(ctx context.Context, cmd []byte) ([]byte, error)
}

func (r *raw) close() error { return r.conn.Close() }
