package ldappub_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/features/loopback"
	"tokenwright/tms/ca/ldappub"
)

const people = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: uid=anna,dc=example,dc=com
objectClass: inetOrgPerson
uid: anna
cn: Anna
sn: A

dn: uid=twin,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: Twin
sn: T

dn: cn=twin,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: twin
sn: T

dn: cn=ca1,dc=example,dc=com
objectClass: applicationProcess
objectClass: pkiCA
objectClass: deltaCRL
cn: ca1
`

const (
	writer   = "cn=writer,dc=example,dc=com"
	password = "a password of these tests"
)

// slapd is a real directory, which can be stopped and started.
type slapd struct {
	t             *testing.T
	program, conf string
	url           string
	cmd           *exec.Cmd
}

// newSlapd makes one. Without the program the test is skipped, except where skipping would hide it.
func newSlapd(t *testing.T) *slapd {
	t.Helper()
	s := &slapd{t: t}
	var err error
	if s.program, err = exec.LookPath("slapd"); err != nil {
		s.program = "/usr/sbin/slapd"
	}
	if _, err := os.Stat(s.program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("slapd is not installed, and in CI it has to be")
		}
		t.Skip("slapd is not installed")
	}
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	s.conf = write("slapd.conf", strings.Join([]string{
		"include /etc/ldap/schema/core.schema", "include /etc/ldap/schema/cosine.schema",
		"include /etc/ldap/schema/inetorgperson.schema", "modulepath /usr/lib/ldap", "moduleload back_mdb",
		"pidfile " + filepath.Join(dir, "pid"), "database mdb", "suffix dc=example,dc=com",
		"rootdn " + writer, `rootpw "` + password + `"`, "directory " + filepath.Join(dir, "db"), "",
	}, "\n"))
	out, err := exec.Command(s.program, "-Tadd", "-f", s.conf, "-l", write("people.ldif", people)).CombinedOutput()
	require.NoError(t, err, string(out))
	port, err := loopback.Port()
	require.NoError(t, err)
	s.url = "ldap://" + loopback.Addr(port)
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *slapd) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program, "-d", "0", "-f", s.conf, "-h", s.url+"/")
	require.NoError(s.t, s.cmd.Start())
	require.Eventually(s.t, func() bool {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "ldap://"))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
}

func (s *slapd) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// values gives what an entry holds.
func (s *slapd) values(dn, attr string) [][]byte {
	s.t.Helper()
	c, err := ldap.DialURL(s.url)
	require.NoError(s.t, err)
	defer c.Close()
	res, err := c.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 1, 5, false, "(objectClass=*)", []string{attr}, nil))
	require.NoError(s.t, err)
	return res.Entries[0].GetRawAttributeValues(attr)
}

func (s *slapd) config() ldappub.Config {
	return ldappub.Config{URL: s.url, BindDN: writer, Password: password, UserBase: "dc=example,dc=com",
		UserAttribute: "uid", CAEntry: "cn=ca1,dc=example,dc=com"}
}

// material makes a certificate and a list; directories look into both.
func material(t *testing.T, n int64) (cert, crl []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(n), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now(),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	cert, err = x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(cert)
	require.NoError(t, err)
	crl, err = x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(n), ThisUpdate: time.Now(),
		NextUpdate: time.Now().Add(time.Hour)}, parsed, key)
	require.NoError(t, err)
	return cert, crl
}

func TestPublishing(t *testing.T) {
	s := newSlapd(t)
	p, err := ldappub.New(s.config())
	require.NoError(t, err)
	defer p.Close()
	ctx := t.Context()
	first, list := material(t, 1)
	second, next := material(t, 2)
	require.NoError(t, p.PublishCertificate(ctx, "anna", first))
	require.NoError(t, p.PublishCertificate(ctx, "anna", first), "again: it stays")
	require.NoError(t, p.PublishCertificate(ctx, "anna", second))
	assert.ElementsMatch(t, [][]byte{first, second}, s.values("uid=anna,dc=example,dc=com", "userCertificate;binary"))
	require.NoError(t, p.PublishCRL(ctx, list, false))
	require.NoError(t, p.PublishCRL(ctx, next, false))
	assert.Equal(t, [][]byte{next}, s.values("cn=ca1,dc=example,dc=com", "certificateRevocationList;binary"))
	require.NoError(t, p.PublishCRL(ctx, list, true))
	assert.Equal(t, [][]byte{list}, s.values("cn=ca1,dc=example,dc=com", "deltaRevocationList;binary"))

	for _, id := range []string{"nobody", "twin", "*", "an*", "anna)(uid=*", ""} {
		require.Error(t, p.PublishCertificate(ctx, id, first), id)
	}
	// The directory goes and comes back: the next certificate finds it.
	s.stop()
	third, _ := material(t, 3)
	require.Error(t, p.PublishCertificate(ctx, "anna", third))
	s.start()
	require.NoError(t, p.PublishCertificate(ctx, "anna", third))
	s.stop()
	s.start() // without anybody noticing
	fourth, _ := material(t, 4)
	require.NoError(t, p.PublishCertificate(ctx, "anna", fourth))
	assert.Len(t, s.values("uid=anna,dc=example,dc=com", "userCertificate;binary"), 4)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, p.PublishCRL(ended, list, false), context.Canceled)
}

func TestWrongPassword(t *testing.T) {
	s := newSlapd(t)
	cfg := s.config()
	cfg.Password = "wrong"
	p, err := ldappub.New(cfg)
	require.NoError(t, err)
	cert, _ := material(t, 1)
	err = p.PublishCertificate(t.Context(), "anna", cert)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "wrong\"")
}

func TestConfigurations(t *testing.T) {
	for i, c := range []ldappub.Config{{}, {URL: "http://x"}, {URL: "ldap://directory.example"}, {URL: "ldaps://x", BindDN: "x"},
		{URL: "ldaps://x", UserBase: "dc=x"}, {URL: "ldaps://x", CAEntry: "="}} {
		_, err := ldappub.New(c)
		assert.Error(t, err, fmt.Sprint(i))
	}
	p, err := ldappub.New(ldappub.Config{URL: "ldaps://x"})
	require.NoError(t, err)
	require.NoError(t, p.PublishCertificate(t.Context(), "anna", nil), "not asked for")
	require.NoError(t, p.PublishCRL(t.Context(), nil, false), "not asked for")
	require.NoError(t, p.Close())
}
