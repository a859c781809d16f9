package ldap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

var certClasses = []string{"tokenCert", "tmsCertificate"}

// certName names a certificate's entry of a card.
func (s *Store) certName(id certOf) name {
	sum := sha256.Sum256([]byte(id.CUID + "\n" + id.Issuer))
	return s.certs.child("cn", id.Serial+"."+hex.EncodeToString(sum[:10]))
}

// certEntries finds the entries of a certificate, on all cards or on one. The directory compares
// without regard to case; this does not.
func (s *Store) certEntries(ctx context.Context, id token.CertID, cuid string) (
	[]*ldap.Entry, error,
) {
	what := []filter{or(equals("tokenSerial", "0x"+id.Serial), equals("tokenSerial", id.Serial))}
	if cuid != "" {
		what = append(what, equals("tokenID", cuid))
	}
	found, err := s.pool.all(ctx, search{s.certs, ldap.ScopeSingleLevel, and(what...), nil, 0}, mostRead)
	if err != nil {
		return nil, err
	}
	var out []*ldap.Entry
	for _, e := range found {
		if c, err := readCert(e); err == nil && c.CertID == id {
			out = append(out, e)
		}
	}
	return out, nil
}

// putCert adds a record, or puts it in the place of an older one.
func (s *Store) putCert(ctx context.Context, c token.Certificate, tick int64) error {
	id := certOf{c.CertID, c.CUID.String()}
	for {
		e, err := s.certEntry(ctx, id)
		if err != nil {
			return err
		}
		if e == nil {
			err = s.pool.add(ctx, s.certName(id), certClasses,
				append(certAttrs(c), one("tmsSeq", newSeq(tick))))
		} else {
			if e.GetAttributeValue("tmsAbsent") != absent {
				if was, err := readCert(e); err == nil {
					c.Created = was.Created
				}
			}
			err = s.changeCert(ctx, e, tick, append(certAttrs(c), one("tmsAbsent", "")))
		}
		if !isContended(err) {
			return err
		}
	}
}

// certEntry answers a card's entry of a certificate, wherever it is; nil if there is none.
func (s *Store) certEntry(ctx context.Context, id certOf) (*ldap.Entry, error) {
	e, err := s.pool.read(ctx, s.certName(id))
	if err != nil || e != nil {
		return e, err
	}
	found, err := s.certEntries(ctx, id.CertID, id.CUID)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// changeCert writes attributes of a certificate's entry, unless a later change has come before.
func (s *Store) changeCert(ctx context.Context, e *ldap.Entry, tick int64, attrs []attr) error {
	m := modify(name{e.DN})
	switch seq := e.GetAttributeValue("tmsSeq"); seq {
	case "": // Dogtag's
		m.req.Add("objectClass", []string{"tmsCertificate"})
		m.req.Add("tmsSeq", []string{newSeq(tick)})
	default:
		if before, err := seqTick(seq); err != nil || before >= tick {
			return err
		}
		m.swap("tmsSeq", seq, newSeq(tick))
	}
	for _, a := range attrs {
		if len(a.values) == 0 || a.values[0] == "" {
			a.values = nil
		}
		m.req.Replace(a.name, a.values)
	}
	return s.pool.modify(ctx, m)
}

// dropCert leaves an entry that says that there is no record any more: a delete could hit one that
// was added again.
func (s *Store) dropCert(ctx context.Context, id certOf, tick int64) error {
	for {
		e, err := s.certEntry(ctx, id)
		if err != nil || e == nil {
			return err
		}
		err = s.changeCert(ctx, e, tick, []attr{one("tmsAbsent", absent), one("tmsWhen", ""),
			one("tmsPresence", "")})
		if !isContended(err) {
			return err
		}
	}
}

// markCert sets the status of all records of a certificate. Records that earlier changes still have in
// their outbox are written first.
func (s *Store) markCert(ctx context.Context, mark store.CertMark, at time.Time, tick int64) error {
	if err := s.deliverCert(ctx, mark.CertID, tick); err != nil {
		return err
	}
	found, err := s.certEntries(ctx, mark.CertID, "")
	if err != nil {
		return err
	}
	for _, e := range found {
		if err := s.markOne(ctx, e, mark.Status, at, tick); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) markOne(ctx context.Context, e *ldap.Entry, status token.CertStatus, at time.Time,
	tick int64,
) error {
	for {
		c, err := readCert(e)
		if err != nil {
			return err
		}
		attrs := []attr{one("tokenStatus", string(status)), one("dateOfModify", dogtagTime(at)),
			one("tmsModified", exact(at))}
		if e.GetAttributeValue("tmsSeq") == "" {
			c.Status, c.Modified = status, at
			attrs = certAttrs(c)
		}
		if err = s.changeCert(ctx, e, tick, attrs); !isContended(err) {
			return err
		}
		if e, err = s.pool.read(ctx, name{e.DN}); err != nil || e == nil {
			return err
		}
	}
}

// deliverCert writes what outboxes hold of a certificate from before a change.
func (s *Store) deliverCert(ctx context.Context, id token.CertID, before int64) error {
	entries, err := s.outboxes(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		for _, text := range e.GetAttributeValues("tmsOutbox") {
			var i item
			if err := json.Unmarshal([]byte(text), &i); err != nil {
				return err
			}
			if i.Cert == nil || i.Cert.CertID != id || i.Tick >= before {
				continue
			}
			if err := s.putCert(ctx, *i.Cert, i.Tick); err != nil {
				return err
			}
		}
	}
	return nil
}
