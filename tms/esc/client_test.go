package esc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/wire"
)

// tps starts a server on loopback whose conversations are held by talk, after BEGIN_OP.
func tps(t *testing.T, talk func(s *server)) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(wire.SessionHeader, "0f3a")
		c, err := wire.Accept(w, r, wire.Limits{})
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		s := &server{t: t, ctx: r.Context(), conn: c}
		m, err := c.Read(r.Context())
		if !assert.NoError(t, err) {
			return
		}
		s.begin = m.(wire.BeginOp)
		talk(s)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// server is the other end of one conversation.
type server struct {
	t     *testing.T
	ctx   context.Context
	conn  *wire.Conn
	begin wire.BeginOp
}

// ask sends a request and answers what the client said to it; nil when it hung up.
func (s *server) ask(m wire.Message) wire.Message {
	assert.NoError(s.t, s.conn.Write(s.ctx, m))
	answer, err := s.conn.Read(s.ctx)
	if err != nil {
		assert.ErrorIs(s.t, err, wire.ErrConnectionLost)
		return nil
	}
	return answer
}

func (s *server) end(status wire.Status) {
	result := wire.ResultGood
	if status != wire.StatusNoError {
		result = wire.ResultBad
	}
	assert.NoError(s.t, s.conn.Write(s.ctx,
		wire.EndOp{Operation: s.begin.Operation, Result: result, Status: status}))
}

// card answers every command by a function.
type card func(cmd []byte) ([]byte, error)

func (c card) Transmit(_ context.Context, cmd []byte) ([]byte, error) { return c(cmd) }

var fine = card(func([]byte) ([]byte, error) { return []byte{0x90, 0x00}, nil })

// person answers prompts from a map and keeps what was asked.
type person struct {
	answers map[string]string
	pin     string
	err     error
	asked   []Prompt
}

func (p *person) Ask(_ context.Context, prompt Prompt) (wire.Credentials, error) {
	p.asked = append(p.asked, prompt)
	var out wire.Credentials
	for id, v := range p.answers {
		out = append(out, wire.Credential{ID: id, Value: wire.NewSecret(v)})
	}
	return out, p.err
}

func (p *person) NewPIN(context.Context, int, int) (wire.Secret, error) {
	return wire.NewSecret(p.pin), p.err
}

func TestRunPassesPDUsAndProgress(t *testing.T) {
	url := tps(t, func(s *server) {
		want := wire.Fields{
			{Name: "tokenType", Value: "userKey"}, {Name: "clientVersion", Value: "esc 1"},
			{Name: "tokenATR", Value: "3B00FF"}, {Name: "statusUpdate", Value: "true"},
			{Name: "extendedLoginRequest", Value: "true"}, {Name: "keySet", Value: "defKeySet"},
			{Name: "locale", Value: "en"},
		}
		assert.Equal(s.t, wire.BeginOp{Operation: wire.OpFormat, Extensions: want}, s.begin)
		assert.Equal(s.t, wire.TokenPDUResponse{PDU: []byte{1, 2, 3, 0x90, 0}},
			s.ask(wire.TokenPDURequest{PDU: []byte{1, 2, 3}}))
		assert.Equal(s.t, wire.StatusUpdateResponse{Percent: 40},
			s.ask(wire.StatusUpdateRequest{Percent: 40, Task: "PROGRESS_APPLET_BLOCK"}))
		s.end(wire.StatusNoError)
	})
	var progress, sessions []string
	c := &Client{
		URL: url,
		Progress: func(percent int, task string) {
			progress = append(progress, fmt.Sprint(percent, " ", task))
		},
		Session: func(id string) { sessions = append(sessions, id) },
	}
	echo := card(func(cmd []byte) ([]byte, error) {
		assert.Equal(t, []string{"0f3a"}, sessions, "the session is known before the first PDU")
		return append(cmd[:len(cmd):len(cmd)], 0x90, 0), nil
	})
	got, err := c.Run(t.Context(), Request{
		Operation: wire.OpFormat, TokenType: "userKey", Version: "esc 1", KeySet: "defKeySet",
		ATR: []byte{0x3B, 0x00, 0xFF}, Locale: "en",
	}, echo)
	require.NoError(t, err)
	assert.Equal(t, Result{Session: "0f3a", PDUs: 1}, got)
	assert.Equal(t, []string{"40 PROGRESS_APPLET_BLOCK"}, progress)
	assert.Equal(t, []string{"0f3a"}, sessions)
}

