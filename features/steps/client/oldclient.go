package client

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/cucumber/godog"

	"tokenwright/features/oldclient"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
	"tokenwright/tms/wire"
)

func addOldClientSteps(sc *godog.ScenarioContext) {
	sc.Step(`^the old test client with a token out of its box$`, oldClientWithToken)
	sc.Step(`^the old test client with the token that was recorded$`, oldClientRecorded)
	sc.Step(`^"([^"]*)" formats the token with the old client$`, oldFormats)
	sc.Step(`^"([^"]*)" enrolls the token with the old client and the PIN "([^"]*)"$`, oldEnrolls)
	sc.Step(`^"([^"]*)" sets the PIN to "([^"]*)" with the old client$`, oldSetsPIN)
	sc.Step(`^the server ends the old client's operation with END_OP 0$`, oldEnded)
	sc.Step(`^an agent lets the PIN of the old client's token be set$`, oldMayReset)
	sc.Step(`^an agent lets the certificates of the old client's token be renewed$`, oldMayRenew)
	sc.Step(`^the record of the old client's token says (FORMATTED|ACTIVE) and "([^"]*)"$`, oldRecord)
	sc.Step(`^the old client's token has keys of version (\d)$`, oldKeyVersion)
	sc.Step(`^the old client's token has the PIN "([^"]*)"$`, oldHasPIN)
	sc.Step(`^the old client's token has made (\d) keys and been brought (\d)$`, oldKeys)
	sc.Step(`^the valid certificates of the old client's token are (\d), and one is for the key it made last$`, oldCertificates)
}

func oldClientWithToken(ctx context.Context) error {
	var cuid [10]byte
	if _, err := rand.Read(cuid[:]); err != nil {
		return err
	}
	return takeOldClient(ctx, cuid)
}

func oldClientRecorded(ctx context.Context) error { return takeOldClient(ctx, oldclient.Recorded) }

func takeOldClient(ctx context.Context, cuid [10]byte) error {
	from(ctx).old = oldclient.New(cuid)
	scene.From(ctx).Made(keys.CUID(cuid))
	return nil
}

func oldToken(ctx context.Context) (*oldclient.Token, error) {
	if t := from(ctx).old; t != nil {
		return t, nil
	}
	return nil, errors.New("there is no old client")
}

func oldFormats(ctx context.Context, user string) error {
	return oldOperates(ctx, wire.OpFormat, user, "")
}

func oldEnrolls(ctx context.Context, user, pin string) error {
	return oldOperates(ctx, wire.OpEnroll, user, pin)
}

func oldSetsPIN(ctx context.Context, user, pin string) error {
	return oldOperates(ctx, wire.OpResetPIN, user, pin)
}

// oldOperates lets the old client write every byte of its side of the conversation.
func oldOperates(ctx context.Context, operation wire.Operation, user, pin string) error {
	t, err := oldToken(ctx)
	if err != nil {
		return err
	}
	o, err := byUser(user)
	if err != nil {
		return err
	}
	r, _, err := connect(ctx)
	if err != nil {
		return err
	}
	if err := r.sendBytes(oldclient.Begin(int(operation))); err != nil {
		return err
	}
	for {
		m, err := r.read()
		if err != nil {
			return err
		}
		if end, ok := m.(wire.EndOp); ok {
			from(ctx).end = end
			return nil
		}
		reply, err := oldAnswers(t, m, o, pin)
		if err != nil {
			return err
		}
		if err := r.sendBytes(reply); err != nil {
			return err
		}
	}
}

func oldAnswers(t *oldclient.Token, m wire.Message, o operation, pin string) ([]byte, error) {
	switch m := m.(type) {
	case wire.LoginRequest:
		return oldclient.Login(o.user, o.password), nil
	case wire.NewPINRequest:
		return oldclient.PIN(pin), nil
	case wire.StatusUpdateRequest:
		return oldclient.Progress(m.Percent), nil
	case wire.TokenPDURequest:
		answer, err := t.Transmit(m.PDU)
		return oldclient.PDU(answer), err
	}
	return nil, fmt.Errorf("the old client does not know message type %d", m.Type())
}

