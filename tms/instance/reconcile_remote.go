package instance

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tokenwright/tms/admin"
	"tokenwright/tms/admin/caadmin"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/kra/agentapi"
	"tokenwright/tms/kra/keydb"
	"tokenwright/tms/tps/routing/compare"
)

// askRemote adds the CAs and the KRAs that run elsewhere and whose address for administrators was
// given.
func (i *Instance) askRemote(ctx context.Context, c *compare.Comparer, a authorities,
	o ReconcileOptions,
) error {
	for _, id := range slices.Sorted(maps.Keys(o.Ask)) {
		var err error
		switch {
		case o.TLS == nil:
			err = errors.New("no certificate to show there")
		case a.cas[id] != nil:
			err = i.askCA(ctx, c, a, id, o)
		case a.kras[id] != nil:
			var ask *agentapi.Client
			if ask, err = agentapi.NewClient(o.Ask[id], o.TLS); err == nil {
				i.closers = append(i.closers, ask)
				c.KRAs[id] = remoteKeys{ask}
			}
		default:
			err = errors.New("the TPS is not connected to it")
		}
		if err != nil {
			return fmt.Errorf("asking %.64q at %s: %w", id, o.Ask[id], err)
		}
	}
	return nil
}

// askCA makes sure that it is the CA that the connector leads to.
func (i *Instance) askCA(ctx context.Context, c *compare.Comparer, a authorities, id string,
	o ReconcileOptions,
) error {
	ask, err := admin.NewClient(o.Ask[id], o.TLS)
	if err != nil {
		return err
	}
	i.closers = append(i.closers, ask)
	client := caadmin.NewClient(ask)
	facts, err := client.Facts(ctx)
	if err != nil {
		return err
	}
	cert, err := firstCertificate(facts.ChainPEM)
	if err != nil {
		return err
	}
	if own := a.signers[id]; own != "" && own != hex.EncodeToString(cert.SubjectKeyId) {
		return fmt.Errorf("it is %q, with another key than the CA that the connector leads to",
			facts.Subject)
	}
	c.CAs[id] = remoteCA{client, cert.Subject.String(), c.Tokens.Now}
	return nil
}

func firstCertificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("it gives no certificate of its own")
	}
	return x509.ParseCertificate(block.Bytes)
}

// remoteCA lists a CA that runs elsewhere, as one who may look there.
type remoteCA struct {
	ask    *caadmin.Client
	issuer string
	now    func() time.Time
}

// Good implements compare.CertificateList.
func (l remoteCA) Good(ctx context.Context, f func(compare.Issued) error) error {
	for _, s := range goodStates {
		err := l.each(ctx, caadmin.Query{State: string(s.name)}, func(c caadmin.Certificate) error {
			if !l.now().Before(c.NotAfter) {
				return nil
			}
			out := compare.Issued{
				Issuer: l.issuer, Serial: string(c.Serial), Subject: c.Subject, UserID: c.User,
				Request: c.Request, State: s.name, Created: c.Issued,
			}
			var err error
			if c.CUID != "" {
				out.CUID, err = keys.ParseCUID(c.CUID)
			}
			if err != nil {
				return err
			}
			return f(out)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Certifies implements compare.CertificateList.
func (l remoteCA) Certifies(ctx context.Context, cuid keys.CUID, spki []byte) (bool, error) {
	err := l.each(ctx, caadmin.Query{CUID: cuid.String()}, func(c caadmin.Certificate) error {
		if c.State == caadmin.StateToBeSigned {
			return nil
		}
		whole, err := l.ask.Show(ctx, c.Serial)
		if err != nil {
			return err
		}
		cert, err := firstCertificate(whole.PEM)
		if err == nil && bytes.Equal(cert.RawSubjectPublicKeyInfo, spki) {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}

func (l remoteCA) each(ctx context.Context, q caadmin.Query, f func(caadmin.Certificate) error) error {
	for q.Limit = caadmin.MaxPage; ; {
		page, err := l.ask.List(ctx, q)
		if err != nil {
			return err
		}
		for _, c := range page {
			q.After = c.Serial
			if err := f(c); err != nil {
				return err
			}
		}
		if len(page) < q.Limit {
			return nil
		}
	}
}

// remoteKeys lists a KRA that runs elsewhere, as one of its recovery agents.
type remoteKeys struct{ ask *agentapi.Client }

// Keys implements compare.KeyList.
func (l remoteKeys) Keys(ctx context.Context, f func(compare.Archived) error) error {
	for q := (agentapi.KeyQuery{Limit: keydb.MaxPage}); ; {
		page, err := l.ask.Keys(ctx, q)
		if err != nil {
			return err
		}
		for _, k := range page {
			q.After = k.ID
			cuid, err := keys.ParseCUID(k.CUID)
			if err != nil {
				return fmt.Errorf("key %d: %w", k.ID, err)
			}
			if err := f(compare.Archived{Created: k.Created, KeyInfo: connector.KeyInfo{
				KeyID: connector.KeyID(fmt.Sprint(k.ID)), CUID: cuid, UserID: k.UserID,
				Type: connector.KeyType(k.Type), Bits: k.Bits, PublicKey: k.PublicKey,
			}}); err != nil {
				return err
			}
		}
		if len(page) < q.Limit {
			return nil
		}
	}
}
