package op

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"

	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/mapping"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// Client is the other end of a session: the card, and the person at the desk.
// Errors of Transmit, Login and Progress mean that the client went away or broke
// the protocol.
type Client interface {
	perso.Transmitter
	// Login asks the person for what the prompt names.
	Login(ctx context.Context, p auth.Prompt) (auth.Credentials, error)
	// NewPIN asks the person for a new PIN of shortest to longest bytes. It is as the
	// client sent it, and secret.
	NewPIN(ctx context.Context, shortest, longest int) (coolkey.PIN, error)
	// Progress tells how far the operation has come, if the client asked to be told.
	Progress(ctx context.Context, percent int, task string) error
}

// TKS is what operations ask of a token key service.
type TKS interface {
	ComputeSessionKey(ctx context.Context, req connector.SessionKeyRequest) (
		connector.SessionKeyResponse, error)
	CreateKeySetData(ctx context.Context, req connector.KeySetDataRequest) (
		connector.KeySetDataResponse, error)
	ComputeRandomData(ctx context.Context, n int) ([]byte, error)
	EncryptData(ctx context.Context, req connector.EncryptDataRequest) (
		connector.EncryptDataResponse, error)
}

// Tokens looks up token records.
type Tokens interface {
	Look(ctx context.Context, s tokendb.Session, cuid keys.CUID) (*tokendb.Card, error)
}

// Env is what operations work with. It is shared by all sessions.
type Env struct {
	Settings *profile.Settings
	Tokens   Tokens
	// TKS are the connections by connector id, Auth the authenticators and
	// Resolvers the mapping resolvers by instance name.
	TKS       map[string]TKS
	Auth      map[string]auth.Authenticator
	Resolvers map[string]mapping.Resolver
	// Authorities are the CAs and KRAs.
	Authorities *routing.Router
	// Random makes the first versions of cards' contents, and host challenges when no
	// TKS is asked for them; nil means crypto/rand.
	Random io.Reader
	// Failpoint, if any, is called at each of Failpoints; an error ends the
	// operation as if the process had died there.
	Failpoint func(name string) error
	// Busy knows the cards that sessions are at work with; nil means that nobody asks.
	Busy *Busy
}

// Session is one conversation with a client.
type Session struct {
	// ID is carried by every log line and activity.
	ID string
	// IP is the client's address without port.
	IP string
	// Begin is the client's opening message.
	Begin  wire.BeginOp
	Client Client
	Log    *slog.Logger
}

// Func is an operation. A nil error means END_OP with result 0; StatusOf gives the
// code for any other.
type Func func(ctx context.Context, e *Env, s *Session) error

func (e *Env) random() io.Reader {
	if e.Random == nil {
		return rand.Reader
	}
	return e.Random
}

// extension gives the value of a BEGIN_OP extension, "" when it is not there.
func (s *Session) extension(name string) string {
	v, _ := s.Begin.Extensions.Get(name)
	return v
}

// run is one operation on one card: what has been learnt and decided so far.
type run struct {
	*Env
	*Session
	op    token.Op
	rules profile.Operation
	facts perso.Facts
	card  *tokendb.Card
	// tokenType, conf, keySet and tks are decided by the operation's resolvers.
	tokenType string
	conf      profile.Card
	keySet    string
	tks       TKS
	user      auth.User
	// load are the percentages between which the load of an applet moves.
	load [2]int
	// shown is the key information that the card proved last, as records hold it.
	shown string
	// serverKeys has the next channel bring keys for the way from a KRA to the card,
	// which are then in transport.
	serverKeys bool
	transport  connector.KRATransport
	// leave ends that the card is busy.
	leave func()
}

// end is for the end of every operation.
func (r *run) end() {
	if r.leave != nil {
		r.leave()
	}
}

// failed records that the operation failed.
func (r *run) failed(ctx context.Context, cause error) {
	if r.card == nil {
		return
	}
	if err := r.card.Fail(ctx, r.op, cause); err != nil {
		r.Log.Error("failed operation not recorded", "err", err)
	}
}
