package store

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

// CertLister lists certificate records.
type CertLister interface {
	// Certificates returns a page of certificate records, the oldest first.
	Certificates(ctx context.Context, q CertQuery) (CertPage, error)
}

// CertQuery asks for certificate records. Empty fields do not narrow it; the others
// must all hold.
type CertQuery struct {
	CUID     keys.CUID
	UserID   string
	Issuer   string
	Serial   string
	Presence token.Presence
	After    Cursor
	Limit    int
}

// CertPage is one page of an answer.
type CertPage struct {
	Certificates []token.Certificate
	Next         Cursor
}

// CertMark sets the status of every record of one certificate, whichever token
// it is of: tokens that share it never disagree about it.
type CertMark struct {
	token.CertID
	Status token.CertStatus
}

// fillCerts checks the certificate parts of a change and gives them its time.
func (c *Change) fillCerts() error {
	list := append([]token.Certificate(nil), c.Certs...)
	for i := range list {
		n := &list[i]
		if n.CUID != c.CUID {
			return errors.New("certificate of another card")
		}
		n.NotBefore, n.NotAfter = n.NotBefore.UTC(), n.NotAfter.UTC()
		n.Created, n.Modified = c.At, c.At
		if err := n.Validate(); err != nil {
			return err
		}
	}
	c.Certs = list
	c.Drop = append([]token.CertID(nil), c.Drop...)
	c.Mark = append([]CertMark(nil), c.Mark...)
	for _, m := range c.Mark {
		if _, err := token.ParseCertStatus(string(m.Status)); err != nil {
			return fmt.Errorf("marking certificate %s: %w", m.Serial, err)
		}
	}
	return nil
}