func TestRunAnswersEveryKindOfLogin(t *testing.T) {
	secret := wire.NewSecret
	extended := wire.ExtendedLoginRequest{Title: "T", Description: "D", Params: []wire.Param{
		{ID: "UID", Name: "User", Kind: wire.ParamString},
		{ID: "PASSWORD", Name: "Word", Kind: wire.ParamPassword},
		{ID: "SITE", Name: "Site", Kind: wire.ParamString},
	}}
	answers := map[string]string{"UID": "jane", "PASSWORD": "a&b", "SITE": "x", "PIN": "1",
		"VALUE": "2", "ANSWER": "Rex", "UNASKED": "u"}
	tests := []struct {
		ask, want wire.Message
		secrets   []bool
		retry     bool
	}{
		{wire.LoginRequest{InvalidPassword: true}, wire.LoginResponse{ScreenName: "jane",
			Password: secret("a&b")}, []bool{false, true}, true},
		{extended, wire.ExtendedLoginResponse{Fields: wire.Credentials{
			{ID: "UID", Value: secret("jane")}, {ID: "PASSWORD", Value: secret("a&b")},
			{ID: "SITE", Value: secret("x")}}}, []bool{false, true, false}, false},
		{wire.SecureIDRequest{PINRequired: true}, wire.SecureIDResponse{PIN: secret("1"),
			Value: secret("2")}, []bool{true, true}, false},
		{wire.ASQRequest{Question: "Pet?"}, wire.ASQResponse{Answer: secret("Rex")},
			[]bool{true}, false},
		{wire.NewPINRequest{MinLength: 4, MaxLength: 10},
			wire.NewPINResponse{PIN: secret("12 &%")}, nil, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("type %d", tt.ask.Type()), func(t *testing.T) {
			url := tps(t, func(s *server) {
				assert.Equal(s.t, tt.want, s.ask(tt.ask))
				s.end(wire.StatusNoError)
			})
			p := &person{answers: answers, pin: "12 &%"}
			_, err := (&Client{URL: url, Prompter: p}).Run(t.Context(),
				Request{Operation: wire.OpFormat}, fine)
			require.NoError(t, err)
			if tt.secrets == nil {
				return
			}
			require.Len(t, p.asked, 1)
			assert.Equal(t, tt.retry, p.asked[0].Retry)
			require.Len(t, p.asked[0].Params, len(tt.secrets))
			for i, want := range tt.secrets {
				assert.Equal(t, want, p.asked[0].Params[i].Secret())
			}
		})
	}
}

func TestRunEndsInFailure(t *testing.T) {
	broken := errors.New("reader unplugged")
	tests := []struct {
		name   string
		talk   func(*server)
		card   Transmitter
		person Prompter
		is     error
		status wire.Status
	}{
		{"server drops in the middle", func(s *server) {
			s.ask(wire.TokenPDURequest{PDU: []byte{1}})
		}, fine, nil, wire.ErrConnectionLost, wire.StatusConnLost},
		{"server ends without a word", func(*server) {}, fine, nil, wire.ErrConnectionLost,
			wire.StatusConnLost},
		{"card is pulled", func(s *server) {
			assert.Nil(s.t, s.ask(wire.TokenPDURequest{PDU: []byte{1}}))
		}, card(func([]byte) ([]byte, error) { return nil, broken }), nil, broken,
			wire.StatusClientCannotTalkToCard},
		{"card answers nothing", func(s *server) {
			assert.Nil(s.t, s.ask(wire.TokenPDURequest{PDU: []byte{1}}))
		}, card(func([]byte) ([]byte, error) { return []byte{0x90}, nil }), nil, ErrCard,
			wire.StatusClientCannotTalkToCard},
		{"nobody to ask", func(s *server) { assert.Nil(s.t, s.ask(wire.LoginRequest{})) },
			fine, nil, ErrPrompt, wire.StatusLogin},
		{"person gives up", func(s *server) { assert.Nil(s.t, s.ask(wire.LoginRequest{})) },
			fine, &person{err: broken}, broken, wire.StatusLogin},
		{"PIN too short", func(s *server) {
			assert.Nil(s.t, s.ask(wire.NewPINRequest{MinLength: 4, MaxLength: 10}))
		}, fine, &person{pin: "123"}, ErrNewPIN, wire.StatusMACResetPINPDU},
		{"senseless PIN lengths", func(s *server) {
			assert.Nil(s.t, s.ask(wire.NewPINRequest{MinLength: 5, MaxLength: 4}))
		}, fine, &person{pin: "1234"}, ErrProtocol, wire.StatusClientCannotTalkToTPS},
		{"client's message from a server", func(s *server) {
			assert.Nil(s.t, s.ask(wire.BeginOp{Operation: wire.OpFormat}))
		}, fine, nil, ErrProtocol, wire.StatusClientCannotTalkToTPS},
		{"another operation's end", func(s *server) {
			s.begin.Operation = wire.OpEnroll
			s.end(wire.StatusNoError)
		}, fine, nil, ErrProtocol, wire.StatusClientCannotTalkToTPS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Client{URL: tps(t, tt.talk), Prompter: tt.person}
			_, err := c.Run(t.Context(), Request{Operation: wire.OpFormat}, tt.card)
			require.Error(t, err)
			assert.ErrorIs(t, err, tt.is)
			assert.Equal(t, tt.status, StatusOf(err), err)
		})
	}
}