func oldEnded(ctx context.Context) error {
	if end := from(ctx).end; end.Result != wire.ResultGood || end.Status != wire.StatusNoError {
		l, err := scene.From(ctx).Lab(ctx)
		if err != nil {
			return err
		}
		return fmt.Errorf("it ended with result %d and code %d\n%s", end.Result, end.Status, l.Log())
	}
	return nil
}

func oldRecordOf(ctx context.Context) (token.Record, store.Store, error) {
	t, err := oldToken(ctx)
	if err != nil {
		return token.Record{}, nil, err
	}
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return token.Record{}, nil, err
	}
	r, err := l.Store().Token(ctx, keys.CUID(t.CUID))
	return r, l.Store(), err
}

func oldRecord(ctx context.Context, state, user string) error {
	r, st, err := oldRecordOf(ctx)
	if err != nil {
		return err
	}
	if r.Status.String() != state || r.UserID != user {
		return fmt.Errorf("it says %s and %q", r.Status, r.UserID)
	}
	open, err := st.OpenIntents(ctx, r.CUID)
	if err == nil && len(open) > 0 {
		err = fmt.Errorf("left open: %v", open)
	}
	return err
}

func oldMayReset(ctx context.Context) error { return oldPolicy(ctx, "PIN_RESET=YES") }

func oldMayRenew(ctx context.Context) error { return oldPolicy(ctx, "RENEW=YES") }

func oldPolicy(ctx context.Context, text string) error {
	t, err := oldToken(ctx)
	if err != nil {
		return err
	}
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	return l.SetPolicy(ctx, keys.CUID(t.CUID), text)
}

func oldKeyVersion(ctx context.Context, want int) error {
	t, err := oldToken(ctx)
	if err != nil {
		return err
	}
	r, _, err := oldRecordOf(ctx)
	if err != nil {
		return err
	}
	if int(t.Version) != want || r.KeyInfo != fmt.Sprintf("%02X01", want) {
		return fmt.Errorf("it has keys of version %d, the record says %s", t.Version, r.KeyInfo)
	}
	return nil
}

func oldHasPIN(ctx context.Context, want string) error {
	t, err := oldToken(ctx)
	if err == nil && t.PIN != want {
		err = fmt.Errorf("it has %q", t.PIN)
	}
	return err
}

func oldKeys(ctx context.Context, made, brought int) error {
	t, err := oldToken(ctx)
	if err == nil && (len(t.Made) != made || t.Imported != brought) {
		err = fmt.Errorf("it has made %d and been brought %d", len(t.Made), t.Imported)
	}
	return err
}

// oldCertificates asks the CA, and compares with what the token itself remembers of its last key.
func oldCertificates(ctx context.Context, want int) error {
	t, err := oldToken(ctx)
	if err != nil {
		return err
	}
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	list, err := l.Store().(store.CertLister).Certificates(ctx, store.CertQuery{
		CUID: keys.CUID(t.CUID), Limit: store.MaxLimit,
	})
	if err != nil {
		return err
	}
	valid, itsOwn := 0, false
	for _, c := range list.Certificates {
		status, err := l.Authorities().CA.Certificate(ctx, connector.Serial(c.Serial))
		if err != nil {
			return err
		}
		if status.State != connector.CertificateValid {
			continue
		}
		valid++
		cert, err := x509.ParseCertificate(status.DER)
		if err != nil {
			return err
		}
		public, isRSA := cert.PublicKey.(*rsa.PublicKey)
		itsOwn = itsOwn || isRSA && t.MadeLast(public)
	}
	if valid != want || !itsOwn {
		return fmt.Errorf("%d are valid; one for its own key: %t", valid, itsOwn)
	}
	return nil
}
