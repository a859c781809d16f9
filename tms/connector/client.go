package connector

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// ClientConfig says how a TPS reaches a TKS. Its fields answer to tps.connector.<id>.* keys.
type ClientConfig struct {
	// Hosts is a blank-separated list of host:port, or of hosts when Port is set, tried in order.
	Hosts string
	Port  int // for entries of Hosts without one
	// URIs overrides paths by operation name (computeSessionKey, createKeySetData, encryptData,
	// computeRandomData).
	URIs map[string]string
	TLS  *tls.Config // must trust the TKS's CA and hold the TPS's client certificate
	// Secret is shared with the TKS.
	Secret *SharedSecret
	// Timeout bounds one request to one host; 0 means DefaultTimeout.
	Timeout  time.Duration
	MaxConns int           // to one host; 0 means 15
	Retry    time.Duration // how long a host that failed is tried last; 0 means 10 s
	KeySet   string        // used when a request names none; "" means DefaultKeySet
	Log      *slog.Logger  // nil discards
}

// TKSClient asks a TKS over HTTPS in the wire form, and is a TKS to its caller. The zero value is
// of no use; see NewTKSClient.
type TKSClient struct {
	hosts   []string
	uris    map[string]string
	secret  *SharedSecret
	timeout time.Duration
	keySet  string
	log     *slog.Logger
	http    *http.Client

	retry  time.Duration
	now    func() time.Time
	mu     sync.Mutex
	failed map[string]time.Time
}

const dialTimeout = 5 * time.Second

// NewTKSClient checks cfg and gives a client. It connects to nobody yet.
func NewTKSClient(cfg ClientConfig) (*TKSClient, error) {
	hosts, err := parseHosts(cfg.Hosts, cfg.Port)
	if err != nil {
		return nil, err
	}
	if cfg.Secret == nil {
		return nil, errors.New("connector to the token key service has no shared secret")
	}
	if cfg.TLS == nil || (len(cfg.TLS.Certificates) == 0 && cfg.TLS.GetClientCertificate == nil) {
		return nil, errors.New("connector to the token key service has no client certificate")
	}
	c := &TKSClient{hosts: hosts, secret: cfg.Secret, log: cfg.Log, now: time.Now,
		uris: map[string]string{
			opSessionKey: PathComputeSessionKey, opKeySetData: PathCreateKeySetData,
			opEncryptData: PathEncryptData, opRandomData: PathComputeRandomData,
		},
		timeout: orDefault(cfg.Timeout, DefaultTimeout), failed: map[string]time.Time{},
		retry: orDefault(cfg.Retry, 10*time.Second), keySet: orDefault(cfg.KeySet, DefaultKeySet)}
	for op, path := range cfg.URIs {
		if _, ok := c.uris[op]; !ok || !strings.HasPrefix(path, "/") {
			return nil, fmt.Errorf("uri.%s: unknown operation or no absolute path", op)
		}
		c.uris[op] = path
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.secret.Legacy() {
		c.log.Warn("secret shared with the token key service is a DES3 key; replace it by AES")
	}
	c.http = &http.Client{Transport: newTransport(cfg, c.timeout),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

func newTransport(cfg ClientConfig, timeout time.Duration) *http.Transport {
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
		return nil, errors.New("connector to the token key service has no host")
	}
	return hosts, nil
}

// Close closes idle connections.
func (c *TKSClient) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// ask sends a request to the first host that answers, in the configured order; hosts that failed
// lately come last. Every request may be repeated, so any failure to get an answer moves on.
func (c *TKSClient) ask(ctx context.Context, op string, form url.Values) (answer, error) {
	var failures []error
	for _, host := range c.order() {
		body, err := c.post(ctx, host, op, form)
		if err == nil {
			c.mark(host, false)
			return readAnswer(body)
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s at %s: %w", op, host, context.Cause(ctx))
		}
		c.mark(host, true)
		c.log.Warn("token key service did not answer", "host", host, "op", op,
			"session", Session(ctx), "error", err)
		failures = append(failures, fmt.Errorf("%s: %w", host, err))
	}
	return nil, fmt.Errorf("%s: %w: %w", op, ErrUnavailable, errors.Join(failures...))
}

func (c *TKSClient) order() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failed) == 0 {
		return c.hosts
	}
	good, bad := make([]string, 0, len(c.hosts)), []string(nil)
	for _, h := range c.hosts {
		if at, ok := c.failed[h]; ok && c.now().Sub(at) < c.retry {
			bad = append(bad, h)
		} else {
			good = append(good, h)
		}
	}
	return append(good, bad...)
}

func (c *TKSClient) mark(host string, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if failed {
		c.failed[host] = c.now()
	} else {
		delete(c.failed, host)
	}
}

func (c *TKSClient) post(ctx context.Context, host, op string, form url.Values) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	target := url.URL{Scheme: "https", Host: host, Path: c.uris[op]}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(),
		strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", formContentType)
	if id := Session(ctx); id != "" {
		req.Header.Set(sessionHeader, id)
	}
	res, err := c.http.Do(req)
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
