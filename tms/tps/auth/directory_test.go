package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/glauth/glauth/v2/pkg/config"
	"github.com/glauth/glauth/v2/pkg/handler"
	glldap "github.com/glauth/ldap"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace/noop"

	"tokenwright/features/loopback"
	"tokenwright/tms/tps/auth"
)

// directory is a directory with the people of these tests in it: alice, with
// password "correct horse", a mail address, two tokenType values and three
// certsToAdd; "o'br*(ien)", with password "star"; and the system's account.
type directory struct {
	host       string
	port       int
	base       string
	bindDN     string
	userDN     string // pattern
	systemPass auth.Password
	// unescapes says that the directory undoes the escapes of a filter before it
	// reads it, so that it takes parts of a user id for syntax.
	unescapes bool
}

const (
	alicePassword  = "correct horse"
	systemPassword = "system secret"
	oddUser        = "o'br*(ien)"
)

// conf is the configuration for the directory, unprotected.
func (d directory) conf() auth.LDAPConfig {
	return auth.LDAPConfig{
		Instance: "ldap1", Host: d.host, Port: d.port, Security: auth.Plain, BaseDN: d.base,
		BindDN: d.bindDN, BindPassword: d.systemPass,
		Attributes: []string{"mail", "tokenType", "certsToAdd", "absent"},
	}
}

// silent is a monitor that glauth wants to have.
type silent struct{}

func (silent) SetResponseTimeMetric(map[string]string, float64) error { return nil }
func (silent) SetLDAPMetric(map[string]string, float64) error         { return nil }

// startGlauth serves an embedded directory on a free port of this machine.
func startGlauth(t *testing.T, security *tls.Config) directory {
	t.Helper()
	hash := func(password string) string {
		sum := sha256.Sum256([]byte(password))
		return hex.EncodeToString(sum[:])
	}
	search := []config.Capability{{Action: "search", Object: "*"}}
	users := []config.User{
		{Name: "system", PassSHA256: hash(systemPassword), PrimaryGroup: 2, UIDNumber: 1,
			Capabilities: search},
		{Name: "alice", PassSHA256: hash(alicePassword), PrimaryGroup: 1, UIDNumber: 2,
			Mail: "alice@example.com", Capabilities: search,
			CustomAttrs: map[string]any{
				"tokenType": []any{"userKey", "soKey"}, "certsToAdd": []any{"1,ca1", "2,ca1", "3,ca1"},
			}},
		{Name: oddUser, PassSHA256: hash("star"), PrimaryGroup: 1, UIDNumber: 3},
	}
	back := config.Backend{
		BaseDN: "dc=example,dc=com", Datastore: "config",
		NameFormatAsArray: []string{"uid", "cn"}, GroupFormatAsArray: []string{"ou"},
	}
	quiet, tracer := zerolog.Nop(), noop.NewTracerProvider().Tracer("")
	h := handler.NewConfigHandler(
		handler.Backend(back), handler.Logger(&quiet), handler.Monitor(silent{}),
		handler.Tracer(tracer), handler.LDAPHelper(handler.NewLDAPOpsHelper(tracer)),
		handler.Config(&config.Config{Backend: back, Users: users, Groups: []config.Group{
			{Name: "people", GIDNumber: 1}, {Name: "svcaccts", GIDNumber: 2},
		}}),
	)
	server := glldap.NewServer()
	server.EnforceLDAP = true
	server.BindFunc("", h)
	server.SearchFunc("", h)
	server.CloseFunc("", h)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	if security != nil {
		listener = tls.NewListener(listener, security)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = listener.Close() })
	return directory{
		host: "127.0.0.1", port: port, base: back.BaseDN, systemPass: systemPassword,
		bindDN:    "uid=system,ou=svcaccts,dc=example,dc=com",
		userDN:    "uid=$userid$,ou=people,dc=example,dc=com",
		unescapes: true,
	}
}

