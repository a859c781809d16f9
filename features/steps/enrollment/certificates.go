package enrollment

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

func addCertificateSteps(sc *godog.ScenarioContext) {
	sc.Step(`^the token holds certificates for "([^"]*)"$`, holdsFor)
	sc.Step(`^all that the token held before is revoked(?: with reason (\d+))?$`, allBeforeRevoked)
	sc.Step(`^all that the token held at first is revoked$`, allAtFirstRevoked)
	sc.Step(`^all that the token held before is still valid$`, allBeforeValid)
	sc.Step(`^no certificate of the token is valid$`, noneValid)
	sc.Step(`^the token has no certificate records$`, noRecords)
	sc.Step(`^the key of every "([^"]*)" certificate is archived for "([^"]*)"$`, archivedFor)
	sc.Step(`^the "([^"]*)" certificate is that of the second card$`, sameAsSecond)
	sc.Step(`^the "([^"]*)" certificate is another than that of the second card$`, otherThanSecond)
	sc.Step(`^the last "([^"]*)" certificate is (that|another than that) of the second card$`, lastAndSecond)
	sc.Step(`^the "([^"]*)" certificate is (valid|revoked|on hold)$`, mineAre)
	sc.Step(`^the "([^"]*)" certificate is revoked for reason (\d+)$`, revokedFor)
	sc.Step(`^the token holds what is valid for "([^"]*)" and revoked for "([^"]*)"$`, holdsValidAndRevoked)
	sc.Step(`^the "([^"]*)" certificate of the second card is (valid|revoked|on hold)$`, secondAre)
	sc.Step(`^the new certificates are for the keys that the card had before$`, sameKeys)
	sc.Step(`^the certificates name "([^"]*)"$`, certificatesName)
}

// recordsOf lists the certificate records of a card.
func recordsOf(ctx context.Context, cuid keys.CUID) ([]token.Certificate, error) {
	db, err := home(ctx)
	if err != nil {
		return nil, err
	}
	page, err := db.Certificates(ctx, store.CertQuery{CUID: cuid, Limit: store.MaxLimit})
	return page.Certificates, err
}

func records(ctx context.Context) ([]token.Certificate, error) {
	return recordsOf(ctx, scene.From(ctx).Card.CUID())
}

// remember notes what is on record now.
func remember(ctx context.Context) error {
	list, err := records(ctx)
	if err != nil {
		return err
	}
	st := from(ctx)
	st.certs, st.keys = map[string]bool{}, map[string]publicKey{}
	for _, c := range list {
		if c.Presence != token.Held {
			continue
		}
		st.certs[c.Serial], st.ever = true, append(st.ever, c)
		cert, _, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		st.keys[c.KeyType] = publicKey(cert.RawSubjectPublicKeyInfo)
	}
	if st.first == nil && len(st.certs) > 0 {
		st.first = st.certs
	}
	return nil
}

// publicKey is a SubjectPublicKeyInfo in DER.
type publicKey string

// fetch asks the CA for a certificate and its state.
func fetch(ctx context.Context, c token.Certificate) (
	*x509.Certificate, connector.CertificateStatus, error,
) {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return nil, connector.CertificateStatus{}, err
	}
	status, err := l.Certificate(ctx, connector.Serial(c.Serial))
	if err != nil {
		return nil, status, fmt.Errorf("certificate %s: %w", c.Serial, err)
	}
	cert, err := x509.ParseCertificate(status.DER)
	return cert, status, err
}

// held lists the records of certificates that the card holds.
func held(ctx context.Context) ([]token.Certificate, error) {
	list, err := records(ctx)
	return slices.DeleteFunc(list, func(c token.Certificate) bool {
		return c.Presence != token.Held
	}), err
}

// holdsFor compares three: the records, the card, and the CA.
func holdsFor(ctx context.Context, types string) error {
	list, err := held(ctx)
	if err != nil {
		return err
	}
	var got, serials []string
	for _, c := range list {
		got, serials = append(got, c.KeyType), append(serials, c.Serial)
		cert, status, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		if status.State != connector.CertificateValid {
			return fmt.Errorf("certificate %s is %s", c.Serial, status.State)
		}
		if err := verify(ctx, cert); err != nil {
			return err
		}
	}
	slices.Sort(got)
	want := strings.Split(types, ", ")
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("it holds certificates for %q", got)
	}
	return sameOnCard(ctx, serials)
}

