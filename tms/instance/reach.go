package instance

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"tokenwright/tms/connector"
)

// patience is how long, and how often, a TPS looks for the systems that it leans on when it starts.
type patience struct {
	grace time.Duration // they may be starting too
	every time.Duration // before it has said that one does not answer
	again time.Duration // and after
}

var usualPatience = patience{10 * time.Second, 500 * time.Millisecond, 15 * time.Second}

// reachTimeout bounds one question to one host.
const reachTimeout = 5 * time.Second

// reach asks the hosts of a peer how they are, one after the other: a question that leaves no trail.
// A peer that is not ours may not know the question, but it takes or refuses our certificate, and that
// is what counts.
func reach(ctx context.Context, cfg connector.PeerConfig) error {
	c := &http.Client{Timeout: reachTimeout,
		Transport:     &http.Transport{TLSClientConfig: cfg.TLS, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var errs []error
	for host := range strings.FieldsSeq(cfg.Hosts) {
		err := askHealth(ctx, c, host, cfg.Port)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func askHealth(ctx context.Context, c *http.Client, host string, port int) error {
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(host, strconv.Itoa(cmp.Or(port, 8443)))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+PathHealth, nil)
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxSecretFile))
	if res.StatusCode >= http.StatusInternalServerError {
		err = fmt.Errorf("%s answered %s", host, res.Status)
	}
	return errors.Join(err, res.Body.Close())
}

// remote gives the ids of the connectors that lead to other processes.
func (j joined) remote() []string {
	var out []string
	for id, t := range j.tks {
		if _, ok := t.(*connector.TKSClient); ok {
			out = append(out, id)
		}
	}
	for id, c := range j.cas {
		if _, ok := c.(*connector.CAClient); ok {
			out = append(out, id)
		}
	}
	for id, k := range j.kras {
		if _, ok := k.(*connector.KRAClient); ok {
			out = append(out, id)
		}
	}
	return out
}

// lookAround says which of the systems that a TPS leans on do not answer when it starts, and when they
// do. It ends with the last of them, or with ctx.
func (t *tpsPart) lookAround(ctx context.Context, p patience) {
	var work sync.WaitGroup
	defer work.Wait()
	for _, id := range t.joined.remote() {
		cfg, err := peerConfig(t.part, t.conf.Sub("tps.connector."+id), id)
		if err != nil {
			continue // who opened the connection has read the same
		}
		work.Go(func() { t.lookFor(ctx, id, cfg, p) })
	}
}

func (t *tpsPart) lookFor(ctx context.Context, id string, cfg connector.PeerConfig, p patience) {
	begun, told := time.Now(), false
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		err := reach(ctx, cfg)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			if told {
				t.log.Info("answers now", "connector", id)
			}
			return
		case !told && (time.Since(begun) > p.grace || isRefusal(err)):
			told = true
			tick.Reset(p.again)
			t.log.Warn("does not answer: what needs it will fail", "connector", id, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// isRefusal tells an error that waiting does not help with.
func isRefusal(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	alert, ok := errors.AsType[*net.OpError](err) // how crypto/tls tells of one
	return ok && alert.Op == "remote error"
}
