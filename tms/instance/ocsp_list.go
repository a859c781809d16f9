package instance

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"tokenwright/tms/ca/ocsp"
)

// Bounds of fetching a list.
const (
	maxList     = 64 << 20 // bytes: about a million entries
	listTimeout = time.Minute
	listRetry   = 15 * time.Second
)

// listSource is a CA's revocation list, fetched from time to time.
type listSource struct {
	*ocsp.List
	from   string // path or URL
	every  time.Duration
	client *http.Client // nil for a path
	log    *slog.Logger
}

// newListSource makes it, and fetches the list once. A list that is not to be had yet keeps nothing from
// starting: questions are answered with "try later" meanwhile.
func newListSource(p *part, c *ocspCA, from string, o ocsp.Options) (*listSource, error) {
	every, err := c.conf.Duration("crl.refresh", 5*time.Minute, time.Second, 24*time.Hour)
	good, gerr := c.conf.Bool("crl.notFoundAsGood", true)
	if err = errors.Join(err, gerr); err != nil {
		return nil, err
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	l := &listSource{List: ocsp.NewList(o.Issuer, !good, now), from: from, every: every, log: o.Log}
	if u, err := url.Parse(from); err == nil && strings.Contains(from, "://") {
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, c.conf.Errorf("crl", "want a path, http://… or https://…")
		}
		pool, err := loadPool(p.dir)
		if err != nil {
			return nil, err
		}
		l.client = &http.Client{Timeout: listTimeout, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			IdleConnTimeout: listTimeout, MaxIdleConns: 1}}
	} else {
		l.from = under(p.dir, from)
	}
	if err := l.update(context.Background()); err != nil {
		l.log.Warn("no revocation list yet: questions are told to try later", "from", l.from, "error", err)
	}
	return l, nil
}

// follow fetches the list again and again until ctx ends.
func (l *listSource) follow(ctx context.Context) {
	timer := time.NewTimer(l.rest(nil))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := l.update(ctx)
		if err != nil && ctx.Err() == nil {
			l.log.Error("revocation list not fetched", "from", l.from, "holdsUntil", l.Until(), "error", err)
		}
		timer.Reset(l.rest(err))
	}
}

// rest is how long to wait: less when there is no list, or fetching it failed.
func (l *listSource) rest(err error) time.Duration {
	if err != nil || l.Until().IsZero() {
		return min(l.every, listRetry)
	}
	return l.every
}

func (l *listSource) update(ctx context.Context) error {
	der, err := l.fetch(ctx)
	if err != nil {
		return err
	}
	changed, err := l.Take(der)
	if changed {
		l.log.Info("new revocation list", "from", l.from, "holdsUntil", l.Until())
	}
	return err
}

func (l *listSource) fetch(ctx context.Context) ([]byte, error) {
	if l.client == nil {
		f, err := os.Open(l.from)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		return readList(f)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.from, nil)
	if err != nil {
		return nil, err
	}
	res, err := l.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", req.URL.Redacted(), res.Status)
	}
	return readList(res.Body)
}

func readList(r io.Reader) ([]byte, error) {
	der, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err == nil && len(der) > maxList {
		err = fmt.Errorf("revocation list has more than %d bytes", maxList)
	}
	return der, err
}
