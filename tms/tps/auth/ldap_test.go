package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/tps/auth"
)

// refused demands an error of one kind that tells nothing of what was entered.
func refused(t *testing.T, err, kind error, status int, secrets ...string) {
	t.Helper()
	require.ErrorIs(t, err, kind)
	var e *auth.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, status, e.Status())
	for _, s := range append(secrets, systemPassword) {
		if s != "" {
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), s)
		}
	}
}

func TestGlauth(t *testing.T) { testDirectory(t, startGlauth(t, nil)) }

func TestSlapd(t *testing.T) {
	_, roots, certFile, keyFile := certificate(t)
	d := startSlapd(t, certFile, keyFile)
	testDirectory(t, d)

	t.Run("user id as the directory spells it", func(t *testing.T) {
		u, err := login(t, d.conf(), "ALICE", alicePassword)
		require.NoError(t, err)
		require.Equal(t, "alice", u.ID)
	})
	t.Run("user id of two people", func(t *testing.T) {
		_, err := login(t, d.conf(), "twin", "one")
		refused(t, err, auth.ErrMisconfigured, 18)
	})
	t.Run("user without a password", func(t *testing.T) {
		_, err := login(t, d.conf(), "keyless", "anything")
		refused(t, err, auth.ErrCredentials, 14, "anything")
	})
	t.Run("StartTLS", func(t *testing.T) {
		c := d.conf()
		c.Security, c.TLS = auth.StartTLS, &tls.Config{RootCAs: roots}
		u, err := login(t, c, "alice", alicePassword)
		require.NoError(t, err)
		require.Equal(t, "alice", u.ID)
		c.TLS = nil
		_, err = login(t, c, "alice", alicePassword)
		refused(t, err, auth.ErrMisconfigured, 18, alicePassword)
	})
	t.Run("no anonymous search", func(t *testing.T) {
		c := d.conf()
		c.BindDN, c.BindPassword = "", ""
		_, err := login(t, c, "alice", alicePassword)
		require.Error(t, err)
	})
}

