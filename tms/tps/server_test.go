package tps_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/conf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/tps"
	"tokenwright/tms/wire"
)

func TestOperationsThatAreNotOffered(t *testing.T) {
	l := newLab(t)
	for _, n := range []wire.Operation{0, 2, 4, 99} {
		end, err := (&client{}).run(t.Context(), l.http.URL, n)
		require.NoError(t, err)
		assert.Equal(t, wire.EndOp{
			Operation: n, Result: wire.ResultBad, Status: wire.StatusCannotPerformOperation,
		}, end)
	}
}

// post sends one chunked POST by hand and gives the answer's body.
func post(t *testing.T, url, path string, chunks ...string) string {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer func() { _ = nc.Close() }()
	_, err = fmt.Fprintf(nc, "POST %s HTTP/1.1\r\nHost: tps\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n", path)
	require.NoError(t, err)
	for _, c := range chunks {
		_, err = fmt.Fprintf(nc, "%x\r\n%s\r\n", len(c), c)
		require.NoError(t, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return string(body)
}

func TestNonsenseEndsTheOperation(t *testing.T) {
	l := newLab(t)
	for name, chunk := range map[string]string{
		"garbage":               "hello, is this the service?",
		"a length over bounds":  "s=99999&msg_type=2",
		"an answer to nothing":  "s=47&msg_type=4&screen_name=user1&password=secret123",
		"no operation":          "s=10&msg_type=2",
		"a type that is no one": "s=11&msg_type=99",
	} {
		got := post(t, l.http.URL, tps.PathOperation, chunk)
		assert.Equal(t, "s=42&msg_type=13&operation=0&result=1&message=1", got, name)
	}
	soon(t, "sessions end", func() bool { return l.server.Sessions() == 0 })
}

func TestLegacyPathSpeaksTheSame(t *testing.T) {
	l := newLab(t)
	got := post(t, l.http.URL, tps.PathLegacy, "s=34&msg_type=2&operation=2&extensions=")
	assert.Equal(t, "s=42&msg_type=13&operation=2&result=1&message=8", got)
}

func TestRequestsThatAreNoConversation(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, tps.PathOperation, http.StatusMethodNotAllowed},
		{http.MethodPut, tps.PathLegacy, http.StatusMethodNotAllowed},
		{http.MethodPost, tps.PathOperation, http.StatusBadRequest}, // not chunked
		{http.MethodPost, "/tps/nothing", http.StatusNotFound},
		{http.MethodPost, tps.PathPhoneHome, http.StatusMethodNotAllowed},
		{http.MethodGet, tps.PathPhoneHome + "?cuid=nothex", http.StatusBadRequest},
		{http.MethodGet, tps.PathPhoneHome + "?cuid=" + strings.Repeat("00", 40), http.StatusBadRequest},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, l.http.URL+c.path, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, c.want, resp.StatusCode, "%s %s", c.method, c.path)
	}
}

func TestLoginFollowsWhatTheClientUnderstands(t *testing.T) {
	l := newLab(t)
	card := newCard(t, "gp211-scp02")
	for _, extended := range []bool{false, true} {
		c := &client{
			user: "alice", password: "secret123", extended: extended, card: inReader(card),
		}
		end, err := c.run(t.Context(), l.http.URL, wire.OpFormat)
		require.NoError(t, err)
		require.Equal(t, wire.ResultGood, end.Result)
		var plain, named int
		for _, m := range c.got {
			switch m := m.(type) {
			case wire.LoginRequest:
				plain++
				assert.Equal(t, wire.LoginRequest{}, m)
			case wire.ExtendedLoginRequest:
				named++
				assert.Equal(t, "UID", m.Params[0].ID)
				assert.False(t, m.Params[0].Secret())
				assert.True(t, m.Params[1].Secret())
			}
		}
		assert.Equal(t, extended, named == 1 && plain == 0)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	l := newLab(t, "tps.session.max=1")
	entered, release := make(chan struct{}), make(chan struct{})
	l.onFailpoint(func(string) error {
		close(entered)
		<-release
		return wire.ErrConnectionLost
	})
	done := make(chan error)
	go func() {
		_, err := l.format(inReader(newCard(t, "gp211-scp02")))
		done <- err
	}()
	<-entered
	_, err := (&client{}).run(t.Context(), l.http.URL, wire.OpFormat)
	var status wire.HTTPError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, http.StatusServiceUnavailable, status.StatusCode)
	close(release)
	require.ErrorIs(t, <-done, wire.ErrConnectionLost)
}

