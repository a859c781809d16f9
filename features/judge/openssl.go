package judge

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tokenwright/features/programs"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/ca/lint"
)

// The panel's files.
const (
	issuerFile = "issuer.pem"
	listFile   = "list.pem"
)

// panel is OpenSSL with what it judges by, in a folder.
type panel struct {
	dir      string
	subjects []subject
	listed   bool // the revocation list is of this moment
	issuer   *x509.Certificate
}

// convene writes the files: the issuer, its revocation list, and the certificates.
func (p *panel) convene(ctx context.Context) error {
	list, err := fetch(ctx, p.subjects[0].cert.CRLDistributionPoints[0])
	if err != nil {
		return fmt.Errorf("fetching the revocation list: %w", err)
	}
	if err := lint.RevocationList(list); err != nil {
		return fmt.Errorf("revocation list: %w", err)
	}
	issuer, err := fetch(ctx, p.subjects[0].cert.IssuingCertificateURL[0])
	if err != nil {
		return fmt.Errorf("fetching the issuer's certificate: %w", err)
	}
	if p.issuer, err = x509.ParseCertificate(issuer); err != nil {
		return err
	}
	err = errors.Join(p.write(issuerFile, "CERTIFICATE", issuer), p.write(listFile, "X509 CRL", list))
	for i := range p.subjects {
		s := &p.subjects[i]
		s.file = fmt.Sprintf("%d.pem", i)
		err = errors.Join(err, p.write(s.file, "CERTIFICATE", s.cert.Raw))
	}
	return err
}

func (p *panel) write(name, kind string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	return os.WriteFile(filepath.Join(p.dir, name), text, 0o600)
}

func (p *panel) openssl(ctx context.Context, args ...string) (*programs.Result, error) {
	return programs.Run(ctx, programs.Call{Name: "openssl", Args: args, Dir: p.dir})
}

// atOnce bounds the certificates of one command line and of one question.
const atOnce = 16

// verdict finds why openssl verify turned a certificate down, by the number of the error.
var verdict = regexp.MustCompile(`(?m)error (\d+) at \d+ depth`)

// isRevoked is X509_V_ERR_CERT_REVOKED.
const isRevoked = "23"

// verify wants OpenSSL to accept what is valid and to turn down, as revoked, what is not.
func (p *panel) verify(ctx context.Context) error {
	for part := range slices.Chunk(p.subjects, atOnce) {
		args := []string{"verify", "-x509_strict", "-partial_chain", "-CAfile", issuerFile}
		if p.listed {
			args = append(args, "-crl_check", "-CRLfile", listFile)
		}
		for _, s := range part {
			args = append(args, s.file)
		}
		r, err := p.openssl(ctx, args...)
		if err != nil {
			return err
		}
		if err := verified(part, r.Output(), p.listed); err != nil {
			return fmt.Errorf("%w\n%s", err, r)
		}
	}
	return nil
}

func verified(part []subject, output string, listed bool) error {
	revoked := 0
	for _, s := range part {
		want := s.file + ": OK\n"
		if listed && s.State != certdb.Valid {
			revoked++
			want = "error " + s.file + ": verification failed\n"
		}
		if !strings.Contains("\n"+output, "\n"+want) {
			return fmt.Errorf("openssl verify -crl_check does not agree that %s", s.tell())
		}
	}
	found := verdict.FindAllStringSubmatch(output, -1)
	for _, f := range found {
		if f[1] != isRevoked {
			return fmt.Errorf("openssl verify finds another fault than revocation: %s", f[0])
		}
	}
	if len(found) != revoked {
		return fmt.Errorf("%d certificates are revoked, openssl verify finds %d", revoked, len(found))
	}
	return nil
}

func (s subject) tell() string {
	state := map[certdb.State]string{
		certdb.Valid: "valid", certdb.Revoked: "revoked", certdb.OnHold: "on hold",
	}[s.State]
	return fmt.Sprintf("certificate %s (%s, %s) is %s", s.Serial, s.Profile, s.file, state)
}

// reasons are what OpenSSL calls those that a certificate is revoked for. // RFC 5280 §5.3.1
var reasons = []string{
	"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
	"cessationOfOperation", "certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise",
}

// nameless is the first reason that OpenSSL 3.0 shows without its name.
const nameless = 9

// ask puts the questions to the responder, by SHA-1 and by SHA-256 in turn.
func (p *panel) ask(ctx context.Context) error {
	for i := 0; i*atOnce < len(p.subjects); i++ {
		part := p.subjects[i*atOnce : min(len(p.subjects), (i+1)*atOnce)]
		args := []string{
			"ocsp", "-issuer", issuerFile, "-partial_chain", "-CAfile", issuerFile,
			"-url", part[0].cert.OCSPServer[0],
			"-timeout", strconv.Itoa(int(fetchTimeout.Seconds())),
		}
		if i%2 == 0 {
			args = append(args, "-sha256")
		}
		for _, s := range part {
			args = append(args, "-cert", s.file)
		}
		r, err := p.openssl(ctx, args...)
		if err != nil {
			return err
		}
		if err := errors.Join(r.Err(), answered(part, r.Output())); err != nil {
			return fmt.Errorf("%w\n%s", err, r)
		}
	}
	return nil
}

// answered reads what openssl ocsp shows: a line for each certificate, followed by indented ones.
func answered(part []subject, output string) error {
	if !strings.Contains(output, "Response verify OK") {
		return errors.New("openssl ocsp does not accept the answer")
	}
	for _, s := range part {
		_, after, found := strings.Cut("\n"+output, "\n"+s.file+": ")
		state, after, _ := strings.Cut(after, "\n")
		if !found || state != map[bool]string{true: "good", false: "revoked"}[s.State == certdb.Valid] {
			return fmt.Errorf("openssl ocsp shows %q, although %s", state, s.tell())
		}
		if s.State == certdb.Valid || s.Reason == 0 {
			continue
		}
		if want := "Reason: " + reasons[s.Reason] + "\n"; !strings.Contains(details(after), want) &&
			(s.Reason < nameless || !strings.Contains(details(after), "Reason: (UNKNOWN)\n")) {
			return fmt.Errorf("openssl ocsp does not show %q, although %s", want, s.tell())
		}
	}
	return nil
}

// details are the indented lines at the beginning of text.
func details(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "\t") {
			break
		}
		b.WriteString(line)
	}
	return b.String()
}
