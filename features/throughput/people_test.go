package throughput

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/simcard"
	"tokenwright/simcard/stock"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/esc"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/wire"
)

// everybody is a directory that lets everybody in.
type everybody struct{}

func (everybody) Prompt(string) auth.Prompt { return auth.DefaultUI().Prompt("en") }

func (everybody) Authenticate(_ context.Context, c auth.Credentials) (auth.User, error) {
	uid := c.Get(auth.FieldUID)
	return auth.User{ID: uid, Attributes: map[string][]string{
		"mail": {uid + "@example.org"}, "cn": {uid},
	}}, nil
}

// person is somebody at a desk with a card in the reader.
type person struct {
	uid  string
	card *simcard.Card
}

var people atomic.Int64

// newPeople gives so many persons with formatted cards.
func (s *system) newPeople(b *testing.B, n int) []person {
	b.Helper()
	st, err := stock.ByName("sce7-scp03")
	require.NoError(b, err)
	out := make([]person, n)
	for i := range out {
		number := people.Add(1)
		card, err := simcard.New(st, simcard.WithSeed(number))
		require.NoError(b, err)
		require.NoError(b, card.PowerOn())
		out[i] = person{uid: fmt.Sprintf("p%d", number), card: card}
		require.NoError(b, s.perform(b.Context(), wire.OpFormat, out[i]))
	}
	return out
}

const password, pin = "secret123", "123456"

// perform runs an operation without HTTP.
func (s *system) perform(ctx context.Context, op wire.Operation, p person) error {
	session := &contact.Session{
		ID: fmt.Sprintf("%032x", people.Add(1)), IP: "127.0.0.1", Client: atDesk{p, &s.count},
		Log: slog.New(slog.DiscardHandler), Begin: wire.BeginOp{Operation: op,
			Extensions: wire.Fields{{Name: wire.ExtTokenType, Value: "userKey"},
				{Name: wire.ExtTokenATR, Value: fmt.Sprintf("%X", p.card.ATR())}}},
	}
	return s.inst.TPS().Perform(ctx, session)
}

// atDesk is a person as an operation sees one that came without HTTP.
type atDesk struct {
	person
	count *counter
}

func (d atDesk) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	d.count.command(cmd)
	return d.card.Transmit(ctx, cmd)
}

func (d atDesk) Login(context.Context, auth.Prompt) (auth.Credentials, error) {
	return auth.NewCredentials(d.uid, password), nil
}

func (d atDesk) NewPIN(context.Context, int, int) (coolkey.PIN, error) {
	return coolkey.PIN(pin), nil
}

func (d atDesk) Progress(context.Context, int, string) error { return nil }

// connect runs an operation as esc does, over HTTPS.
func (s *system) connect(ctx context.Context, op wire.Operation, p person) error {
	c := esc.Client{URL: fmt.Sprintf("https://127.0.0.1:%d/tps/tps", s.port), TLS: s.tls,
		Prompter: p, Progress: func(int, string) {}}
	_, err := c.Run(ctx, esc.Request{Operation: op, TokenType: "userKey", ATR: p.card.ATR()},
		atDesk{p, &s.count})
	return err
}

// Ask is what esc asks a person.
func (p person) Ask(context.Context, esc.Prompt) (wire.Credentials, error) {
	return wire.Credentials{{ID: esc.ParamUID, Value: wire.NewSecret(p.uid)},
		{ID: esc.ParamPassword, Value: wire.NewSecret(password)}}, nil
}

// NewPIN is what esc asks a person.
func (p person) NewPIN(context.Context, int, int) (wire.Secret, error) {
	return wire.NewSecret(pin), nil
}