func testDirectory(t *testing.T, d directory) {
	t.Run("good", func(t *testing.T) {
		u, err := login(t, d.conf(), "alice", alicePassword)
		require.NoError(t, err)
		require.Equal(t, "alice", u.ID)
		require.Contains(t, u.DN, "uid=alice,")
		require.Equal(t, map[string][]string{
			"mail": {"alice@example.com"}, "tokenType": {"userKey", "soKey"},
			"certsToAdd": {"1,ca1", "2,ca1", "3,ca1"},
		}, u.Attributes)
		require.Equal(t, "userKey", u.First("tokenType"))
		require.Empty(t, u.First("absent"))
	})
	t.Run("only what was asked for", func(t *testing.T) {
		c := d.conf()
		c.Attributes = []string{"MAIL"}
		u, err := login(t, c, "alice", alicePassword)
		require.NoError(t, err)
		require.Equal(t, map[string][]string{"MAIL": {"alice@example.com"}}, u.Attributes)
	})
	t.Run("user id that needs escaping", func(t *testing.T) {
		u, err := login(t, d.conf(), oddUser, "star")
		if d.unescapes {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.Equal(t, oddUser, u.ID)
	})
	for name, tc := range map[string]struct{ uid, password string }{
		"wrong password":       {"alice", "wrong horse"},
		"another's password":   {"alice", "star"},
		"unknown user":         {"mallory", "whatever it was"},
		"empty password":       {"alice", ""},
		"empty user id":        {"", "pass word"},
		"wildcard":             {"*", alicePassword},
		"prefix wildcard":      {"ali*", alicePassword},
		"filter injection":     {"alice)(uid=*", alicePassword},
		"filter injection 2":   {"*)(objectClass=*", alicePassword},
		"null byte":            {"alice\x00", alicePassword},
		"not text":             {"ali\xffce", alicePassword},
		"very long user id":    {strings.Repeat("a", 5000), alicePassword},
		"very long password":   {"alice", strings.Repeat("a", 5000)},
		"password with a null": {"alice", alicePassword + "\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := login(t, d.conf(), tc.uid, tc.password)
			if d.unescapes && strings.Contains(tc.uid, ")") {
				refused(t, err, auth.ErrMisconfigured, 18, tc.password)
				return
			}
			refused(t, err, auth.ErrCredentials, 14, tc.password)
		})
	}
	t.Run("user DN pattern", func(t *testing.T) {
		c := d.conf()
		c.UserDNPattern, c.BindDN, c.BindPassword = d.userDN, "", ""
		u, err := login(t, c, "alice", alicePassword)
		require.NoError(t, err)
		require.Equal(t, "alice", u.ID)
		require.Equal(t, []string{"userKey", "soKey"}, u.Attributes["tokenType"])
		_, err = login(t, c, "alice", "wrong horse")
		refused(t, err, auth.ErrCredentials, 14, "wrong horse")
		c.UserDNPattern = "uid=$userid$," + d.base // what the user id adds must not become DN
		_, err = login(t, c, "alice,ou=people", alicePassword)
		refused(t, err, auth.ErrCredentials, 14, alicePassword)
	})
	t.Run("system account refused", func(t *testing.T) {
		c := d.conf()
		c.BindPassword = "stale secret"
		_, err := login(t, c, "alice", alicePassword)
		refused(t, err, auth.ErrMisconfigured, 18, "stale secret", alicePassword)
	})
	t.Run("at once", func(t *testing.T) {
		c := d.conf()
		c.MaxConns = 2
		a, err := auth.NewLDAP(c)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				password := alicePassword
				if n%2 == 1 {
					password = "wrong"
				}
				_, err := a.Authenticate(t.Context(), auth.NewCredentials("alice", password))
				if n%2 == 0 && err != nil || n%2 == 1 && !errors.Is(err, auth.ErrCredentials) {
					t.Errorf("login %d: %v", n, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestLDAPS(t *testing.T) {
	pair, roots, _, _ := certificate(t)
	d := startGlauth(t, &tls.Config{Certificates: []tls.Certificate{pair}})
	c := d.conf()
	c.Security, c.TLS = auth.LDAPS, &tls.Config{RootCAs: roots}
	u, err := login(t, c, "alice", alicePassword)
	require.NoError(t, err)
	require.Equal(t, "alice", u.ID)

	c.TLS = nil // the system's roots don't know it
	_, err = login(t, c, "alice", alicePassword)
	refused(t, err, auth.ErrMisconfigured, 18, alicePassword)

	plain := startGlauth(t, nil)
	c = plain.conf()
	c.Security = auth.LDAPS
	_, err = login(t, c, "alice", alicePassword)
	refused(t, err, auth.ErrUnreachable, 25, alicePassword)
}

func TestUnreachable(t *testing.T) {
	d := directory{host: "127.0.0.1", port: freePort(t), base: "dc=example", systemPass: "x"}
	_, err := login(t, d.conf(), "alice", alicePassword)
	refused(t, err, auth.ErrUnreachable, 25, alicePassword)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
}

// serve accepts connections and hands each to do.
func serve(t *testing.T, do func(net.Conn)) directory {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				do(c)
			}()
		}
	}()
	return directory{host: "127.0.0.1", port: l.Addr().(*net.TCPAddr).Port, base: "dc=example",
		bindDN: "cn=system", systemPass: systemPassword}
}

// TestSilentDirectory meets one that accepts connections and says nothing, in
// every way of protecting them.
func TestSilentDirectory(t *testing.T) {
	d := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	for _, security := range []auth.Security{auth.LDAPS, auth.StartTLS, auth.Plain} {
		t.Run(security.String(), func(t *testing.T) {
			c := d.conf()
			c.Security, c.Timeout = security, 300*time.Millisecond
			_, err := login(t, c, "alice", alicePassword)
			refused(t, err, auth.ErrUnreachable, 25, alicePassword)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
	t.Run("no free connection", func(t *testing.T) {
		c := d.conf()
		c.MaxConns, c.Timeout = 1, 300*time.Millisecond
		a, err := auth.NewLDAP(c)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, err := a.Authenticate(t.Context(), auth.NewCredentials("alice", alicePassword))
				if !errors.Is(err, auth.ErrUnreachable) {
					t.Errorf("got %v, want unreachable", err)
				}
			})
		}
		wg.Wait()
	})
}

// TestHostileDirectory meets ones that answer nonsense, or without end.
func TestHostileDirectory(t *testing.T) {
	bindOK := "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"
	for name, answer := range map[string]string{
		"garbage":           "HTTP/1.1 400 Bad Request\r\n\r\n",
		"huge length":       "\x30\x84\x7f\xff\xff\xff",
		"closes":            "",
		"bind then rubbish": bindOK + "\x30\x84\x00\x00\x00\x03\x02\x01\x02",
	} {
		t.Run(name, func(t *testing.T) {
			d := serve(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 1<<16))
				_, _ = c.Write([]byte(answer))
			})
			c := d.conf()
			c.Timeout = 2 * time.Second
			_, err := login(t, c, "alice", alicePassword)
			refused(t, err, auth.ErrUnreachable, 25, alicePassword)
		})
	}
	t.Run("without end", func(t *testing.T) {
		d := serve(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1<<16))
			_, _ = c.Write([]byte("\x30\x84\x7f\xff\xff\xff\x04\x84\x7f\xff\xff\xf0"))
			for block := make([]byte, 1<<16); ; {
				if _, err := c.Write(block); err != nil {
					return
				}
			}
		})
		_, err := login(t, d.conf(), "alice", alicePassword)
		refused(t, err, auth.ErrUnreachable, 25, alicePassword)
	})
	t.Run("repeats the password", func(t *testing.T) {
		words := "you said " + systemPassword
		d := serve(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 1<<16))
			body := "\x0a\x01\x31\x04\x00\x04" + string(rune(len(words))) + words
			body = "\x02\x01\x01\x61" + string(rune(len(body))) + body
			_, _ = c.Write([]byte("\x30" + string(rune(len(body))) + body))
		})
		_, err := login(t, d.conf(), "alice", alicePassword)
		refused(t, err, auth.ErrMisconfigured, 18)
		require.ErrorContains(t, err, "Invalid Credentials")
	})
}

