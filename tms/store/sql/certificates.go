package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strconv"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

const certColumns = `id, cuid, issuer, serial, origin, subject, authority, ca, kra, key_id,
	user_id, type, key_type, container, status, presence, not_before, not_after, created, modified`

// certStatement adds a record, or replaces all of it but what it began with.
const certStatement = `INSERT INTO certificates
	(cuid, issuer, serial, origin, subject, authority, ca, kra, key_id, user_id, type, key_type,
		container, status, presence, not_before, not_after, created, modified)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (cuid, issuer, serial) DO UPDATE SET origin = excluded.origin,
		subject = excluded.subject, authority = excluded.authority, ca = excluded.ca,
		kra = excluded.kra, key_id = excluded.key_id, user_id = excluded.user_id,
		type = excluded.type, key_type = excluded.key_type, container = excluded.container,
		status = excluded.status, presence = excluded.presence,
		not_before = excluded.not_before, not_after = excluded.not_after,
		modified = excluded.modified`

const (
	dropText = "DELETE FROM certificates WHERE cuid = ? AND issuer = ? AND serial = ?"
	markText = "UPDATE certificates SET status = ?, modified = ? WHERE issuer = ? AND serial = ?"
)

// certificates makes the certificates' part of a change.
func certificates(ctx context.Context, t tx, c store.Change) error {
	for _, n := range c.Certs {
		_, err := t.Exec(ctx, certStatement, n.CUID.String(), n.Issuer, n.Serial, n.Origin.String(),
			n.Subject, n.Authority, n.CA, n.KRA, n.KeyID, n.UserID, n.Type, n.KeyType, n.Container,
			string(n.Status), string(n.Presence), nanos(n.NotBefore), nanos(n.NotAfter),
			nanos(n.Created), nanos(n.Modified))
		if err != nil {
			return fmt.Errorf("certificate %s: %w", n.Serial, err)
		}
	}
	for _, id := range c.Drop {
		if _, err := t.Exec(ctx, dropText, c.CUID.String(), id.Issuer, id.Serial); err != nil {
			return fmt.Errorf("dropping certificate %s: %w", id.Serial, err)
		}
	}
	for _, m := range c.Mark {
		_, err := t.Exec(ctx, markText, string(m.Status), nanos(c.At), m.Issuer, m.Serial)
		if err != nil {
			return fmt.Errorf("marking certificate %s: %w", m.Serial, err)
		}
	}
	return nil
}

// Certificates returns a page of certificate records, the oldest first.
func (s *Store) Certificates(ctx context.Context, cq store.CertQuery) (store.CertPage, error) {
	size, err := store.PageSize(cq.Limit)
	if err != nil {
		return store.CertPage{}, err
	}
	q, err := certQuery(cq)
	if err != nil {
		return store.CertPage{}, err
	}
	rows, err := list(ctx, s, q.text(certColumns, "certificates", "id", size+1), q.args, scanCert)
	if err != nil {
		return store.CertPage{}, fmt.Errorf("listing certificates: %w", err)
	}
	var page store.CertPage
	if len(rows) > size {
		rows = rows[:size]
		last := rows[size-1]
		page.Next = store.Position{At: last.Created, Key: strconv.FormatInt(last.id, 10)}.Cursor()
	}
	for _, r := range rows {
		page.Certificates = append(page.Certificates, r.Certificate)
	}
	return page, nil
}

func certQuery(cq store.CertQuery) (query, error) {
	var q query
	if (cq.CUID != keys.CUID{}) {
		q.where("cuid = ?", cq.CUID.String())
	}
	q.equal("user_id", cq.UserID)
	q.equal("issuer", cq.Issuer)
	q.equal("serial", cq.Serial)
	q.equal("presence", string(cq.Presence))
	p, ok, err := cq.After.Position()
	if !ok {
		return q, err
	}
	id, err := positionID(p)
	q.where("id > ?", id)
	return q, err
}

// certRow is a record with its place in the order of recording.
type certRow struct {
	token.Certificate
	id int64
}

// scanCert reads a row of certColumns.
func scanCert(rows *stdsql.Rows) (certRow, error) {
	var (
		c                                      certRow
		cuid, origin, status, presence         string
		notBefore, notAfter, created, modified int64
		e1, e2, e3, e4                         error
	)
	err := rows.Scan(&c.id, &cuid, &c.Issuer, &c.Serial, &origin, &c.Subject, &c.Authority, &c.CA,
		&c.KRA, &c.KeyID, &c.UserID, &c.Type, &c.KeyType, &c.Container, &status, &presence,
		&notBefore, &notAfter, &created, &modified)
	if err != nil {
		return c, err
	}
	c.CUID, e1 = keys.ParseCUID(cuid)
	c.Origin, e2 = keys.ParseCUID(origin)
	c.Status, e3 = token.ParseCertStatus(status)
	c.Presence, e4 = token.ParsePresence(presence)
	c.NotBefore, c.NotAfter = fromNanos(notBefore), fromNanos(notAfter)
	c.Created, c.Modified = fromNanos(created), fromNanos(modified)
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		return c, fmt.Errorf("stored certificate %q: %w", c.Serial, err)
	}
	return c, nil
}
