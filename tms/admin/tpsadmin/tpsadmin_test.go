package tpsadmin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
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
	"tokenwright/tms/admin/tpsadmin"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
)

// world is the routes over a real store; changes are noted and not made.
type world struct {
	t     *testing.T
	store *sql.Store
	h     http.Handler
	ctx   context.Context
	notes []string
}

func (w *world) note(format string, args ...any) (token.Record, error) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
	return token.NewRecord(cuid(1), token.Policy{}), nil
}

func (w *world) ChangeState(_ context.Context, c keys.CUID, to token.State, by tpsadmin.Actor) (
	token.Record, error,
) {
	return w.note("%s to %s by %s because %s", c, to, by.Name, by.Why)
}

func words(e tpsadmin.Edit) string {
	out := ""
	if e.UserID != nil {
		out += " user=" + *e.UserID
	}
	if e.Policy != nil {
		out += " policy=" + e.Policy.String()
	}
	if e.Merge {
		out += " merged"
	}
	return out
}

func (w *world) Edit(_ context.Context, c keys.CUID, e tpsadmin.Edit, by tpsadmin.Actor) (
	token.Record, error,
) {
	return w.note("edit %s%s by %s", c, words(e), by.Name)
}

func (w *world) Add(_ context.Context, c keys.CUID, e tpsadmin.Edit, _ tpsadmin.Actor) (
	token.Record, error,
) {
	return w.note("add %s%s", c, words(e))
}

func (w *world) Delete(_ context.Context, c keys.CUID, _ tpsadmin.Actor) error {
	_, err := w.note("delete %s", c)
	return err
}

func (w *world) Next(r token.Record) []token.State { return token.ManualTransitions().NextByHand(r) }

func (w *world) Effective(r token.Record) token.Policy { return r.Policy }

func cuid(n int) keys.CUID {
	return keys.CUID{0x40, 0x90, 0x61, 0x45, 0, 0, 0, 0, byte(n >> 8), byte(n)}
}

// begun is when the first token was added; each is a minute later than the one before.
var begun = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, tokens int, roles ...admin.Role) *world {
	t.Helper()
	s, err := sql.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	w := &world{t: t, store: s}
	for n := range tokens {
		r := token.NewRecord(cuid(n), token.Policy{}).InState(token.States()[n%7])
		r.UserID, r.Type = fmt.Sprintf("user%d", n%10), "userKey"
		_, err := s.Apply(t.Context(), store.Change{CUID: r.CUID, New: &r, Actor: "a", Why: "b",
			At: begun.Add(time.Duration(n) * time.Minute),
			Activities: []token.Activity{{UserID: r.UserID, Op: token.Ops()[n%len(token.Ops())],
				Result: token.Success, Message: "m"}}})
		require.NoError(t, err)
	}
	uid := os.Getuid()
	if len(roles) == 0 {
		roles = admin.Roles()
	}
	users, err := admin.NewUsers([]admin.User{{Name: "olga", UID: &uid, Roles: roles}})
	require.NoError(t, err)
	w.h = admin.Handler(users, nil, tpsadmin.Routes(tpsadmin.Options{Records: s, Changes: w, Rules: w})...)
	w.ctx = local(t)
	return w
}

// local is the context of a request of this process to itself.
func local(t *testing.T) context.Context {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	return admin.ConnContext(t.Context(), c)
}

