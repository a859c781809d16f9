package connector

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// PeerConfig says how a subsystem reaches another over HTTPS. Its fields answer to
// tps.connector.<id>.* keys.
type PeerConfig struct {
	// Hosts is a blank-separated list of host:port, or of hosts when Port is set, tried in order.
	Hosts string
	Port  int // for entries of Hosts without one
	// URIs overrides paths by operation name.
	URIs map[string]string
	TLS  *tls.Config // must trust the peer's CA and hold this side's client certificate
	// Timeout bounds one request to one host; 0 means DefaultTimeout.
	Timeout  time.Duration
	MaxConns int           // to one host; 0 means 15
	Retry    time.Duration // how long a host that failed is tried last; 0 means 10 s
	Log      *slog.Logger  // nil discards
}

// peer is the other end of a connector: hosts that are tried in turn.
type peer struct {
	name    string // what it is, for errors and logs
	hosts   []string
	uris    map[string]string // paths by operation
	timeout time.Duration
	log     *slog.Logger
	http    *http.Client

	retry  time.Duration
	now    func() time.Time
	mu     sync.Mutex
	failed map[string]time.Time
}

const dialTimeout = 5 * time.Second

// newPeer checks cfg. paths are the usual paths by operation; cfg.URIs may override those only.
func newPeer(name string, cfg PeerConfig, paths map[string]string) (*peer, error) {
	hosts, err := parseHosts(cfg.Hosts, cfg.Port)
	if err != nil {
		return nil, fmt.Errorf("connector to the %s: %w", name, err)
	}
	if cfg.TLS == nil || (len(cfg.TLS.Certificates) == 0 && cfg.TLS.GetClientCertificate == nil) {
		return nil, fmt.Errorf("connector to the %s has no client certificate", name)
	}
	p := &peer{name: name, hosts: hosts, uris: maps.Clone(paths), log: cfg.Log, now: time.Now,
		timeout: orDefault(cfg.Timeout, DefaultTimeout), failed: map[string]time.Time{},
		retry: orDefault(cfg.Retry, 10*time.Second)}
	for op, path := range cfg.URIs {
		if _, ok := p.uris[op]; !ok || !strings.HasPrefix(path, "/") {
			return nil, fmt.Errorf("uri.%s: unknown operation or no absolute path", op)
		}
		p.uris[op] = path
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.http = &http.Client{Transport: newTransport(cfg, p.timeout),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return p, nil
}

func newTransport(cfg PeerConfig, timeout time.Duration) *http.Transport {
	conns := orDefault(cfg.MaxConns, 15)
	tlsConfig := cfg.TLS.Clone()
	if tlsConfig.MinVersion < tls.VersionTLS12 {
		tlsConfig.MinVersion = tls.VersionTLS12
	}
	dial := min(dialTimeout, timeout)
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dial}).DialContext,
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: dial,
		MaxConnsPerHost:     conns,
		MaxIdleConnsPerHost: conns,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
	}
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// parseHosts reads the blank-separated list.
func parseHosts(list string, port int) ([]string, error) {
	var hosts []string
	for _, h := range strings.Fields(list) {
		if _, _, err := net.SplitHostPort(h); err != nil {
			if port <= 0 || port > 65535 {
				return nil, fmt.Errorf("host %q: has no port", h)
			}
			h = net.JoinHostPort(strings.Trim(h, "[]"), fmt.Sprint(port))
		}
		hosts = append(hosts, h)
	}
	if len(hosts) == 0 {
		return nil, errors.New("no host")
	}
	return hosts, nil
}

// Close closes idle connections.
func (p *peer) Close() error {
	p.http.CloseIdleConnections()
	return nil
}

// send gives the body of the answer of the first host that answers, in the configured order; hosts
// that failed lately come last. Any failure to get an answer moves on, so the request must be one
// that may be repeated.
func (p *peer) send(ctx context.Context, op string, form url.Values) ([]byte, error) {
	var failures []error
	for _, host := range p.order() {
		body, err := p.post(ctx, host, op, form)
		if err == nil {
			p.mark(host, false)
			return body, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s at %s: %w", op, host, context.Cause(ctx))
		}
		p.mark(host, true)
		p.log.Warn(p.name+" did not answer", "host", host, "op", op,
			"session", Session(ctx), "error", err)
		failures = append(failures, fmt.Errorf("%s: %w", host, err))
	}
	return nil, fmt.Errorf("%s: %w: %w", op, ErrUnavailable, errors.Join(failures...))
}

func (p *peer) order() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.failed) == 0 {
		return p.hosts
	}
	good, bad := make([]string, 0, len(p.hosts)), []string(nil)
	for _, h := range p.hosts {
		if at, ok := p.failed[h]; ok && p.now().Sub(at) < p.retry {
			bad = append(bad, h)
		} else {
			good = append(good, h)
		}
	}
	return append(good, bad...)
}

func (p *peer) mark(host string, failed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if failed {
		p.failed[host] = p.now()
	} else {
		delete(p.failed, host)
	}
}

func (p *peer) post(ctx context.Context, host, op string, form url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	target := url.URL{Scheme: "https", Host: host, Path: p.uris[op]}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(),
		strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", formContentType)
	if id := Session(ctx); id != "" {
		req.Header.Set(sessionHeader, id)
	}
	res, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("http status %d", res.StatusCode)
	}
	if len(body) > maxAnswerBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrProtocol, maxAnswerBytes)
	}
	return body, nil
}