// Every line of the log, and every activity, carries the id of its session; nothing
// secret is in them.
func TestSessionIDIsEverywhere(t *testing.T) {
	l := newLab(t)
	card := newCard(t, "gp211-scp02")
	l.mustFormat(card)
	page, err := l.store.Activities(t.Context(), store.ActivityQuery{CUID: card.CUID()})
	require.NoError(t, err)
	id := page.Activities[0].Session
	require.Len(t, id, 32)
	for _, a := range page.Activities {
		assert.Equal(t, id, a.Session)
		assert.Equal(t, "127.0.0.1", a.IP)
	}
	lines := strings.Split(strings.TrimSpace(l.log.String()), "\n")
	require.NotEmpty(t, lines)
	for _, line := range lines {
		assert.Contains(t, line, "session="+id)
		assert.NotContains(t, line, "secret123")
	}
	l.mustFormat(card)
	assert.NotEqual(t, id, sessionOf(t, l, card.CUID()), "ids are used once")
}

func sessionOf(t *testing.T, l *lab, cuid keys.CUID) string {
	t.Helper()
	page, err := l.store.Activities(t.Context(), store.ActivityQuery{CUID: cuid, Limit: 1})
	require.NoError(t, err)
	return page.Activities[0].Session
}

func TestPhoneHome(t *testing.T) {
	get := func(l *lab) (int, string, string) {
		resp, err := http.Get(l.http.URL + tps.PathPhoneHome + "?cuid=4090-6145-C762-2419-2D2B")
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(body)
	}
	l := newLab(t)
	status, kind, body := get(l)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "application/xml", kind)
	assert.Contains(t, body, "<Operation>"+l.http.URL+tps.PathOperation+"</Operation>")
	assert.Contains(t, body, "<TokenType>userKey</TokenType>")

	l.phoneHome = filepath.Join(l.dir, "phoneHome.xml")
	l.configure()
	_, _, body = get(l)
	assert.Contains(t, body, "<Operation>", "without the file, as before")
	page, err := tps.ServiceInfo{IssuerName: "Acme & Sons", Services: tps.Services{
		Operation: "https://tps.example.com:8443/tps/tps",
	}}.XML()
	require.NoError(t, err)
	for text, want := range map[string]int{
		string(page):                  http.StatusOK,
		"<ServiceInfo>":               http.StatusInternalServerError,
		strings.Repeat(" ", 64<<10+1): http.StatusInternalServerError,
		"<Other></Other>":             http.StatusInternalServerError,
		"":                            http.StatusInternalServerError,
	} {
		require.NoError(t, os.WriteFile(l.phoneHome, []byte(text), 0o600))
		status, _, body = get(l)
		assert.Equal(t, want, status, "%.40s", text)
		if want == http.StatusOK {
			assert.Equal(t, text, body)
		}
	}
}

func TestNewNamesWhatIsWrongWithTheConfiguration(t *testing.T) {
	for _, line := range []string{
		"applet.aid.cardmgr_instance=A0000000030000,nothex",
		"applet.aid.netkey_instance=62",
		"channel.blocksize=1000",
		"channel.encryption=yes",
		"op.format.userKey.minimumGPKeyVersion=1",
		"op.format.userKey.update.symmetricKeys.requiredVersion=128",
		"op.format.userKey.issuerinfo.value=" + strings.Repeat("x", 225),
		"op.format.userKey.issuerinfo.value=with blank",
		"tps.session.timeout=soon",
		"tps.connection.maxMessageSize=10",
		"tokendb.defaultPolicy=RE_ENROLL=PERHAPS",
		"tps.operations.allowedTransitions=0:0,6:0",
		"mappingResolver.formatProfileMappingResolver.class_id=nobody",
	} {
		c, err := conf.LoadReader("CS.cfg", strings.NewReader("\n"+line+"\n"), "tps")
		require.NoError(t, err)
		_, err = tps.New(tps.Options{Config: c})
		require.Error(t, err, line)
		key, _, _ := strings.Cut(line, "=")
		assert.Contains(t, err.Error(), key)
		if !strings.HasPrefix(line, "mappingResolver") {
			assert.Contains(t, err.Error(), "CS.cfg:2")
		}
	}
}