func TestConfigurationRefused(t *testing.T) {
	good := auth.LDAPConfig{
		Instance: "ldap1", Host: "ldap.example.com", Port: 636, BaseDN: "dc=example",
	}
	_, err := auth.NewLDAP(good)
	require.NoError(t, err)
	for name, edit := range map[string]func(*auth.LDAPConfig){
		"no host":               func(c *auth.LDAPConfig) { c.Host = "" },
		"port 0":                func(c *auth.LDAPConfig) { c.Port = 0 },
		"port 70000":            func(c *auth.LDAPConfig) { c.Port = 70000 },
		"plain over a network":  func(c *auth.LDAPConfig) { c.Security = auth.Plain },
		"unknown security":      func(c *auth.LDAPConfig) { c.Security = 9 },
		"account, no password":  func(c *auth.LDAPConfig) { c.BindDN = "cn=system" },
		"pattern without user":  func(c *auth.LDAPConfig) { c.UserDNPattern = "uid=x,dc=example" },
		"base that is no DN":    func(c *auth.LDAPConfig) { c.BaseDN = "example" },
		"attribute injection":   func(c *auth.LDAPConfig) { c.CredName = "uid=*)(x" },
		"bad attribute to read": func(c *auth.LDAPConfig) { c.Attributes = []string{"mail", "a b"} },
		"too many attributes":   func(c *auth.LDAPConfig) { c.Attributes = make([]string, 200) },
		"prompt without password": func(c *auth.LDAPConfig) {
			c.UI.Fields = []auth.UIField{{ID: auth.FieldUID}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			edit(&c)
			_, err := auth.NewLDAP(c)
			refused(t, err, auth.ErrMisconfigured, 18)
		})
	}
	c := good
	c.Security, c.AllowPlain = auth.Plain, true
	_, err = auth.NewLDAP(c)
	require.NoError(t, err)
}
