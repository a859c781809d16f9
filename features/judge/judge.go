package judge

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/crypto/ocsp"

	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/lint"
)

// Bounds of what is fetched from the authority.
const (
	maxList      = 16 << 20 // bytes
	fetchTimeout = 10 * time.Second
)

// Tokens judges all that an authority has issued for these tokens, by their CUIDs in upper-case hex,
// and tells how many certificates that were. They must not change meanwhile.
func Tokens(ctx context.Context, authority *ca.Authority, cuids ...string) (int, error) {
	var all []subject
	for _, cuid := range cuids {
		if cuid == "" {
			return 0, errors.New("judging the certificates of no token")
		}
		list, err := issued(ctx, authority.DB(), cuid)
		if err != nil {
			return 0, err
		}
		all = append(all, list...)
	}
	return deliver(ctx, all, func() error {
		_, err := authority.IssueCRL(ctx, false)
		return err
	})
}

// Everything judges all that an authority has issued for tokens, which may be another process, by its
// records. Nobody has it make a revocation list of this moment: the states are held against OCSP alone.
func Everything(ctx context.Context, db *certdb.DB) (int, error) {
	all, err := issued(ctx, db, "")
	if err != nil {
		return 0, err
	}
	return deliver(ctx, all, nil)
}

// deliver has the panel judge. list has the authority make a revocation list of this moment, if it can.
func deliver(ctx context.Context, all []subject, list func() error) (n int, err error) {
	if len(all) == 0 {
		return 0, nil
	}
	dir, err := os.MkdirTemp("", "tokenwright-judge-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if list != nil {
		if err := list(); err != nil {
			return 0, err
		}
	}
	p := &panel{dir: dir, subjects: all, listed: list != nil}
	if err := p.convene(ctx); err != nil {
		return 0, err
	}
	for _, s := range all {
		if err := lintAnswer(ctx, p.issuer, s); err != nil {
			return 0, fmt.Errorf("the OCSP answer about certificate %s: %w", s.Serial, err)
		}
	}
	return len(all), errors.Join(p.verify(ctx), p.ask(ctx))
}

// subject is a certificate that is judged, and what the authority says of it.
type subject struct {
	certdb.Record
	cert *x509.Certificate
	file string // in the panel's folder
}

// issued lists what exists for a token, or for all: what was decided on and never signed does not.
func issued(ctx context.Context, db *certdb.DB, cuid string) ([]subject, error) {
	var out []subject
	q := certdb.Query{CUID: cuid, Limit: certdb.MaxPage}
	for {
		page, err := db.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if r.State == certdb.ToBeSigned || r.CUID == "" { // of no token: the responder's own
				continue
			}
			s, err := examine(r)
			if err != nil {
				return nil, fmt.Errorf("certificate %s (%s): %w", r.Serial, r.Profile, err)
			}
			out = append(out, s)
		}
		if len(page) < q.Limit {
			return out, nil
		}
		q.After = &page[len(page)-1]
	}
}

// examine holds a certificate itself against the rules.
func examine(r certdb.Record) (s subject, err error) {
	s.Record = r
	if err = lint.Certificate(r.DER); err != nil {
		return s, err
	}
	if s.cert, err = x509.ParseCertificate(r.DER); err != nil {
		return s, err
	}
	c := s.cert
	switch {
	case len(c.OCSPServer) == 0 || len(c.IssuingCertificateURL) == 0:
		err = errors.New("it does not say where its issuer and the OCSP responder are")
	case len(c.CRLDistributionPoints) == 0:
		err = errors.New("it does not say where its revocation list is")
	case len(c.SubjectKeyId) == 0 || len(c.AuthorityKeyId) == 0:
		err = errors.New("it lacks a key identifier")
	}
	return s, err
}

// lintAnswer holds the answer to a question about one certificate, without nonce, against the rules: it
// is the one that was signed before anybody asked.
func lintAnswer(ctx context.Context, issuer *x509.Certificate, s subject) error {
	question, err := ocsp.CreateRequest(s.cert, issuer, nil)
	if err != nil {
		return err
	}
	answer, err := exchange(ctx, http.MethodPost, s.cert.OCSPServer[0], question)
	if err != nil {
		return err
	}
	said, err := ocsp.ParseResponseForCert(answer, s.cert, issuer)
	if err != nil {
		return err
	}
	want := ocsp.Good
	if s.State != certdb.Valid {
		want = ocsp.Revoked
	}
	if said.Status != want || want == ocsp.Revoked && said.RevocationReason != int(s.Reason) {
		return fmt.Errorf("it says state %d and reason %d, although %s", said.Status,
			said.RevocationReason, s.tell())
	}
	return lint.OCSP(answer)
}

// fetch gets what an authority offers to everybody.
func fetch(ctx context.Context, url string) ([]byte, error) {
	return exchange(ctx, http.MethodGet, url, nil)
}

var client = &http.Client{Timeout: fetchTimeout}

func exchange(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/ocsp-request")
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxList+1))
	if err == nil && len(b) > maxList {
		err = fmt.Errorf("%s: more than %d bytes", url, maxList)
	}
	return b, err
}
