package enrollment

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"

	"tokenwright/features/holder"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/token"
)

// carries makes known what the person who was given the card carries now, by the records and the CA: what
// programs find on the card is held against it.
func carries(ctx context.Context, user, pin string) error {
	list, err := held(ctx)
	if err != nil {
		return err
	}
	card := scene.From(ctx).Card
	h := &holder.Holding{
		Plan:      holder.Plan{Person: holder.Person{Name: user, UID: user}, PIN: pin},
		TokenName: user, CUID: card.CUID(),
	}
	for _, c := range list {
		if c.Status == token.CertRenewed {
			continue // its key is its successor's
		}
		cert, _, err := fetch(ctx, c)
		if err != nil {
			return err
		}
		algorithm, err := algorithmOf(cert)
		if err != nil {
			return err
		}
		use := holder.Use(c.KeyType)
		if use == holder.Encryption && algorithm.Curve() != nil {
			use = holder.Agreement
		}
		h.Pairs = append(h.Pairs, holder.Pair{
			PairPlan:  holder.PairPlan{Use: use, Algorithm: algorithm},
			Container: c.Container, ID: []byte{byte(c.Container)}, Slots: content.PairSlots(c.Container),
			Label: fmt.Sprintf("%s key for %s", c.KeyType, user), Certificate: cert,
		})
	}
	slices.SortFunc(h.Pairs, func(a, b holder.Pair) int { return a.Container - b.Container })
	card.Held = h
	return nil
}

func algorithmOf(cert *x509.Certificate) (holder.Algorithm, error) {
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return holder.Algorithm(fmt.Sprintf("RSA %d", k.N.BitLen())), nil
	case *ecdsa.PublicKey:
		return holder.Algorithm(k.Params().Name), nil
	}
	return "", fmt.Errorf("certificate %x is for a key of an unknown kind", cert.SerialNumber)
}
