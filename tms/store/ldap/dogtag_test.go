package ldap_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"tokenwright/features/servers"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/store/ldap"
	"tokenwright/tms/store/migrate"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
)

// put adds an entry as Dogtag does.
func put(t *testing.T, c *goldap.Conn, dn, class string, attrs map[string]string) {
	t.Helper()
	add := goldap.NewAddRequest(dn, nil)
	add.Attribute("objectClass", []string{"top", class})
	for name, value := range attrs {
		add.Attribute(name, []string{value})
	}
	require.NoError(t, c.Add(add), dn)
}

// fillAsDogtag makes the directory that a Dogtag TPS leaves: places, two tokens, a certificate, and
// some activities.
func fillAsDogtag(t *testing.T, d *servers.Directory, activities int) ldap.Config {
	t.Helper()
	conf, err := d.Fresh()
	require.NoError(t, err)
	c, err := d.Root()
	require.NoError(t, err)
	defer c.Close()
	for _, ou := range []string{"Tokens", "Activities", "Certificates"} {
		put(t, c, "ou="+ou+","+conf.BaseDN, "organizationalUnit", map[string]string{"ou": ou})
	}
	put(t, c, "cn=40906145C76224192D2B,ou=Tokens,"+conf.BaseDN, "tokenRecord", map[string]string{
		"cn": "40906145C76224192D2B", "dateOfCreate": "20230102030405Z", "tokenUserID": "alice",
		"dateOfModify": "20230203040506Z", "tokenType": "userKey", "tokenStatus": "ACTIVE",
		"tokenAppletID": "1.4.58768072", "keyInfo": "0101", "tokenPolicy": "RE_ENROLL=YES;RENEW=NO",
	})
	put(t, c, "cn=40906145C76224192D2C,ou=Tokens,"+conf.BaseDN, "tokenRecord", map[string]string{
		"cn": "40906145C76224192D2C", "dateOfCreate": "20230102030405Z", "tokenUserID": "bob",
		"dateOfModify": "20230303040506Z", "tokenStatus": "lost", "tokenReason": "onHold",
	})
	put(t, c, "cn=2a.20230102030405,ou=Certificates,"+conf.BaseDN, "tokenCert", map[string]string{
		"cn": "2a.20230102030405", "tokenSerial": "0x2A", "tokenIssuer": "CN=CA Signing Certificate",
		"tokenSubject": "UID=alice", "tokenID": "40906145C76224192D2B", "tokenUserID": "alice",
		"tokenOrigin": "40906145C76224192D2B", "tokenKeyType": "signing", "tokenType": "userKey",
		"tokenStatus": "active", "tokenNotBefore": "20230102030405Z", "tokenNotAfter": "20250102030405Z",
		"dateOfCreate": "20230102030405Z", "dateOfModify": "20230102030405Z",
	})
	for n := range activities {
		name := fmt.Sprintf("%d.3f", 1_672_628_645_000_000+n)
		put(t, c, "cn="+name+",ou=Activities,"+conf.BaseDN, "tokenActivity", map[string]string{
			"cn": name, "tokenID": "40906145C76224192D2B", "tokenUserID": "alice", "tokenIP": "192.0.2.1",
			"tokenOp": "cert_restoration", "tokenResult": "success", "tokenMsg": fmt.Sprint(n),
			"tokenType": "userKey", "dateOfCreate": fmt.Sprintf("202301020304%02dZ", n/20),
		})
	}
	return conf
}

func parseCUID(t *testing.T, text string) keys.CUID {
	t.Helper()
	id, err := keys.ParseCUID(text)
	require.NoError(t, err)
	return id
}

// What Dogtag wrote is read as it is, and stays readable beside what is changed.
func TestDogtagsRecords(t *testing.T) {
	for name, starter := range directories {
		t.Run(name, func(t *testing.T) {
			c := fillAsDogtag(t, start(t, starter), 500)
			for _, readOnly := range []bool{true, false} {
				c.ReadOnly = readOnly
				s, err := ldap.Open(t.Context(), c)
				require.NoError(t, err)
				checkDogtags(t, s)
				if !readOnly {
					changeDogtags(t, s)
				} else {
					_, err := s.Apply(t.Context(), store.Change{CUID: mine, Actor: "a", Why: "w", At: began,
						Activities: []token.Activity{{Op: token.OpFormat, Result: token.Success}}})
					require.Error(t, err)
				}
				require.NoError(t, s.Close())
			}
		})
	}
}

