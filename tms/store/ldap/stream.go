package ldap

import (
	"context"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/store"
)

// streamPage is how many entries are read and handed on at once.
const streamPage = 500

// Stream gives everything of one list (tokens, activities, certificates) in no order, a page at a time,
// where Dogtag has written to it: such lists can't be put in order without reading all of them. ok is
// false where Tokens and so on can. An entry that can't be read ends it with an error.
func (s *Store) Stream(ctx context.Context, list string, each func(store.Batch) error) (
	ok bool, err error,
) {
	place, class := name{}, ""
	switch list {
	case "tokens":
		place, class = s.tokens, "tokenRecord"
	case "activities":
		place, class = s.activities, "tokenActivity"
	case "certificates":
		place, class = s.certs, "tokenCert"
	default:
		return false, fmt.Errorf("%w: no list %q", store.ErrInvalid, list)
	}
	if !s.isForeign(place) {
		return false, nil
	}
	page := ldap.NewControlPaging(streamPage)
	err = s.pool.once(ctx, func(c *ldap.Conn) error {
		defer context.AfterFunc(ctx, func() { _ = c.Close() })()
		for {
			res, err := c.Search(ldap.NewSearchRequest(place.text, ldap.ScopeSingleLevel,
				ldap.NeverDerefAliases, 0, 0, false, equals("objectClass", class).text, nil,
				[]ldap.Control{page}))
			if err != nil {
				return err
			}
			b, err := batch(list, res.Entries)
			if err == nil {
				err = each(b)
			}
			next, _ := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
			if err != nil || next == nil || len(next.Cookie) == 0 {
				return err
			}
			page.SetCookie(next.Cookie)
		}
	})
	return true, err
}

// batch reads entries of one list.
func batch(list string, entries []*ldap.Entry) (b store.Batch, err error) {
	for _, e := range entries {
		if e.GetAttributeValue("tmsAbsent") == absent {
			continue
		}
		switch list {
		case "tokens":
			r, err := readRecord(e)
			if err != nil {
				return b, err
			}
			b.Tokens = append(b.Tokens, r)
		case "activities":
			a, err := readActivity(e)
			if err != nil {
				return b, err
			}
			b.Activities = append(b.Activities, a)
		default:
			c, err := readCert(e)
			if err != nil {
				return b, err
			}
			b.Certificates = append(b.Certificates, c)
		}
	}
	return b, nil
}
