package op

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/auth"
	"tokenwright/tms/tps/mapping"
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
}

// Tokens looks up token records.
type Tokens interface {
	Look(ctx context.Context, s tokendb.Session, cuid keys.CUID) (*tokendb.Card, error)
}

// Env is what operations work with. It is shared by all sessions.
type Env struct {
	Settings *Settings
	Tokens   Tokens
	// TKS are the connections by connector id, Auth the authenticators and
	// Resolvers the mapping resolvers by instance name.
	TKS       map[string]TKS
	Auth      map[string]auth.Authenticator
	Resolvers map[string]mapping.Resolver
	// Random makes host challenges when no TKS is asked for them; nil means
	// crypto/rand.
	Random io.Reader
	// Failpoint, if any, is called at each of Failpoints; an error ends the
	// operation as if the process had died there.
	Failpoint func(name string) error
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

// The names of failpoints: before and after each intent and outcome of an operation.
const (
	FailAdmitted      = "format.admitted"       // record added, nothing done to the card
	FailLoadIntent    = "format.load.intent"    // intent recorded, applet not yet deleted
	FailLoadDone      = "format.load.done"      // applet loaded, outcome not recorded
	FailLoadOutcome   = "format.load.outcome"   // outcome recorded
	FailPutKeyIntent  = "format.putkey.intent"  // intent recorded, PUT KEY not sent
	FailPutKeyDone    = "format.putkey.done"    // PUT KEY answered, outcome not recorded
	FailPutKeyOutcome = "format.putkey.outcome" // outcome recorded, new keys not used yet
	FailFinish        = "format.finish"         // card finished, record not
	FailFinished      = "format.finished"       // record finished, client not told
)

// Failpoints lists the names of all failpoints in the order of a format that
// changes keys.
func Failpoints() []string {
	return []string{
		FailAdmitted, FailLoadIntent, FailLoadDone, FailLoadOutcome,
		FailPutKeyIntent, FailPutKeyDone, FailPutKeyOutcome, FailFinish, FailFinished,
	}
}

func (e *Env) failpoint(name string) error {
	if e.Failpoint == nil {
		return nil
	}
	if err := e.Failpoint(name); err != nil {
		return fmt.Errorf("%w %s: %w", ErrKilled, name, err)
	}
	return nil
}

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
	facts perso.Facts
	card  *tokendb.Card
	// tokenType, conf, keySet and tks are decided by the operation's resolvers.
	tokenType string
	conf      FormatSettings
	keySet    string
	tks       TKS
	// shown is the key information that the card proved last, as records hold it.
	shown string
}
