package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// cert returns the record of the certificate with this serial number on card n.
func cert(n int, serial string) token.Certificate {
	return token.Certificate{
		CertID: token.CertID{Issuer: "CN=Issuing CA,O=Example", Serial: serial},
		CUID:   cuid(n), Origin: cuid(n), Subject: "UID=élodie", Authority: "00ff10",
		CA: "ca1", KRA: "kra1", KeyID: "17", UserID: "élodie", Type: "userKey",
		KeyType: "encryption", Container: 2, Status: token.CertActive, Presence: token.Pending,
		NotBefore: epoch, NotAfter: epoch.AddDate(5, 0, 0),
	}
}

// certificates returns the first page of an answer.
func (f *fixture) certificates(q store.CertQuery) []token.Certificate {
	f.t.Helper()
	page, err := f.Certificates(f.ctx, q)
	if err != nil {
		f.t.Fatalf("Certificates: %v", err)
	}
	return page.Certificates
}

func testCertificates(t *testing.T, f *fixture) {
	rec := f.add(1, 0, nil)
	want := cert(1, "2a")
	c := change(1, 1)
	c.Old, c.New = &rec, &rec
	c.Certs = []token.Certificate{want}
	rec = f.apply(c)
	want.Created, want.Modified = epoch.Add(time.Second), epoch.Add(time.Second)
	same(t, "added", f.certificates(store.CertQuery{CUID: cuid(1)}), []token.Certificate{want})

	want.Presence, want.Container, want.KeyID = token.Held, 3, ""
	c = change(1, 2)
	c.Old, c.New = &rec, &rec
	c.Certs = []token.Certificate{want}
	stale := rec
	rec = f.apply(c)
	want.Modified = epoch.Add(2 * time.Second)
	same(t, "replaced", f.certificates(store.CertQuery{CUID: cuid(1)}), []token.Certificate{want})

	c.Old, c.Certs = &stale, []token.Certificate{cert(1, "2b")}
	f.refused(c, store.ErrConflict)
	same(t, "after a conflict", f.certificates(store.CertQuery{}), []token.Certificate{want})

	c = change(1, 3)
	c.Old, c.New = &rec, &rec
	c.Drop = []token.CertID{want.CertID, {Issuer: "CN=nobody", Serial: "1"}}
	f.apply(c)
	same(t, "dropped", f.certificates(store.CertQuery{}), nil)
}

// testSharedCertificates has one certificate on two tokens and another beside it.
func testSharedCertificates(t *testing.T, f *fixture) {
	for n := 1; n <= 2; n++ {
		f.add(n, 0, nil)
		c := change(n, n)
		shared := cert(n, "abc")
		shared.Origin, shared.Presence = cuid(1), token.Held
		c.Certs = []token.Certificate{shared, cert(n, fmt.Sprintf("%x", 0x100+n))}
		f.apply(c)
	}
	c := change(1, 5)
	c.Mark = []store.CertMark{{CertID: cert(1, "abc").CertID, Status: token.CertOnHold}}
	f.apply(c)
	for n := 1; n <= 2; n++ {
		for _, got := range f.certificates(store.CertQuery{CUID: cuid(n)}) {
			want := token.CertActive
			if got.Serial == "abc" {
				want = token.CertOnHold
			}
			equal(t, fmt.Sprintf("status of %s on card %d", got.Serial, n), got.Status, want)
		}
	}
	id := cert(1, "abc").CertID
	for what, c := range map[string]struct {
		q    store.CertQuery
		want int
	}{
		"of the certificate": {store.CertQuery{Issuer: id.Issuer, Serial: id.Serial}, 2},
		"of the user":        {store.CertQuery{UserID: "élodie"}, 4},
		"of nobody":          {store.CertQuery{UserID: "bob"}, 0},
		"pending":            {store.CertQuery{Presence: token.Pending}, 2},
		"held by card 2":     {store.CertQuery{Presence: token.Held, CUID: cuid(2)}, 1},
	} {
		equal(t, what, len(f.certificates(c.q)), c.want)
	}
}

func testCertificatePages(t *testing.T, f *fixture) {
	f.add(1, 0, nil)
	var want []string
	for n := range 25 {
		serial := fmt.Sprintf("%x", n+1)
		c := change(1, n+1)
		c.Certs = []token.Certificate{cert(1, serial)}
		f.apply(c)
		want = append(want, serial)
	}
	var got []string
	for q := (store.CertQuery{CUID: cuid(1), Limit: 7}); ; {
		page, err := f.Certificates(f.ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Certificates {
			got = append(got, c.Serial)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	same(t, "pages", got, want)
}

func testSenselessCertificates(t *testing.T, f *fixture) {
	f.add(1, 0, nil)
	for name, edit := range map[string]func(*token.Certificate){
		"another card":     func(c *token.Certificate) { c.CUID = cuid(2) },
		"no origin":        func(c *token.Certificate) { c.Origin = [10]byte{} },
		"no issuer":        func(c *token.Certificate) { c.Issuer = "" },
		"no serial":        func(c *token.Certificate) { c.Serial = "" },
		"upper-case":       func(c *token.Certificate) { c.Serial = "AB" },
		"leading zero":     func(c *token.Certificate) { c.Serial = "0a" },
		"long serial":      func(c *token.Certificate) { c.Serial = strings.Repeat("1", 41) },
		"unknown status":   func(c *token.Certificate) { c.Status = "good" },
		"unknown presence": func(c *token.Certificate) { c.Presence = "" },
		"no container":     func(c *token.Certificate) { c.Container = 16 },
		"line break":       func(c *token.Certificate) { c.Subject = "a\nb" },
	} {
		bad := cert(1, "ab")
		edit(&bad)
		c := change(1, 1)
		c.Certs = []token.Certificate{bad}
		t.Run(name, func(t *testing.T) {
			g := *f
			g.t = t
			g.refused(c, store.ErrInvalid)
		})
	}
	c := change(1, 1)
	c.Mark = []store.CertMark{{CertID: cert(1, "ab").CertID, Status: "lost"}}
	f.refused(c, store.ErrInvalid)
}