func checkDogtags(t *testing.T, s *ldap.Store) {
	t.Helper()
	id := parseCUID(t, "40906145C76224192D2B")
	rec, err := s.Token(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, token.Record{
		CUID: id, UserID: "alice", Type: "userKey", Status: token.Active, AppletID: "1.4.58768072",
		KeyInfo: "0101", Policy: token.Policy{}.With(token.ReEnroll, true).With(token.Renew, false),
		Created: time.Date(2023, 1, 2, 3, 4, 5, 0, time.UTC), Rev: 1,
		Modified: time.Date(2023, 2, 3, 4, 5, 6, 0, time.UTC),
	}, rec)
	page, err := s.Tokens(t.Context(), store.TokenQuery{Status: []token.State{token.Suspended}})
	require.NoError(t, err)
	require.Len(t, page.Tokens, 1)
	require.Equal(t, "bob", page.Tokens[0].UserID)
	require.Equal(t, token.ReasonOnHold, page.Tokens[0].Reason)
	certs, err := s.Certificates(t.Context(), store.CertQuery{CUID: id})
	require.NoError(t, err)
	require.Len(t, certs.Certificates, 1)
	require.Equal(t, "2a", certs.Certificates[0].Serial)
	require.Equal(t, token.Held, certs.Certificates[0].Presence)
	seen := 0
	for q := (store.ActivityQuery{Limit: 40, Op: token.OpCertUnrevocation}); ; {
		page, err := s.Activities(t.Context(), q)
		require.NoError(t, err)
		for _, a := range page.Activities {
			require.Equal(t, fmt.Sprint(499-seen), a.Message)
			require.Equal(t, token.OpCertUnrevocation, a.Op)
			seen++
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	require.Equal(t, 500, seen)
}

// changeDogtags changes a token and a certificate of Dogtag's as if they were ours.
func changeDogtags(t *testing.T, s *ldap.Store) {
	t.Helper()
	id := parseCUID(t, "40906145C76224192D2B")
	rec, err := s.Token(t.Context(), id)
	require.NoError(t, err)
	next := rec.InState(token.PermLost)
	c := store.Change{CUID: id, Old: &rec, New: &next, Actor: "agent", Why: "lost", At: time.Now(),
		Activities: []token.Activity{{Op: token.OpStatusChange, Result: token.Success}},
		Mark: []store.CertMark{{Status: token.CertRevoked,
			CertID: token.CertID{Issuer: "CN=CA Signing Certificate", Serial: "2a"}}}}
	got, err := s.Apply(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, int64(2), got.Rev)
	require.Equal(t, rec.Created, got.Created)
	_, err = s.Apply(t.Context(), c)
	require.ErrorIs(t, err, store.ErrConflict)
	certs, err := s.Certificates(t.Context(), store.CertQuery{CUID: id})
	require.NoError(t, err)
	require.Len(t, certs.Certificates, 1)
	require.Equal(t, token.CertRevoked, certs.Certificates[0].Status)
	page, err := s.Tokens(t.Context(), store.TokenQuery{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, []token.Record{got}, page.Tokens, "the latest is first, whoever wrote it")
	require.NotEmpty(t, page.Next)
	acts, err := s.Activities(t.Context(), store.ActivityQuery{Limit: 30})
	require.NoError(t, err)
	require.Equal(t, token.OpStatusChange, acts.Activities[0].Op)
	require.Equal(t, "499", acts.Activities[1].Message)
}

// A directory without our schema can be read, and is refused otherwise.
func TestDirectoryWithoutOurSchema(t *testing.T) {
	bare := map[string]func(context.Context) (*servers.Directory, error){
		"slapd": func(ctx context.Context) (*servers.Directory, error) {
			return servers.StartSlapd(ctx, servers.SlapdOptions{OnlyDogtag: true})
		},
		"389-ds": func(ctx context.Context) (*servers.Directory, error) {
			return servers.Start389As(ctx, true)
		},
	}
	for name, starter := range bare {
		t.Run(name, func(t *testing.T) {
			c := fillAsDogtag(t, start(t, starter), 500)
			_, err := ldap.Open(t.Context(), c)
			require.ErrorIs(t, err, ldap.ErrNoSchema)
			c.ReadOnly = true
			s, err := ldap.Open(t.Context(), c)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			checkDogtags(t, s)
			counts, err := s.Count(t.Context())
			require.NoError(t, err)
			require.Equal(t, store.Counts{Tokens: 2, Activities: 500, Certificates: 1}, counts)
		})
	}
}

// The key identifier of the CA stands where Dogtag puts it, in the server that lets it.
func TestDogtagsAuthority(t *testing.T) {
	d := start(t, servers.Start389)
	conf := fillAsDogtag(t, d, 0)
	c, err := d.Root()
	require.NoError(t, err)
	defer c.Close()
	m := goldap.NewModifyRequest("cn=2a.20230102030405,ou=Certificates,"+conf.BaseDN, nil)
	m.Replace("userCertificate", []string{base64.StdEncoding.EncodeToString([]byte{1, 0xAB})})
	require.NoError(t, c.Modify(m))
	s, err := ldap.Open(t.Context(), conf)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	certs, err := s.Certificates(t.Context(), store.CertQuery{Serial: "2a"})
	require.NoError(t, err)
	require.Equal(t, "01ab", certs.Certificates[0].Authority)
}

// A Dogtag directory is copied into another home without being sorted.
func TestDogtagsRecordsAreCopied(t *testing.T) {
	c := fillAsDogtag(t, start(t, servers.Start389), 700)
	c.ReadOnly = true
	from, err := ldap.Open(t.Context(), c)
	require.NoError(t, err)
	defer func() { require.NoError(t, from.Close()) }()
	to, err := sql.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, to.Close()) }()
	calls := 0
	got, err := migrate.Run(t.Context(), from, to, migrate.Options{
		State:    filepath.Join(t.TempDir(), "state"),
		Progress: func(_, _ store.Counts) { calls++ },
	})
	require.NoError(t, err)
	require.Equal(t, store.Counts{Tokens: 2, Activities: 700, Certificates: 1}, got)
	require.Equal(t, 5, calls, "a page of tokens, of intents and of certificates, two of activities")
	rec, err := to.Token(t.Context(), parseCUID(t, "40906145C76224192D2B"))
	require.NoError(t, err)
	require.Equal(t, "alice", rec.UserID)
	acts, err := to.Activities(t.Context(), store.ActivityQuery{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, "699", acts.Activities[0].Message)
}