// certificate makes a self-signed one for 127.0.0.1 and writes it, and its key,
// as PEM files.
func certificate(t *testing.T) (
	pair tls.Certificate, roots *x509.CertPool, certFile, keyFile string,
) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(certFile, cert, 0o600))
	require.NoError(t, os.WriteFile(keyFile, keyPEM, 0o600))
	pair, err = tls.X509KeyPair(cert, keyPEM)
	require.NoError(t, err)
	roots = x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(cert))
	return pair, roots, certFile, keyFile
}

// slapdSchema adds the attributes that the tests fetch.
const slapdSchema = `
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'tokenType' EQUALITY caseExactMatch
	SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'certsToAdd' EQUALITY caseExactMatch
	SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'tokenUser' SUP top AUXILIARY
	MAY ( tokenType $ certsToAdd ) )
`

const slapdPeople = `dn: dc=example,dc=com
objectClass: domain
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: uid=system,dc=example,dc=com
objectClass: account
objectClass: simpleSecurityObject
uid: system
userPassword: ` + systemPassword + `

dn: uid=alice,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: tokenUser
uid: alice
cn: Alice
sn: Example
mail: alice@example.com
tokenType: userKey
tokenType: soKey
certsToAdd: 1,ca1
certsToAdd: 2,ca1
certsToAdd: 3,ca1
userPassword: ` + alicePassword + `

dn: uid=` + oddUser + `,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: ` + oddUser + `
cn: Odd
sn: Odd
userPassword: star

dn: cn=twin one,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: twin one
sn: Twin
userPassword: one

dn: cn=twin two,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: twin two
sn: Twin
userPassword: two

dn: uid=keyless,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: keyless
cn: Keyless
sn: Keyless
`

// startSlapd runs a real directory on a free port of this machine. Without the
// program the test is skipped, except where skipping would hide it.
func startSlapd(t *testing.T, certFile, keyFile string) directory {
	t.Helper()
	program, err := exec.LookPath("slapd")
	if err != nil {
		program = "/usr/sbin/slapd"
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("slapd is not installed, and in CI it has to be")
		}
		t.Skip("slapd is not installed")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
	port := freePort(t)
	conf := write("slapd.conf", strings.Join([]string{
		"include /etc/ldap/schema/core.schema",
		"include /etc/ldap/schema/cosine.schema",
		"include /etc/ldap/schema/inetorgperson.schema",
		"include " + write("token.schema", slapdSchema),
		"modulepath /usr/lib/ldap", "moduleload back_mdb",
		"pidfile " + filepath.Join(dir, "pid"),
		"TLSCertificateFile " + certFile, "TLSCertificateKeyFile " + keyFile,
		"database mdb", "suffix dc=example,dc=com", "directory " + filepath.Join(dir, "db"),
		"access to attrs=userPassword by * auth",
		`access to * by dn.exact="uid=system,dc=example,dc=com" read by self read by * none`,
		"",
	}, "\n"))
	add := exec.Command(program, "-Tadd", "-f", conf, "-l", write("people.ldif", slapdPeople))
	out, err := add.CombinedOutput()
	require.NoError(t, err, string(out))
	server := exec.Command(program, "-d", "0", "-f", conf,
		"-h", fmt.Sprintf("ldap://127.0.0.1:%d/", port))
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
	return directory{
		host: "127.0.0.1", port: port, base: "dc=example,dc=com", systemPass: systemPassword,
		bindDN: "uid=system,dc=example,dc=com",
		userDN: "uid=$userid$,ou=people,dc=example,dc=com",
	}
}

// login tries credentials against a configuration.
func login(t *testing.T, c auth.LDAPConfig, uid, password string) (auth.User, error) {
	t.Helper()
	a, err := auth.NewLDAP(c)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return a.Authenticate(ctx, auth.NewCredentials(uid, password))
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := loopback.Port()
	require.NoError(t, err)
	return port
}
