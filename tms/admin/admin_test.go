package admin_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/admin"
	"tokenwright/tms/connector"
)

// thing is what the routes of these tests answer.
type thing struct {
	Name string
	Who  string
	Why  string
}

func routes() []admin.Route {
	look := func(_ context.Context, r *admin.Request) (any, error) {
		return thing{Name: r.PathValue("id"), Who: r.Caller.Name}, nil
	}
	change := func(_ context.Context, r *admin.Request) (any, error) {
		var in thing
		if err := r.Read(&in); err != nil {
			return nil, err
		}
		return thing{Name: in.Name, Who: r.Caller.Name, Why: r.Reason()}, nil
	}
	return []admin.Route{
		{Method: http.MethodGet, Path: "/things/{id}", Roles: admin.Roles(), Do: look},
		{Method: http.MethodPost, Path: "/things", Roles: []admin.Role{admin.Agent}, Do: change},
		{Method: http.MethodDelete, Path: "/things/{id}", Roles: []admin.Role{admin.Administrator},
			Do: func(context.Context, *admin.Request) (any, error) { return nil, nil }},
		{Method: http.MethodGet, Path: "/broken", Do: func(context.Context, *admin.Request) (any, error) {
			return nil, errors.New("secret of the database")
		}},
		{Method: http.MethodGet, Path: "/slow", Timeout: time.Millisecond,
			Do: func(ctx context.Context, _ *admin.Request) (any, error) {
				<-ctx.Done()
				return nil, errors.New("interrupted (9)")
			}},
	}
}

// serveSocket serves the routes at a socket for whoever list names.
func serveSocket(t *testing.T, list []admin.User, log *slog.Logger) *admin.Client {
	t.Helper()
	users, err := admin.NewUsers(list)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), strings.Repeat("long", 40), "admin.sock") // needs the detour
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	l, err := admin.ListenSocket(t.Context(), path, 0o600, -1)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	s := &http.Server{Handler: admin.Handler(users, log, routes()...), ReadHeaderTimeout: time.Second,
		ConnContext: admin.ConnContext}
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	c := admin.NewSocketClient(path)
	t.Cleanup(func() {
		require.NoError(t, c.Close())
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
		assert.NoFileExists(t, path)
	})
	return c
}

func TestOwnerMayDoEverythingOverTheSocket(t *testing.T) {
	c := serveSocket(t, nil, nil)
	got, err := admin.Ask[thing](t.Context(), c, http.MethodGet, "/things/a%2Fb", nil, nil)
	require.NoError(t, err)
	assert.Equal(t, "a/b", got.Name)
	assert.True(t, strings.HasPrefix(got.Who, "local:"), got.Who)
	got, err = admin.Ask[thing](t.Context(), c, http.MethodPost, "/things",
		map[string][]string{"reason": {" worn out "}}, thing{Name: "n"})
	require.NoError(t, err)
	assert.Equal(t, "worn out", got.Why)
	require.NoError(t, c.Do(t.Context(), http.MethodDelete, "/things/1", nil, nil, nil))
}

func TestAccountsHaveTheRolesThatAreListed(t *testing.T) {
	uid := os.Getuid()
	var log bytes.Buffer
	c := serveSocket(t, []admin.User{{Name: "olga", UID: &uid, Roles: []admin.Role{admin.Operator}}},
		slog.New(slog.NewTextHandler(&log, nil)))
	got, err := admin.Ask[thing](t.Context(), c, http.MethodGet, "/things/1", nil, nil)
	require.NoError(t, err)
	assert.Equal(t, "olga", got.Who)
	err = c.Do(t.Context(), http.MethodPost, "/things", nil, thing{}, nil)
	assert.Equal(t, http.StatusForbidden, admin.StatusOf(err))
	require.ErrorContains(t, err, "olga may not do this: it is for agent")
	assert.Contains(t, log.String(), "role is missing")
}

func TestErrorsSayWhatTheCallerMayKnow(t *testing.T) {
	var log bytes.Buffer
	c := serveSocket(t, nil, slog.New(slog.NewTextHandler(&log, nil)))
	err := c.Do(t.Context(), http.MethodGet, "/broken", nil, nil, nil)
	assert.Equal(t, http.StatusInternalServerError, admin.StatusOf(err))
	assert.NotContains(t, err.Error(), "secret")
	assert.Contains(t, log.String(), "secret of the database")
	err = c.Do(t.Context(), http.MethodGet, "/slow", nil, nil, nil)
	assert.Equal(t, http.StatusServiceUnavailable, admin.StatusOf(err))
	err = c.Do(t.Context(), http.MethodGet, "/nowhere", nil, nil, nil)
	assert.Equal(t, http.StatusNotFound, admin.StatusOf(err))
	err = c.Do(t.Context(), http.MethodPost, "/things", nil, "no object", nil)
	assert.Equal(t, http.StatusBadRequest, admin.StatusOf(err))
	err = c.Do(t.Context(), http.MethodPost, "/things", nil,
		thing{Name: strings.Repeat("n", 100<<10)}, nil)
	assert.Equal(t, http.StatusRequestEntityTooLarge, admin.StatusOf(err))
}

func TestSocketIsTakenOverFromTheDeadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := admin.ListenSocket(t.Context(), path, 0o660, -1)
	require.NoError(t, err)
	_, err = admin.ListenSocket(t.Context(), path, 0o600, -1)
	require.ErrorIs(t, err, admin.ErrSocketInUse)
	require.NoError(t, l.Close())
	require.NoFileExists(t, path)
	dead, err := net.Listen("unix", path)
	require.NoError(t, err)
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	require.FileExists(t, path)
	l, err = admin.ListenSocket(t.Context(), path, 0o600, -1)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))
	_, err = admin.ListenSocket(t.Context(), path, 0o600, -1)
	require.ErrorContains(t, err, "something else")
	require.FileExists(t, path)
}

// certificate issues a client certificate by itself.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, cert
}

func TestCertificatesHaveTheRolesThatAreListed(t *testing.T) {
	pool := x509.NewCertPool()
	agent, agentCert := certificate(t, "agent")
	stranger, strangerCert := certificate(t, "stranger")
	pool.AddCert(agentCert)
	pool.AddCert(strangerCert)
	users, err := admin.NewUsers([]admin.User{{Name: "alice", Roles: []admin.Role{admin.Agent},
		Fingerprint: connector.Fingerprint(agentCert)}})
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(admin.Handler(users, nil, routes()...))
	s.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool,
		MinVersion: tls.VersionTLS12}
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	ask := func(certs ...tls.Certificate) (thing, error) {
		c, err := admin.NewClient(s.URL, &tls.Config{RootCAs: roots, Certificates: certs})
		require.NoError(t, err)
		defer c.Close()
		return admin.Ask[thing](t.Context(), c, http.MethodGet, "/things/1", nil, nil)
	}
	got, err := ask(agent)
	require.NoError(t, err)
	assert.Equal(t, "alice", got.Who)
	for _, certs := range [][]tls.Certificate{{stranger}, nil} {
		_, err = ask(certs...)
		assert.Equal(t, http.StatusUnauthorized, admin.StatusOf(err))
	}
	_, err = admin.NewClient("http://localhost", nil)
	require.Error(t, err)
}

// A browser holds certificates too: pages of others must not be able to use them.
func TestChangesOfOtherSitesAreRefused(t *testing.T) {
	users, err := admin.NewUsers(nil)
	require.NoError(t, err)
	h := admin.Handler(users, nil, routes()...)
	for name, c := range map[string]struct {
		header, value string
		status        int
	}{
		"form":       {"Content-Type", "application/x-www-form-urlencoded", 415},
		"other site": {"Sec-Fetch-Site", "cross-site", 403},
		"other page": {"Origin", "https://elsewhere.example", 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(local(t), http.MethodPost, "/things",
				strings.NewReader(`{}`))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set(c.header, c.value)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			assert.Equal(t, c.status, w.Code)
			var body map[string]any
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
			assert.InDelta(t, float64(c.status), body["Code"], 0)
			assert.Contains(t, body["ClassName"], "com.netscape.certsrv.base.")
		})
	}
}

// local is the context of a request of this process to itself.
func local(t *testing.T) context.Context {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer l.Close()
	c, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer c.Close()
	return admin.ConnContext(t.Context(), c)
}

func TestUsersThatAreNone(t *testing.T) {
	for text, list := range map[string][]admin.User{
		"has no role":         {{Name: "a", Subject: "CN=a"}},
		"needs a certificate": {{Name: "a", Roles: admin.Roles()}},
		"without a name":      {{Subject: "CN=a", Roles: admin.Roles()}},
		"listed twice": {{Name: "a", Subject: "CN=a", Roles: admin.Roles()},
			{Name: "a", Subject: "CN=b", Roles: admin.Roles()}},
		"no SHA-256": {{Name: "a", Fingerprint: "00", Roles: admin.Roles()}},
	} {
		_, err := admin.NewUsers(list)
		require.ErrorContains(t, err, text)
	}
	got, err := admin.ParseRoles(" Agent,OPERATOR,,agent")
	require.NoError(t, err)
	assert.Equal(t, []admin.Role{admin.Agent, admin.Operator}, got)
	_, err = admin.ParseRoles("agent,king")
	require.ErrorContains(t, err, "king")
}
