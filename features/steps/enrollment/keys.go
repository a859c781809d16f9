package enrollment

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/perso"
)

func addKeySteps(sc *godog.ScenarioContext) {
	sc.Step(`^the "([^"]*)" certificate is for a key of kind "([^"]*)"$`, ofKind)
	sc.Step(`^the "([^"]*)" certificate allows "([^"]*)"$`, allows)
	sc.Step(`^the "([^"]*)" certificate ends within (\d+) days$`, endsWithin)
	sc.Step(`^the certificates name the card$`, nameTheCard)
	sc.Step(`^the keys are others than before$`, otherKeys)
	sc.Step(`^the card tells of its keys in (one compressed object|one object|objects of their own)$`, tellsIn)
	sc.Step(`^somebody tries (\d+) wrong PINs on the card$`, guesses)
	sc.Step(`^"([^"]*)" enrolls the card, and somebody changes the public key on its way$`, enrollsForged)
}

// mine fetches the certificate of a type that the card holds.
func mine(ctx context.Context, keyType string) (*x509.Certificate, error) {
	c, err := ofType(ctx, scene.From(ctx).Card.CUID(), keyType)
	if err != nil {
		return nil, err
	}
	cert, _, err := fetch(ctx, c)
	return cert, err
}

func ofKind(ctx context.Context, keyType, want string) error {
	cert, err := mine(ctx, keyType)
	if err != nil {
		return err
	}
	got, err := algorithmOf(cert)
	if err == nil && string(got) != want {
		err = fmt.Errorf("it is for a key of kind %q", got)
	}
	return err
}

// usages are in the order of their bits. // RFC 5280 §4.2.1.3
var usages = []struct {
	bit  x509.KeyUsage
	name string
}{
	{x509.KeyUsageDigitalSignature, "digitalSignature"},
	{x509.KeyUsageContentCommitment, "nonRepudiation"},
	{x509.KeyUsageKeyEncipherment, "keyEncipherment"},
	{x509.KeyUsageDataEncipherment, "dataEncipherment"},
	{x509.KeyUsageKeyAgreement, "keyAgreement"},
	{x509.KeyUsageCertSign, "keyCertSign"},
	{x509.KeyUsageCRLSign, "cRLSign"},
}

func allows(ctx context.Context, keyType, want string) error {
	cert, err := mine(ctx, keyType)
	if err != nil {
		return err
	}
	var got []string
	for _, u := range usages {
		if cert.KeyUsage&u.bit != 0 {
			got = append(got, u.name)
		}
	}
	if text := strings.Join(got, ", "); text != want {
		return fmt.Errorf("it allows %q", text)
	}
	return nil
}

func endsWithin(ctx context.Context, keyType string, days int) error {
	cert, err := mine(ctx, keyType)
	if err != nil {
		return err
	}
	if left := time.Until(cert.NotAfter); left > time.Duration(days)*24*time.Hour {
		return fmt.Errorf("it ends in %s", left)
	}
	return nil
}

func nameTheCard(ctx context.Context) error {
	list, err := held(ctx)
	if err != nil {
		return err
	}
	want := scene.From(ctx).Card.CUID().String()
	for _, c := range list {
		cert, _, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		named := slices.ContainsFunc(cert.Subject.Names, func(a pkix.AttributeTypeAndValue) bool {
			return strings.HasSuffix(strings.ReplaceAll(fmt.Sprint(a.Value), "-", ""), want)
		})
		if !named {
			return fmt.Errorf("certificate %s names %q", c.Serial, cert.Subject)
		}
	}
	return nil
}

// otherKeys wants every key to be another than that of its type before the last operation.
func otherKeys(ctx context.Context) error {
	list, err := held(ctx)
	if err != nil {
		return err
	}
	if len(from(ctx).keys) == 0 {
		return errors.New("there were none before")
	}
	for _, c := range list {
		cert, _, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		if from(ctx).keys[c.KeyType] == publicKey(cert.RawSubjectPublicKeyInfo) {
			return fmt.Errorf("the %s key is the same", c.KeyType)
		}
	}
	return nil
}

// compression is where the combined object says how its content is compressed: 1 is zlib.
const compression = 15

func tellsIn(ctx context.Context, want string) error {
	card := scene.From(ctx).Card
	return card.Quietly(func() error {
		if err := perso.SelectApplet(ctx, card, appletAID); err != nil {
			return err
		}
		list, err := perso.ListObjects(ctx, card)
		if err != nil {
			return err
		}
		got := "objects of their own"
		for _, o := range list {
			if o.ID != coolkey.ObjectCombined {
				continue
			}
			z0, err := perso.ReadObject(ctx, perso.User{Card: card}, o.ID, int(o.Size))
			if err != nil {
				return err
			}
			if got = "one object"; z0[compression] == 1 {
				got = "one compressed object"
			}
		}
		if got != want {
			return fmt.Errorf("it tells of them in %s", got)
		}
		return nil
	})
}

// guesses enters PINs that are wrong by their form: longer than anybody may choose.
func guesses(ctx context.Context, n int) error {
	card := scene.From(ctx).Card
	return card.Quietly(func() error {
		if err := perso.SelectApplet(ctx, card, appletAID); err != nil {
			return err
		}
		for i := range n {
			pin := coolkey.PIN(fmt.Sprintf("wrong-%09d", i))
			resp, err := card.Do(ctx, coolkey.VerifyPIN{PIN: pin}.Command())
			if err != nil {
				return err
			}
			if resp.SW == apdu.SW9000 {
				return errors.New("the card takes it")
			}
		}
		return nil
	})
}

// readObject is the instruction by which a new public key is read. Answers are not protected.
const readObject = 0x56

// enrollsForged flips a bit in the middle of the first long answer to READ OBJECT: the modulus.
func enrollsForged(ctx context.Context, user string) error {
	card, done := scene.From(ctx).Card, false
	card.SetForge(func(cmd, answer []byte) []byte {
		const long = 100
		if done || len(cmd) < 2 || cmd[1] != readObject || len(answer) < long {
			return answer
		}
		done = true
		forged := append([]byte(nil), answer...)
		forged[len(forged)/2] ^= 1
		return forged
	})
	err := enrolls(ctx, user)
	card.SetForge(nil)
	if err == nil && !done {
		err = errors.New("no public key was on its way")
	}
	return err
}