func TestEveryCodeIsReadable(t *testing.T) {
	for status := wire.Status(1); status <= 50; status++ {
		url := tps(t, func(s *server) { s.end(status) })
		_, err := (&Client{URL: url}).Run(t.Context(), Request{Operation: wire.OpFormat}, fine)
		var op *OperationError
		require.ErrorAs(t, err, &op)
		assert.Equal(t, status, StatusOf(err))
		assert.Contains(t, err.Error(), status.Sentence())
		assert.Contains(t, err.Error(), fmt.Sprintf("code %d", int(status)))
	}
}

// Some servers say that an operation they do not have went badly, with code 0.
func TestBadWithCodeZeroIsAFailure(t *testing.T) {
	url := tps(t, func(s *server) {
		_ = s.conn.Write(s.ctx, wire.EndOp{Operation: s.begin.Operation, Result: wire.ResultBad})
	})
	_, err := (&Client{URL: url}).Run(t.Context(), Request{Operation: wire.OpRenew}, fine)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "is done")
}

func TestNoServerNoOperation(t *testing.T) {
	url := httptest.NewServer(http.NotFoundHandler())
	defer url.Close()
	c := &Client{URL: url.URL, Limits: wire.Limits{HeadTimeout: 20 * time.Millisecond}}
	_, err := c.Run(t.Context(), Request{Operation: wire.OpFormat}, fine)
	assert.ErrorIs(t, err, ErrConnect)
	assert.ErrorContains(t, err, "404")

	url.Close()
	_, err = (&Client{URL: url.URL}).Run(t.Context(), Request{Operation: wire.OpFormat}, fine)
	assert.ErrorIs(t, err, ErrConnect)
	_, err = (&Client{URL: "http://tps.example.com/"}).Run(t.Context(), Request{}, fine)
	assert.ErrorIs(t, err, ErrURL)
}

func TestCancelEndsARun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := tps(t, func(s *server) {
		cancel()
		_, err := s.conn.Read(s.ctx)
		assert.ErrorIs(s.t, err, wire.ErrConnectionLost)
	})
	_, err := (&Client{URL: url}).Run(ctx, Request{Operation: wire.OpFormat}, fine)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestParseURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://tps.example.com":            "https://tps.example.com/tps/tps",
		"https://tps.example.com:8443/":      "https://tps.example.com:8443/tps/tps",
		"https://tps.example.com/nk_service": "https://tps.example.com/nk_service",
		"http://127.0.0.1:8080/tps/tps#x":    "http://127.0.0.1:8080/tps/tps",
		"http://localhost:8080":              "http://localhost:8080/tps/tps",
		"http://[::1]:8080/tps/tps":          "http://[::1]:8080/tps/tps",
	} {
		u, err := ParseURL(in)
		if assert.NoError(t, err, in) {
			assert.Equal(t, want, u.String())
		}
	}
	for _, in := range []string{
		"", "tps.example.com", "ftp://x/", "http://tps.example.com/tps/tps", "http://10.0.0.1/",
		"http://127.0.0.1.evil.example/", "https://", "https:opaque", "https://u:p@host/",
		"http://localhost.evil.example/", "https://[bad/", "file:///etc/passwd",
	} {
		_, err := ParseURL(in)
		assert.ErrorIs(t, err, ErrURL, in)
	}
}