// ask sends a request as Dogtag's client does and answers status and body.
func (w *world) ask(method, path, body string) (int, string) {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.ctx, method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

func (w *world) page(path string) (p tpsadmin.Page[map[string]any], ids []string) {
	w.t.Helper()
	code, body := w.ask("GET", path, "")
	require.Equal(w.t, 200, code, body)
	require.NoError(w.t, json.Unmarshal([]byte(body), &p))
	for _, e := range p.Entries {
		ids = append(ids, fmt.Sprint(e["id"]))
	}
	return p, ids
}

func TestOneTokenAsDogtagHasIt(t *testing.T) {
	w := newWorld(t, 5)
	code, body := w.ask("GET", "/tps/rest/tokens/"+cuid(4).String(), "")
	require.Equal(t, 200, code)
	require.JSONEq(t, `{"id":"40906145000000000004","TokenID":"40906145000000000004","UserID":"user4",
		"Type":"userKey","Status":{"name":"ACTIVE","label":"Active"},"NextStates":[
		{"name":"DAMAGED","label":"This token has been physically damaged."},
		{"name":"PERM_LOST","label":"This token has been permanently lost."},
		{"name":"SUSPENDED","label":"This token has been suspended (temporarily lost)."},
		{"name":"TERMINATED","label":"This token has been terminated."}],
		"CreateTimestamp":1772366640000,"ModifyTimestamp":1772366640000,
		"ModifiedBy":"a","ModifiedWhy":"b","EffectivePolicy":"RE_ENROLL=YES;RENEW=NO;FORCE_FORMAT=NO;PIN_RESET=NO;RESET_PIN_RESET_TO_NO=NO;RENEW_KEEP_OLD_ENC_CERTS=YES"}`, body)
	for _, prefix := range tpsadmin.Prefixes() {
		code, other := w.ask("GET", prefix+"/tokens/"+strings.ToLower(cuid(4).String()), "")
		assert.Equal(t, 200, code)
		assert.Equal(t, body, other)
	}
	code, body = w.ask("GET", "/tps/rest/tokens/FF0000000000000000FF", "")
	assert.Equal(t, 404, code)
	assert.Contains(t, body, `"ClassName":"com.netscape.certsrv.base.ResourceNotFoundException"`)
	code, _ = w.ask("GET", "/tps/rest/tokens/none", "")
	assert.Equal(t, 400, code)
}

func TestListsComeInPages(t *testing.T) {
	w := newWorld(t, 50)
	p, ids := w.page("/tps/rest/tokens")
	assert.Len(t, ids, 20)
	assert.Equal(t, cuid(49).String(), ids[0], "the latest first")
	assert.Equal(t, 21, p.Total, "there are more")
	assert.Nil(t, p.Next, "clients of Dogtag choke on it")
	_, ids = w.page("/tps/rest/tokens?start=20&size=20")
	assert.Equal(t, cuid(29).String(), ids[0])
	p, ids = w.page("/tps/rest/tokens?start=40&size=20")
	assert.Len(t, ids, 10)
	assert.Equal(t, 50, p.Total)
	_, ids = w.page("/tps/rest/tokens?start=60")
	assert.Empty(t, ids)
	var all []string
	for after := ""; ; {
		p, ids := w.page("/tps/rest/tokens?size=7&after=" + after)
		all = append(all, ids...)
		require.NotNil(t, p.Next)
		if after = *p.Next; after == "" {
			break
		}
	}
	assert.Len(t, all, 50)
	for path, code := range map[string]int{
		"tokens?size=x": 400, "tokens?start=-1": 400, "tokens?start=10001": 400, "tokens?filter=ab": 400,
		"tokens?start=1&after=x": 400, "tokens?after=!": 400, "tokens?status=ASLEEP": 400,
		"tokens?from=yesterday": 400, "activities?operation=dance": 400, "activities?result=maybe": 400,
		"activities?tokenID=1": 400, "tokens?tokenID=1": 400, "certs?tokenID=1": 400, "certs/1": 404,
		"activities/1": 404, "activities/1.1": 404, "profiles": 404,
	} {
		got, body := w.ask("GET", "/tps/rest/"+path, "")
		assert.Equal(t, code, got, "%s: %s", path, body)
	}
}

func TestFilters(t *testing.T) {
	w := newWorld(t, 70)
	for path, n := range map[string]int{
		"tokens?size=1000&userID=user3":                         7,
		"tokens?size=1000&status=ACTIVE":                        10,
		"tokens?size=1000&status=ACTIVE,DAMAGED":                20,
		"tokens?size=1000&type=soKey":                           0,
		"tokens?size=1000&filter=user3":                         7,
		"tokens?filter=" + cuid(5).String():                     1,
		"tokens?tokenID=" + cuid(5).String():                    1,
		"tokens?tokenID=" + cuid(500).String():                  0,
		"tokens?size=1000&until=2026-03-01T12:10:00Z":           10,
		"tokens?size=1000&from=2026-03-01T13:00:00Z":            10,
		"activities?size=1000&operation=enrollment":             6,
		"activities?size=1000&operation=cert_restoration":       5,
		"activities?size=1000&filter=cert_unrevocation":         5,
		"activities?size=1000&result=failure":                   0,
		"activities?size=1000&filter=user3":                     7,
		"activities?size=1000&tokenID=" + cuid(5).String():      1,
		"activities?size=1000&filter=" + cuid(5).String():       1,
		"activities?size=1000&from=2026-03-01T13:00:00%2B00:00": 10,
		"activities?size=1000&until=2026-03-01":                 0,
	} {
		_, ids := w.page("/tps/rest/" + path)
		assert.Len(t, ids, n, path)
	}
}

func TestOneActivityAndOneCertificate(t *testing.T) {
	w := newWorld(t, 3)
	_, ids := w.page("/tps/rest/activities?filter=" + cuid(2).String())
	require.Len(t, ids, 1)
	code, body := w.ask("GET", "/tps/rest/activities/"+ids[0], "")
	require.Equal(t, 200, code)
	require.JSONEq(t, fmt.Sprintf(`{"id":%q,"TokenID":"40906145000000000002","UserID":"user2",
		"Operation":"enrollment","Result":"success","Message":"m","Actor":"a","Date":1772366520000}`,
		ids[0]), body)
	rec, err := w.store.Token(t.Context(), cuid(2))
	require.NoError(t, err)
	_, err = w.store.Apply(t.Context(), store.Change{CUID: cuid(2), Old: &rec, New: &rec, Actor: "a",
		Why: "b", At: begun, Certs: []token.Certificate{{
			CertID: token.CertID{Issuer: "CN=CA", Serial: "2a"}, CUID: cuid(2), Origin: cuid(1),
			Subject: "CN=x", UserID: "user2", Type: "userKey", KeyType: "signing", CA: "ca1",
			Status: token.CertOnHold, Presence: token.Held, NotBefore: begun, NotAfter: begun,
		}}})
	require.NoError(t, err)
	for _, path := range []string{"certs", "certs?tokenID=" + cuid(2).String(), "certs?filter=user2",
		"certs?userID=user2"} {
		_, ids = w.page("/tps/rest/" + path)
		require.Equal(t, []string{"2a." + cuid(2).String()}, ids, path)
	}
	code, body = w.ask("GET", "/tps/rest/certs/"+ids[0], "")
	require.Equal(t, 200, code)
	require.Contains(t, body, `"serialNumber":"0x2a","subject":"CN=x","userID":"user2",`+
		`"tokenID":"40906145000000000002","origin":"40906145000000000001","type":"userKey",`+
		`"keyType":"signing","status":"revoked_on_hold"`)
	_, ids = w.page("/tps/rest/certs?tokenID=" + cuid(1).String())
	require.Empty(t, ids)
}

func TestChangesAsDogtagsClientAsksForThem(t *testing.T) {
	w := newWorld(t, 0)
	id := cuid(1).String()
	for _, c := range [][3]string{
		{"POST", "/tokens", `{"TokenID":"` + id + `","UserID":"bob","Policy":"RENEW=YES","Foo":1}`},
		{"PATCH", "/tokens/" + id, `{"UserID":"eve"}`},
		{"PATCH", "/tokens/" + id, `{"Policy":"pin_reset=yes"}`},
		{"PATCH", "/tokens/" + id + "?merge=true", `{"Policy":"RENEW=NO"}`},
		{"PUT", "/tokens/" + id, `{"UserID":"eve"}`},
		{"POST", "/tokens/" + id + "?status=PERM_LOST", ""},
		{"POST", "/tokens/" + id + "?status=temp_lost&reason=on+the+bus", ""},
		{"DELETE", "/tokens/" + id, ""},
	} {
		code, body := w.ask(c[0], "/tps/rest"+c[1], c[2])
		assert.Less(t, code, 300, body)
	}
	assert.Equal(t, []string{
		"add " + id + " user=bob policy=RENEW=YES",
		"edit " + id + " user=eve by olga",
		"edit " + id + " policy=PIN_RESET=YES by olga",
		"edit " + id + " policy=RENEW=NO merged by olga",
		"edit " + id + " user=eve policy= by olga",
		id + " to PERM_LOST by olga because ",
		id + " to SUSPENDED by olga because on the bus",
		"delete " + id,
	}, w.notes)
	w.notes = nil
	for _, c := range [][3]string{
		{"POST", "/tokens", `{"TokenID":"x"}`},
		{"PATCH", "/tokens/" + id, `{"Policy":"DANCE=YES"}`},
		{"PATCH", "/tokens/" + id, `[]`},
		{"POST", "/tokens/" + id, ""},
		{"POST", "/tokens/" + id + "?status=5x", ""},
		{"POST", "/tokens/" + id + "?status=ACTIVE&reason=" + strings.Repeat("x", 501), ""},
		{"POST", "/tokens/" + id + "?status=ACTIVE&reason=a%0Ab", ""},
		{"DELETE", "/tokens/x", ""},
	} {
		code, body := w.ask(c[0], "/tps/rest"+c[1], c[2])
		assert.Equal(t, 400, code, "%v: %s", c, body)
	}
	assert.Empty(t, w.notes)
}

// Who may do what, as the roles have it.
func TestRoles(t *testing.T) {
	id := cuid(1).String()
	for _, c := range []struct {
		method, path, body string
		roles              string // who may
	}{
		{"GET", "/account/login", "", "administrator agent operator"},
		{"GET", "/tokens", "", "administrator agent operator"},
		{"GET", "/tokens/" + id, "", "administrator agent operator"},
		{"GET", "/activities", "", "administrator agent operator"},
		{"GET", "/certs", "", "administrator agent operator"},
		{"POST", "/tokens", `{"TokenID":"` + id + `"}`, "administrator"},
		{"DELETE", "/tokens/" + id, "", "administrator"},
		{"PATCH", "/tokens/" + id, "{}", "agent"},
		{"PUT", "/tokens/" + id, "{}", "agent"},
		{"POST", "/tokens/" + id + "?status=DAMAGED", "", "agent"},
	} {
		for _, role := range admin.Roles() {
			w := newWorld(t, 2, role)
			code, body := w.ask(c.method, "/tps/rest"+c.path, c.body)
			assert.Equal(t, strings.Contains(c.roles, string(role)), code != http.StatusForbidden,
				"%s %s by %s: %d %s", c.method, c.path, role, code, body)
		}
	}
	w := newWorld(t, 0, admin.Agent)
	_, body := w.ask("GET", "/tps/rest/account/login", "")
	assert.JSONEq(t, `{"id":"olga","roles":["TPS Agents"]}`, body)
	code, _ := w.ask("GET", "/tps/rest/account/logout", "")
	assert.Equal(t, http.StatusNoContent, code)
}

func TestLabelFileIsReadWhileRunning(t *testing.T) {
	var log bytes.Buffer
	f := &tpsadmin.LabelFile{Path: filepath.Join(t.TempDir(), tpsadmin.LabelFileName),
		Log: slog.New(slog.NewTextHandler(&log, nil))}
	label := func() string { return f.Labels().State(token.Active) }
	write := func(text string) { require.NoError(t, os.WriteFile(f.Path, []byte(text), 0o600)) }
	assert.Equal(t, "Active", label())
	write("ACTIVE = In use\n")
	assert.Equal(t, "In use", label())
	write("ACTIVE = In USE\n") // as long as before, in the same instant
	assert.Equal(t, "In USE", label())
	assert.Empty(t, log.String())
	write("ACTIVE = \x1b[2J\n")
	for range 3 {
		assert.Equal(t, "Active", label())
	}
	assert.Equal(t, 1, strings.Count(log.String(), "labels are not read"), log.String())
	require.NoError(t, os.Remove(f.Path))
	assert.Equal(t, "Active", label())
	require.NoError(t, os.Mkdir(f.Path, 0o700))
	assert.Equal(t, "Active", label())
	assert.Contains(t, log.String(), "no regular file")
}
