package tps

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/op"
	"tokenwright/tms/wire"
)

// fakeConversation gives messages of a list and keeps what is written; after the list
// it is silent until the context ends.
type fakeConversation struct {
	gives   []wire.Message
	written []wire.Message
}

func (f *fakeConversation) Read(ctx context.Context) (wire.Message, error) {
	if len(f.gives) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	m := f.gives[0]
	f.gives = f.gives[1:]
	return m, nil
}

func (f *fakeConversation) Write(_ context.Context, m wire.Message) error {
	f.written = append(f.written, m)
	return nil
}

func (f *fakeConversation) last() wire.Message { return f.written[len(f.written)-1] }

// serverOf is a server with one operation.
func serverOf(run op.Func) (*Server, *strings.Builder) {
	log := &strings.Builder{}
	return &Server{
		ops: map[wire.Operation]op.Func{wire.OpFormat: run},
		log: slog.New(slog.NewTextHandler(log, nil)),
		limits: limits{
			answer: 20 * time.Millisecond, login: 20 * time.Millisecond, session: time.Minute,
		},
	}, log
}

var beginFormat = wire.BeginOp{Operation: wire.OpFormat}

func TestEndOpIsAlwaysSent(t *testing.T) {
	for name, c := range map[string]struct {
		run  op.Func
		want wire.EndOp
	}{
		"good": {
			func(context.Context, *contact.Env, *contact.Session) error { return nil },
			wire.EndOp{Operation: wire.OpFormat},
		},
		"a failure with a code": {
			func(context.Context, *contact.Env, *contact.Session) error {
				return &contact.Failure{Status: wire.StatusUnknownToken, Err: errors.New("no")}
			},
			wire.EndOp{
				Operation: wire.OpFormat, Result: wire.ResultBad, Status: wire.StatusUnknownToken,
			},
		},
		"a failure without": {
			func(context.Context, *contact.Env, *contact.Session) error { return errors.New("no") },
			wire.EndOp{Operation: wire.OpFormat, Result: wire.ResultBad, Status: wire.StatusSNAC},
		},
		"a panic": {
			func(context.Context, *contact.Env, *contact.Session) error { panic("password=secret123") },
			wire.EndOp{Operation: wire.OpFormat, Result: wire.ResultBad, Status: wire.StatusSNAC},
		},
		"a client that is silent": {
			func(ctx context.Context, _ *contact.Env, s *contact.Session) error {
				_, err := s.Client.Transmit(ctx, []byte{0, 0xA4, 4, 0})
				return err
			},
			wire.EndOp{Operation: wire.OpFormat, Result: wire.ResultBad, Status: wire.StatusConnLost},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := serverOf(c.run)
			conn := &fakeConversation{gives: []wire.Message{beginFormat}}
			_ = s.converse(t.Context(), conn, "id", "192.0.2.1", s.log)
			assert.Equal(t, c.want, conn.last())
			assert.NotContains(t, log.String(), "secret123")
		})
	}
}

func TestEndOpIsSentToAClientThatNeverBegins(t *testing.T) {
	s, _ := serverOf(nil)
	conn := &fakeConversation{}
	err := s.converse(t.Context(), conn, "id", "192.0.2.1", s.log)
	require.Error(t, err)
	assert.Equal(t, wire.EndOp{Result: wire.ResultBad, Status: wire.StatusConnLost}, conn.last())
}

func TestTheDeadSendNothing(t *testing.T) {
	s, _ := serverOf(func(context.Context, *contact.Env, *contact.Session) error { return contact.ErrKilled })
	conn := &fakeConversation{gives: []wire.Message{beginFormat}}
	require.ErrorIs(t, s.converse(t.Context(), conn, "id", "192.0.2.1", s.log), contact.ErrKilled)
	assert.Empty(t, conn.written)
}

func TestClientStaysBrokenAfterAWrongAnswer(t *testing.T) {
	conn := &fakeConversation{gives: []wire.Message{
		wire.StatusUpdateResponse{}, wire.TokenPDUResponse{PDU: []byte{0x90, 0}},
	}}
	s, _ := serverOf(nil)
	c := newClient(conn, beginFormat, s.limits)
	_, err := c.Transmit(t.Context(), []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, errMessage)
	_, err = c.Transmit(t.Context(), []byte{0, 0xA4, 4, 0})
	require.ErrorIs(t, err, errMessage)
	assert.Len(t, conn.written, 1, "nothing is sent any more")
}

func TestProgressWaitsForTheAcknowledgement(t *testing.T) {
	begin := beginFormat
	begin.Extensions = wire.Fields{{Name: wire.ExtStatusUpdate, Value: "true"}}
	s, _ := serverOf(nil)
	conn := &fakeConversation{gives: []wire.Message{
		wire.StatusUpdateResponse{Percent: 99}, wire.LoginResponse{},
	}}
	c := newClient(conn, begin, s.limits)
	require.NoError(t, c.Progress(t.Context(), 10, "X"), "its content does not matter")
	require.ErrorIs(t, c.Progress(t.Context(), 11, "X"), errMessage)

	quiet := &fakeConversation{}
	require.NoError(t, newClient(quiet, beginFormat, s.limits).Progress(t.Context(), 10, "X"))
	assert.Empty(t, quiet.written)
}

func TestLoginTakesBothForms(t *testing.T) {
	begin := beginFormat
	begin.Extensions = wire.Fields{{Name: wire.ExtExtendedLogin, Value: "true"}}
	prompt := auth.DefaultUI().Prompt("en")
	secret := wire.NewSecret("secret123")
	for name, c := range map[string]struct {
		begin  wire.BeginOp
		answer wire.Message
		uid    string
		want   error
	}{
		"plain": {beginFormat, wire.LoginResponse{ScreenName: "alice", Password: secret}, "alice", nil},
		"named": {begin, wire.ExtendedLoginResponse{Fields: wire.Credentials{
			{ID: "UID", Value: wire.NewSecret("alice")}, {ID: "PASSWORD", Value: secret},
		}}, "alice", nil},
		"named, in the words of the plain one": {begin, wire.ExtendedLoginResponse{
			Fields: wire.Credentials{
				{ID: "screen_name", Value: wire.NewSecret("alice")}, {ID: "password", Value: secret},
			},
		}, "alice", nil},
		"named, answered plainly": {
			begin, wire.LoginResponse{ScreenName: "alice", Password: secret}, "alice", nil,
		},
		"plain, answered by name": {beginFormat, wire.ExtendedLoginResponse{}, "", errMessage},
		"something else":          {begin, wire.TokenPDUResponse{PDU: []byte{0x90, 0}}, "", errMessage},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := serverOf(nil)
			conn := &fakeConversation{gives: []wire.Message{c.answer}}
			creds, err := newClient(conn, c.begin, s.limits).Login(t.Context(), prompt)
			require.ErrorIs(t, err, c.want)
			assert.Equal(t, c.uid, creds.Get(auth.FieldUID))
			if c.want == nil {
				assert.Equal(t, "secret123", creds.Get(auth.FieldPassword))
			}
		})
	}
}

func TestASilentPersonEndsTheLogin(t *testing.T) {
	s, _ := serverOf(nil)
	_, err := newClient(&fakeConversation{}, beginFormat, s.limits).
		Login(t.Context(), auth.DefaultUI().Prompt("en"))
	require.ErrorIs(t, err, wire.ErrConnectionLost)
	assert.Contains(t, err.Error(), "no answer within 20ms")
}
