package admin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// clientTimeout bounds one request: more than the server gives itself.
const clientTimeout = changeTimeout + 10*time.Second

// Client asks a running server.
type Client struct {
	base string
	http *http.Client
}

// NewClient gives a client for a server at https://host:port. t must trust its CA and hold the
// caller's certificate.
func NewClient(base string, t *tls.Config) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("address %.100q: want https://host:port", base)
	}
	t = t.Clone()
	t.MinVersion = max(t.MinVersion, tls.VersionTLS12)
	return newClient(strings.TrimSuffix(base, "/"), &http.Transport{TLSClientConfig: t,
		DisableCompression: true}), nil
}

// NewSocketClient gives a client for a server at a Unix socket. It is not connected yet.
func NewSocketClient(path string) *Client {
	return newClient("http://socket", &http.Transport{DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialSocket(ctx, path)
		}})
}

func newClient(base string, t *http.Transport) *Client {
	return &Client{base: base, http: &http.Client{Timeout: clientTimeout, Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Close closes idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Do sends a request and reads the answer. query may be nil; a nil in sends no body; a nil out passes
// over the answer. What the server refuses is an [*Error].
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("request: %w", err)
		}
	}
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", jsonType)
	}
	req.Header.Set("Accept", jsonType)
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking the server: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer: %w", err)
	case len(text) > maxAnswerBytes:
		return errors.New("the server's answer is too long")
	case res.StatusCode >= http.StatusMultipleChoices:
		return refusal(res.StatusCode, text)
	case out == nil || len(text) == 0:
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	return nil
}

// Ask is Do for an answer of one type.
func Ask[T any](ctx context.Context, c *Client, method, path string, query url.Values, in any) (
	T, error,
) {
	var out T
	err := c.Do(ctx, method, path, query, in, &out)
	return out, err
}

// refusal reads why something was refused.
func refusal(status int, text []byte) error {
	var f failure
	if json.Unmarshal(text, &f) != nil || f.Message == "" {
		f.Message = "the server answered " + http.StatusText(status)
	}
	return &Error{Status: status, Message: f.Message}
}
