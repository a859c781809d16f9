package contact

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
	"tokenwright/tms/tps/extreg"
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

// Rand gives the randomness that the environment names, or the system's.
func (e *Env) Rand() io.Reader {
	if e.Random == nil {
		return rand.Reader
	}
	return e.Random
}

// Extension gives the value of a BEGIN_OP extension, "" when it is not there.
func (s *Session) Extension(name string) string {
	v, _ := s.Begin.Extensions.Get(name)
	return v
}

// Run is one operation on one card: what has been learnt and decided so far.
type Run struct {
	*Env
	*Session
	Op    token.Op
	Rules profile.Operation
	Facts perso.Facts
	Card  *tokendb.Card
	// TokenType, Conf, KeySet and KeyService are decided by the operation's resolvers.
	TokenType  string
	Conf       profile.Card
	KeySet     string
	KeyService TKS
	// Chosen is what the key set resolver says beside the key set, for this very card.
	Chosen Chosen
	User   auth.User
	// Registration is what the user's directory entry says of the token; nil where tokens
	// are not registered in a directory.
	Registration *extreg.Registration
	// Load are the percentages between which the load of an applet moves.
	Load [2]int
	// Shown is the key information that the card proved last, as records hold it.
	Shown string
	// ServerKeys has the next channel bring keys for the way from a KRA to the card,
	// which are then in Transport.
	ServerKeys bool
	Transport  connector.KRATransport
	// leave ends that the card is busy.
	leave func()
}

// End is for the end of every operation.
func (r *Run) End() {
	if r.leave != nil {
		r.leave()
	}
}

// Failed records that the operation failed.
func (r *Run) Failed(ctx context.Context, cause error) {
	if r.Card == nil {
		return
	}
	if err := r.Card.Fail(ctx, r.Op, cause); err != nil {
		r.Log.Error("failed operation not recorded", "err", err)
	}
}