// verify holds a certificate against the CA's own.
func verify(ctx context.Context, cert *x509.Certificate) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	for _, c := range l.Issuers() {
		roots.AddCert(c)
	}
	_, err = cert.Verify(x509.VerifyOptions{
		Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

// before lists the records of certificates that the card held before.
func before(ctx context.Context, serials map[string]bool) ([]token.Certificate, error) {
	list, err := records(ctx)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(c token.Certificate) bool { return !serials[c.Serial] })
	if len(list) == 0 {
		return nil, errors.New("there was none, or none is on record any more")
	}
	return list, nil
}

func allBeforeRevoked(ctx context.Context, reason string) error {
	return areRevoked(ctx, from(ctx).certs, reason)
}

func allAtFirstRevoked(ctx context.Context) error { return areRevoked(ctx, from(ctx).first, "") }

func areRevoked(ctx context.Context, serials map[string]bool, reason string) error {
	list, err := before(ctx, serials)
	if err != nil {
		return err
	}
	for _, c := range list {
		_, status, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		if status.State != connector.CertificateRevoked || c.Status != token.CertRevoked ||
			reason != "" && reason != fmt.Sprint(int(status.Reason)) {
			return fmt.Errorf("certificate %s is %s for reason %d, and %s by its record", c.Serial,
				status.State, int(status.Reason), c.Status)
		}
	}
	return nil
}

func allBeforeValid(ctx context.Context) error {
	list, err := before(ctx, from(ctx).certs)
	if err != nil {
		return err
	}
	for _, c := range list {
		_, status, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		if status.State != connector.CertificateValid {
			return fmt.Errorf("certificate %s is %s", c.Serial, status.State)
		}
	}
	return nil
}

// noneValid asks the CA about everything that the scenario has seen or finds on record, and the CA's own
// database for what nobody has a record of.
func noneValid(ctx context.Context) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	good, err := l.Good(ctx, scene.From(ctx).Card.CUID())
	if err != nil {
		return err
	}
	if len(good) > 0 {
		return fmt.Errorf("the CA holds these for good: %q", good)
	}
	list, err := records(ctx)
	if err != nil {
		return err
	}
	for _, c := range from(ctx).ever {
		if c.CUID == scene.From(ctx).Card.CUID() {
			list = append(list, c)
		}
	}
	for _, c := range list {
		_, status, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		if status.State != connector.CertificateRevoked {
			return fmt.Errorf("certificate %s is %s", c.Serial, status.State)
		}
	}
	return nil
}

func noRecords(ctx context.Context) error {
	list, err := records(ctx)
	if err == nil && len(list) > 0 {
		err = fmt.Errorf("it has %d", len(list))
	}
	return err
}

func archivedFor(ctx context.Context, keyType, user string) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	list, err := records(ctx)
	if err != nil {
		return err
	}
	found := 0
	for _, c := range list {
		if c.KeyType != keyType {
			continue
		}
		cert, _, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		info, err := l.Authorities().KRA.FindKey(ctx, connector.KeyQuery{Certificate: cert.Raw})
		if err != nil {
			return fmt.Errorf("key of certificate %s: %w", c.Serial, err)
		}
		if info.UserID != user || string(info.KeyID) != c.KeyID {
			return fmt.Errorf("key %s of %q is archived, the record says %s", info.KeyID, info.UserID,
				c.KeyID)
		}
		found++
	}
	if found == 0 {
		return errors.New("there is none")
	}
	return nil
}

// ofType gives the record of the certificate of a type that a card holds.
func ofType(ctx context.Context, cuid keys.CUID, keyType string) (token.Certificate, error) {
	list, err := recordsOf(ctx, cuid)
	if err != nil {
		return token.Certificate{}, err
	}
	for _, c := range list {
		if c.KeyType == keyType && c.Presence == token.Held {
			return c, nil
		}
	}
	return token.Certificate{}, fmt.Errorf("token %s holds no %s certificate", cuid, keyType)
}

func pair(ctx context.Context, keyType string) (mine, other token.Certificate, err error) {
	sn := scene.From(ctx)
	if sn.Second == nil {
		return mine, other, errNoSecond
	}
	if mine, err = ofType(ctx, sn.Card.CUID(), keyType); err != nil {
		return mine, other, err
	}
	other, err = ofType(ctx, sn.Second.CUID(), keyType)
	return mine, other, err
}

func sameAsSecond(ctx context.Context, keyType string) error {
	mine, other, err := pair(ctx, keyType)
	if err == nil && mine.CertID != other.CertID {
		err = fmt.Errorf("it is %s, that of the second card %s", mine.Serial, other.Serial)
	}
	return err
}

func otherThanSecond(ctx context.Context, keyType string) error {
	mine, other, err := pair(ctx, keyType)
	if err == nil && mine.CertID == other.CertID {
		err = fmt.Errorf("both are %s", mine.Serial)
	}
	return err
}

func sameKeys(ctx context.Context) error {
	list, err := held(ctx)
	if err != nil {
		return err
	}
	fresh := 0
	for _, c := range list {
		if from(ctx).certs[c.Serial] {
			continue
		}
		fresh++
		cert, _, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		if from(ctx).keys[c.KeyType] != publicKey(cert.RawSubjectPublicKeyInfo) {
			return fmt.Errorf("the %s certificate is for another key", c.KeyType)
		}
	}
	if fresh == 0 {
		return errors.New("there are no new certificates")
	}
	return nil
}

func certificatesName(ctx context.Context, want string) error {
	list, err := held(ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		cert, _, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		if !strings.Contains(cert.Subject.String(), want) &&
			!slices.Contains(cert.EmailAddresses, want) {
			return fmt.Errorf("certificate %s names %q and %q", c.Serial, cert.Subject, cert.EmailAddresses)
		}
	}
	return nil
}

// secondAre asks the CA about what the second card holds.
func secondAre(ctx context.Context, keyType, state string) error {
	sn := scene.From(ctx)
	if sn.Second == nil {
		return errNoSecond
	}
	return inState(ctx, sn.Second, keyType, state)
}

// inState asks the CA about the certificate of a type that a card holds.
func inState(ctx context.Context, card *scene.Card, keyType, state string) error {
	c, err := ofType(ctx, card.CUID(), keyType)
	if err != nil {
		return err
	}
	_, status, err := fetch(ctx, c)
	if err != nil {
		return err
	}
	if string(status.State) != map[string]string{
		"valid": "valid", "revoked": "revoked", "on hold": "revoked_on_hold",
	}[state] {
		return fmt.Errorf("it is %s", status.State)
	}
	return nil
}
