package tps_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/tks"
	"tokenwright/tms/token"
	"tokenwright/tms/tps"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/wire"
)

// Versions of the applets that the lab has load files of.
const (
	applet14 = "1.4.58768072"
	applet15 = "1.5.65cbf5a6"
)

const issuerURL = "https://tps.example.com:8443/tps/phoneHome"

// lab is a TPS with a TKS, a database, one user and load files, served over HTTP.
type lab struct {
	t         *testing.T
	dir       string
	config    string
	tks       *switchedTKS
	store     *sql.Store
	server    *tps.Server
	http      *httptest.Server
	log       *lockedBuffer
	phoneHome string
	ca        *testCA
	kra       *testKRA
	users     auth.Authenticator
	others    []*simcard.Card // beside the card that a test is about

	mu        sync.Mutex
	failpoint func(name string) error
}

// onFailpoint has f asked at each failpoint, one at a time; nil asks nobody.
func (l *lab) onFailpoint(f func(name string) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failpoint = f
}

func (l *lab) askFailpoint(name string) error {
	l.mu.Lock()
	f := l.failpoint
	l.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(name)
}

// labConfig is what the lab's instance says; lines of a test come after it.
const labConfig = `
op.format.userKey.update.applet.directory=applets
op.format.userKey.update.applet.requiredVersion=1.4.58768072
op.format.userKey.update.applet.requiredVersion.prot.2=1.4.58768072
op.format.userKey.update.applet.requiredVersion.prot.3=1.5.65cbf5a6
op.format.userKey.issuerinfo.value=` + issuerURL + `
op.format.userKey.update.symmetricKeys.enable=true
op.format.userKey.update.symmetricKeys.requiredVersion=2
`

func newLab(t *testing.T, lines ...string) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir(), log: &lockedBuffer{}, ca: newTestCA(t), users: oneUser{}}
	l.kra = newTestKRA(l.ca)
	l.tks = &switchedTKS{TKS: newTKS(t, l.kra.transport)}
	require.NoError(t, os.Mkdir(filepath.Join(l.dir, "applets"), 0o700))
	l.writeApplet(applet14, applet14)
	l.writeApplet(applet15, applet15)
	var err error
	l.store, err = sql.Open(t.Context(), filepath.Join(l.dir, "tokens.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.store.Close()) })
	l.configure(lines...)
	t.Cleanup(func() { l.http.Close() })
	return l
}

// configure starts the server anew with the lab's configuration and these lines.
func (l *lab) configure(lines ...string) {
	l.t.Helper()
	if l.http != nil {
		l.http.Close()
	}
	l.config = mergeLines(labConfig, lines)
	c, err := conf.LoadReader("CS.cfg", strings.NewReader(l.config), "tps")
	require.NoError(l.t, err)
	l.server, err = tps.New(tps.Options{
		Config: c, Dir: l.dir, Store: l.store, PhoneHome: l.phoneHome,
		TKS:       map[string]contact.TKS{"tks1": l.tks},
		Auth:      map[string]auth.Authenticator{"ldap1": l.users},
		CAs:       map[string]connector.CA{"ca1": l.ca},
		KRAs:      map[string]connector.KRA{"kra1": l.kra},
		Log:       slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Failpoint: l.askFailpoint,
	})
	require.NoError(l.t, err)
	l.http = httptest.NewServer(l.server.Handler())
}

// mergeLines puts key=value lines over text: a key is stated once.
func mergeLines(text string, lines []string) string {
	for _, line := range lines {
		key, _, _ := strings.Cut(line, "=")
		var kept []string
		for _, have := range strings.Split(text, "\n") {
			if !strings.HasPrefix(have, key+"=") {
				kept = append(kept, have)
			}
		}
		text = strings.Join(kept, "\n") + line + "\n"
	}
	return text
}

// writeApplet writes a load file under the name of one version that says it is of
// another.
func (l *lab) writeApplet(name, version string) {
	file := testApplet(version, 3000)
	require.NoError(l.t, os.WriteFile(filepath.Join(l.dir, "applets", name+".ijc"), file, 0o600))
}

// testApplet makes a load file of the CoolKey package with nothing in it but what a
// virtual card looks at.
func testApplet(version string, size int) []byte {
	pkg, app := []byte{0x62, 0x76, 1, 0xFF, 0, 0}, []byte{0x62, 0x76, 1, 0xFF, 0, 0, 0}
	header := append([]byte{0xDE, 0xCA, 0xFF, 0xED, 1, 2, 4, 0, 1, byte(len(pkg))}, pkg...)
	applet := append([]byte{1, byte(len(app))}, app...)
	return gp.LoadFile{Components: []gp.Component{
		{Tag: gp.ComponentHeader, Data: header},
		{Tag: gp.ComponentApplet, Data: append(applet, 0, 0)},
		{Tag: gp.ComponentMethod, Data: bytes.Repeat([]byte{0x7A}, size)},
		{Tag: 0x80, Data: []byte(version)},
	}}.Bytes()
}

func (l *lab) record(cuid keys.CUID) token.Record {
	l.t.Helper()
	rec, err := l.store.Token(l.t.Context(), cuid)
	require.NoError(l.t, err)
	return rec
}

// history gives the activities of a card, oldest first, as "format success".
func (l *lab) history(cuid keys.CUID) []string {
	l.t.Helper()
	page, err := l.store.Activities(l.t.Context(), store.ActivityQuery{CUID: cuid})
	require.NoError(l.t, err)
	var out []string
	for i := len(page.Activities) - 1; i >= 0; i-- {
		a := page.Activities[i]
		require.NotEmpty(l.t, a.Session)
		out = append(out, fmt.Sprintf("%s %s", a.Op, a.Result))
	}
	return out
}

func (l *lab) openIntents(cuid keys.CUID) []string {
	l.t.Helper()
	open, err := l.store.OpenIntents(l.t.Context(), cuid)
	require.NoError(l.t, err)
	var out []string
	for _, i := range open {
		out = append(out, string(i.Kind))
	}
	return out
}

// soon waits until a condition holds.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 10*time.Second, 2*time.Millisecond, what)
}

