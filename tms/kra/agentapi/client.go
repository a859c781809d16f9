package agentapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tokenwright/tms/kra/keydb"
)

// timeout bounds one request.
const timeout = time.Minute

// Error is what the authority refused, with its reason.
type Error struct {
	Code int // HTTP status
	Text string
}

// Error gives the reason.
func (e *Error) Error() string { return e.Text }

// Client is one agent's way to the authority.
type Client struct {
	base string
	http *http.Client
}

// NewClient gives a client for an authority at https://host:port. t must trust its CA and hold the
// agent's certificate.
func NewClient(base string, t *tls.Config) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("address %q: want https://host:port", base)
	}
	t = t.Clone()
	t.MinVersion = max(t.MinVersion, tls.VersionTLS12)
	return &Client{base: strings.TrimSuffix(base, "/") + Prefix, http: &http.Client{
		Timeout: timeout, Transport: &http.Transport{TLSClientConfig: t, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close closes idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// do sends in, unless it is nil, and reads out. A nil in is a GET.
func (c *Client) do(ctx context.Context, path string, in, out any) error {
	method, body := http.MethodGet, []byte(nil)
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
		defer clear(body)
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", jsonType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking the key recovery authority: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if len(text) > maxAnswerBytes {
		return errors.New("answer of the key recovery authority is too long")
	}
	if res.StatusCode != http.StatusOK {
		return refusal(res.StatusCode, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("answer of the key recovery authority: %w", err)
	}
	return nil
}

// ask is do for an answer of one type.
func ask[T any](ctx context.Context, c *Client, path string, in any) (T, error) {
	var out T
	err := c.do(ctx, path, in, &out)
	return out, err
}

// refusal reads why something was refused.
func refusal(code int, text []byte) error {
	var f failure
	if json.Unmarshal(text, &f) != nil || f.Error == "" {
		f.Error = fmt.Sprintf("http status %d", code)
	}
	return &Error{Code: code, Text: f.Error}
}

// query adds what is neither empty nor 0 to a path.
func query(path string, pairs ...[2]string) string {
	v := url.Values{}
	for _, p := range pairs {
		if p[1] != "" && p[1] != "0" {
			v.Set(p[0], p[1])
		}
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

func decimal[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// KeyQuery chooses keys: those of a user, of a card (20 hex digits), or all, a page after the
// number After.
type KeyQuery struct {
	User, CUID string
	After      int64
	Limit      int
}

// Keys lists archived keys.
func (c *Client) Keys(ctx context.Context, q KeyQuery) ([]Key, error) {
	return ask[[]Key](ctx, c, query("keys", [2]string{"user", q.User},
		[2]string{"cuid", q.CUID}, [2]string{"after", decimal(q.After)},
		[2]string{"limit", decimal(q.Limit)}), nil)
}

// Key gives one archived key.
func (c *Client) Key(ctx context.Context, id int64) (Key, error) {
	return ask[Key](ctx, c, "keys/"+decimal(id), nil)
}

// Make makes a request.
func (c *Client) Make(ctx context.Context, n New) (Request, error) {
	return ask[Request](ctx, c, "requests", n)
}

// Requests lists requests, the latest first; key 0 means all.
func (c *Client) Requests(ctx context.Context, key, before int64, limit int) ([]Request, error) {
	return ask[[]Request](ctx, c, query("requests", [2]string{"key", decimal(key)},
		[2]string{"before", decimal(before)}, [2]string{"limit", decimal(limit)}), nil)
}

// Request gives one request.
func (c *Client) Request(ctx context.Context, id int64) (Request, error) {
	return ask[Request](ctx, c, "requests/"+decimal(id), nil)
}

// Vote approves or rejects a request.
func (c *Client) Vote(ctx context.Context, id int64, approve bool) (Request, error) {
	word := map[bool]string{true: "/approve", false: "/reject"}[approve]
	return ask[Request](ctx, c, "requests/"+decimal(id)+word, struct{}{})
}

// Cancel ends the agent's own request.
func (c *Client) Cancel(ctx context.Context, id int64) (Request, error) {
	return ask[Request](ctx, c, "requests/"+decimal(id)+"/cancel", struct{}{})
}

// Fulfil ends an approved request; an export is encrypted under the passphrase.
func (c *Client) Fulfil(ctx context.Context, id int64, phrase string) (Fulfilled, error) {
	return ask[Fulfilled](ctx, c, "requests/"+decimal(id)+"/fulfil", passphrase{phrase})
}

// Events lists the audit trail, the oldest first; key 0 means all.
func (c *Client) Events(ctx context.Context, key, after int64, limit int) ([]keydb.Event, error) {
	return ask[[]keydb.Event](ctx, c, query("events", [2]string{"key", decimal(key)},
		[2]string{"after", decimal(after)}, [2]string{"limit", decimal(limit)}), nil)
}

// Verify has the authority go through its whole audit trail.
func (c *Client) Verify(ctx context.Context) (Verified, error) {
	return ask[Verified](ctx, c, "events/verify", nil)
}
