package op

import (
	"context"
	"crypto/x509"

	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/wire"
)

// renew has CAs issue successors of the certificates on the card that are due. Keys
// are not touched.
func (n *enrollment) renew(ctx context.Context) error {
	for i, r := range n.plan.renewals {
		at := percentKeys + (percentKeysEnd-percentKeys)*i/len(n.plan.renewals)
		if err := n.Client.Progress(ctx, at, taskKey); err != nil {
			return contact.Failf(wire.StatusConnLost, err, "telling progress")
		}
		for _, old := range n.Card.Holds() {
			if old.KeyType != r.Key || old.Status != token.CertActive {
				continue
			}
			if !r.In(old.NotAfter, n.Card.Now()) {
				n.Log.Info("certificate is not due for renewal", "serial", old.Serial,
					"expires", old.NotAfter)
				continue
			}
			if err := n.renewOne(ctx, r, old); err != nil {
				return contact.Failf(wire.StatusRecoveryFailed, err, "renewing %s certificate %s", r.Key,
					old.Serial)
			}
		}
	}
	return nil
}

func (n *enrollment) renewOne(ctx context.Context, r profile.Renewal, old token.Certificate) error {
	issued, err := n.Authorities.Issue(ctx, n.Card, routing.Request{
		CA: r.CA, KeyType: r.Key, Type: n.TokenType, UserID: n.owner(), Container: old.Container,
		KRA: old.KRA, KeyID: old.KeyID,
		Renew: &connector.RenewRequest{
			ProfileID: r.ProfileID, Serial: connector.Serial(old.Serial),
		},
	})
	if err != nil {
		// Whatever the CA said, the client knows one code for it.
		return &contact.Failure{Status: wire.StatusRecoveryFailed, Err: err}
	}
	n.Log.Info("certificate renewed", "key", r.Key, "old", old.Serial, "serial", issued.Record.Serial)
	k := n.set.Keys[r.Key]
	if err := n.sameKey(old, issued); err != nil {
		return err
	}
	n.made = append(n.made, issued.Record)
	n.renewed = append(n.renewed, old.CertID)
	n.succeed(k, old, issued)
	return nil
}

// sameKey wants the successor to be for the key that the card holds.
func (n *enrollment) sameKey(old token.Certificate, issued routing.Issued) error {
	for _, c := range n.content.Certificates {
		if !sameSerial(c.DER, old.Serial) {
			continue
		}
		before, err := x509.ParseCertificate(c.DER)
		if err == nil && string(before.RawSubjectPublicKeyInfo) ==
			string(issued.Cert.RawSubjectPublicKeyInfo) {
			return nil
		}
	}
	return contact.Refuse(wire.StatusRecoveryFailed, "%w: successor is not for the key on the card",
		routing.ErrCertificate)
}

// succeed puts a successor in the place of a certificate. One for encryption goes on
// being told of, in a container of its own that names the same key, if the policy
// says so: what was encrypted for it is found by it. A card without room loses it.
func (n *enrollment) succeed(k profile.Key, old token.Certificate, issued routing.Issued) {
	const opens = content.Decrypt | content.Unwrap | content.Derive
	for i, c := range n.content.Certificates {
		if !sameSerial(c.DER, old.Serial) {
			continue
		}
		n.content.Certificates[i].DER = issued.Cert.Raw
		if k.Private&opens != 0 && n.Allows(token.RenewKeepOldEncCerts) &&
			n.tellFormer(old, c.Label, c.DER) {
			n.kept = append(n.kept, old.CertID)
		}
		return
	}
}

// unused finds a container that neither the token type nor the card uses, for a
// certificate alone.
func (n *enrollment) unused() (int, bool) {
	taken := map[int]bool{}
	for _, k := range n.set.Keys {
		taken[k.Container] = true
	}
	for _, c := range n.content.Certificates {
		taken[c.Container], taken[c.Fixed.ID()] = true, true
	}
	for c := lastReadable; c >= 0; c-- {
		if !taken[c] {
			return c, true
		}
	}
	return 0, false
}

// lastReadable is the last container that all readers know.
const lastReadable = 9

// sameSerial tells whether a certificate in DER has a serial number.
func sameSerial(der []byte, serial string) bool {
	c, err := x509.ParseCertificate(der)
	return err == nil && c.SerialNumber.Text(16) == serial
}