// client is a client of the TPS with a card in its reader.
type client struct {
	user, password string
	pin            string
	tokenType      string // "" asks for userKey
	progress       bool   // ask for status updates
	extended       bool   // ask for the extended login
	card           func(cmd []byte) ([]byte, error)
	// leave, if any, is asked before each message is answered; true hangs up.
	leave func(m wire.Message) bool
	got   []wire.Message
}

var errLeft = errors.New("client left")

// run holds one conversation and gives its end.
func (c *client) run(ctx context.Context, url string, operation wire.Operation) (
	wire.EndOp, error,
) {
	conn, err := wire.Dial(ctx, url+tps.PathOperation, nil, wire.Limits{})
	if err != nil {
		return wire.EndOp{}, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.Write(ctx, c.begin(operation)); err != nil {
		return wire.EndOp{}, err
	}
	for {
		m, err := conn.Read(ctx)
		if err != nil {
			return wire.EndOp{}, err
		}
		c.got = append(c.got, m)
		if c.leave != nil && c.leave(m) {
			return wire.EndOp{}, errLeft
		}
		if end, ok := m.(wire.EndOp); ok {
			return end, nil
		}
		answer, err := c.answer(m)
		if err != nil {
			return wire.EndOp{}, err
		}
		if err := conn.Write(ctx, answer); err != nil {
			return wire.EndOp{}, err
		}
	}
}

func (c *client) begin(operation wire.Operation) wire.BeginOp {
	m := wire.BeginOp{Operation: operation}
	add := func(name, value string) {
		m.Extensions = append(m.Extensions, wire.Field{Name: name, Value: value})
	}
	if c.tokenType == "" {
		c.tokenType = "userKey"
	}
	add(wire.ExtTokenType, c.tokenType)
	if c.progress {
		add(wire.ExtStatusUpdate, "true")
	}
	if c.extended {
		add(wire.ExtExtendedLogin, "true")
	}
	return m
}

func (c *client) answer(m wire.Message) (wire.Message, error) {
	switch m := m.(type) {
	case wire.TokenPDURequest:
		pdu, err := c.card(m.PDU)
		return wire.TokenPDUResponse{PDU: pdu}, err
	case wire.LoginRequest:
		return wire.LoginResponse{ScreenName: c.user, Password: wire.NewSecret(c.password)}, nil
	case wire.ExtendedLoginRequest:
		return wire.ExtendedLoginResponse{Fields: wire.Credentials{
			{ID: "UID", Value: wire.NewSecret(c.user)},
			{ID: "PASSWORD", Value: wire.NewSecret(c.password)},
		}}, nil
	case wire.NewPINRequest:
		return wire.NewPINResponse{PIN: wire.NewSecret(c.pin)}, nil
	case wire.StatusUpdateRequest:
		return wire.StatusUpdateResponse{Percent: m.Percent}, nil
	}
	return nil, fmt.Errorf("message of type %d", m.Type())
}

// format runs operation format for the lab's user with a card.
func (l *lab) format(card func(cmd []byte) ([]byte, error)) (wire.EndOp, error) {
	c := &client{user: "alice", password: "secret123", progress: true, extended: true, card: card}
	return c.run(l.t.Context(), l.http.URL, wire.OpFormat)
}

// oneUser is a directory with alice and bob in it.
type oneUser struct{}

func (oneUser) Prompt(string) auth.Prompt { return auth.DefaultUI().Prompt("en") }

func (oneUser) Authenticate(_ context.Context, c auth.Credentials) (auth.User, error) {
	uid := c.Get(auth.FieldUID)
	if (uid == "alice" || uid == "bob") && c.Get(auth.FieldPassword) == "secret123" {
		return auth.User{ID: uid, Attributes: map[string][]string{
			"mail": {uid + "@example.com"}, "cn": {"Dr. " + uid},
		}}, nil
	}
	return auth.User{}, &auth.Error{Kind: auth.ErrCredentials, Instance: "ldap1"}
}

// switchedTKS is a TKS that can be out of reach and whose host challenges can be pinned.
type switchedTKS struct {
	contact.TKS
	down bool
	pin  []byte
	swap bool // encrypt another challenge than the one given, as older ones do
}

func (s *switchedTKS) EncryptData(ctx context.Context, req connector.EncryptDataRequest) (
	connector.EncryptDataResponse, error,
) {
	if s.swap {
		req.Data = bytes.Repeat([]byte{7}, len(req.Data))
	}
	return s.TKS.EncryptData(ctx, req)
}

func (s *switchedTKS) ComputeRandomData(ctx context.Context, n int) ([]byte, error) {
	switch {
	case s.down:
		return nil, connector.ErrUnavailable
	case s.pin != nil:
		return s.pin, nil
	}
	return s.TKS.ComputeRandomData(ctx, n)
}

// tksConfig has the vendors' key sets and a master key of version 2 for each kind of card.
const tksConfig = `
tks.defKeySet.auth_key=#40#41#42#43#44#45#46#47#48#49#4a#4b#4c#4d#4e#4f
tks.defKeySet.mac_key=#40#41#42#43#44#45#46#47#48#49#4a#4b#4c#4d#4e#4f
tks.defKeySet.kek_key=#40#41#42#43#44#45#46#47#48#49#4a#4b#4c#4d#4e#4f
tks.defKeySet.mk_mappings.#02#01=internal:des
tks.aesKeySet.auth_key=#40#41#42#43#44#45#46#47#48#49#4a#4b#4c#4d#4e#4f
tks.aesKeySet.mac_key=#40#41#42#43#44#45#46#47#48#49#4a#4b#4c#4d#4e#4f
tks.aesKeySet.kek_key=#40#41#42#43#44#45#46#47#48#49#4a#4b#4c#4d#4e#4f
tks.aesKeySet.mk_mappings.#02#03=internal:aes
tks.aesKeySet.prot3.divers=gpkmc
tks.aesKeySet.prot3.diversVer1Keys=none
tks.aesKeySet.prot3.devKeyType=AES
tks.aesKeySet.prot3.masterKeyType=AES
`

// masters are the TKS's master keys.
type masters map[string]kdf.Secret

func (m masters) MasterKey(_ context.Context, name string) (kdf.Secret, error) {
	if k, ok := m[name]; ok {
		return k, nil
	}
	return nil, fmt.Errorf("no key %s", name)
}

func (m masters) Names(context.Context) ([]string, error) { return nil, nil }

func newTKS(t *testing.T, transport *x509.Certificate) *tks.Service {
	t.Helper()
	c, err := conf.LoadReader("tks.cfg", strings.NewReader(tksConfig), "tks")
	require.NoError(t, err)
	cfg, _, err := tks.ReadConfig(c)
	require.NoError(t, err)
	raw, err := hex.DecodeString("7A1B2C3D4E5F60718293A4B5C6D7E8F9")
	require.NoError(t, err)
	des, err := keys.New(keys.DES3, raw)
	require.NoError(t, err)
	aes, err := keys.New(keys.AES, raw)
	require.NoError(t, err)
	s, err := tks.New(t.Context(), cfg, tks.Options{
		Stores:        map[string]tks.MasterKeys{"": masters{"des": des, "aes": aes}},
		TransportCert: transport,
	})
	require.NoError(t, err)
	return s
}

// lockedBuffer collects log lines of several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
