package op

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/binary"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"

	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/wire"
)

// objects are what the card will tell readers about its keys.
type objects struct {
	content content.Content
	// made are the certificates issued or fetched in this session; renewed are those
	// that they succeed, and kept those of them that stay on the card.
	made          []token.Certificate
	renewed, kept []token.CertID
	// adopted are certificates that were issued before and brought to the card, or found
	// there; removed those that were taken away from it.
	adopted []token.Certificate
	removed []token.CertID
}

// readObjects reads what the card tells readers now. A fresh applet tells nothing, and
// a plain card is not asked; one whose objects are damaged is told anew from the
// records.
func (n *enrollment) readObjects(ctx context.Context, ch *perso.Channel) error {
	version, err := n.firstVersion()
	if err != nil {
		return contact.Failf(wire.StatusSNAC, err, "object version")
	}
	n.content = content.Content{Version: version}
	if !n.fresh && !n.Plain() {
		found, form, err := perso.ReadContent(ctx, ch)
		switch {
		case err == nil && form != perso.NoContent:
			n.content = found
		case contact.StatusOf(err) == wire.StatusConnLost:
			return contact.Failf(wire.StatusConnLost, err, "reading objects")
		case err != nil:
			n.Log.Warn("objects on the card can't be read", "err", err)
		}
	}
	n.content.CUID = n.Facts.CUID
	n.content.TokenName = cut(n.expand(n.set.TokenName), content.MaxTokenName)
	return n.rebuild(ctx)
}

// versions is how many versions a token's content may begin with.
const versions = 1000

func (n *enrollment) firstVersion() (uint16, error) {
	var b [4]byte
	if _, err := io.ReadFull(n.Rand(), b[:]); err != nil {
		return 0, err
	}
	return uint16(binary.BigEndian.Uint32(b[:]) % versions), nil
}

// rebuild makes the card tell of the certificates that it holds by its record, each in
// its place, and of no others that are on record: an operation that was cut may have
// written some that were revoked since, or have torn what was there. Keys are where
// they were.
func (n *enrollment) rebuild(ctx context.Context) error {
	held := n.Card.Holds()
	n.content.Certificates = slices.DeleteFunc(n.content.Certificates, n.untrue)
	for _, former := range []bool{false, true} { // those in use come first
		for _, rec := range held {
			k, known := n.keyOf(rec)
			if (rec.Status == token.CertRenewed) != former || !known || n.tells(rec) {
				continue
			}
			cert, err := n.Authorities.Fetch(ctx, rec)
			if err != nil {
				return contact.Failf(wire.StatusCAResponse, err, "fetching certificate %s", rec.Serial)
			}
			n.Log.Warn("card does not tell of a certificate it holds", "serial", rec.Serial)
			if former {
				n.tellFormer(rec, n.expand(k.Label), cert.Raw)
				continue
			}
			if err := n.place(k, cert.Raw, cert.PublicKey); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyOf gives the settings of the key of a certificate on record, in its place.
func (n *enrollment) keyOf(rec token.Certificate) (profile.Key, bool) {
	k, known := n.set.Keys[rec.KeyType]
	if rec.KeyType == broughtType && (!known || rec.Container != k.Container) {
		return n.broughtKey(rec.Container, rec), true
	}
	if rec.Container != k.Container {
		k.Container, k.Slots = rec.Container, content.PairSlots(rec.Container)
	}
	return k, known
}

// untrue tells of a certificate on the card that its record says otherwise, or says
// it is elsewhere. What is not on record is not judged.
func (n *enrollment) untrue(c content.Certificate) bool {
	for _, rec := range n.Card.Certificates() {
		if sameSerial(c.DER, rec.Serial) {
			inPlace := c.Container == rec.Container || rec.Status == token.CertRenewed
			return rec.Presence != token.Held || !inPlace
		}
	}
	return false
}

// tells says whether the content has the certificate of a record.
func (n *enrollment) tells(rec token.Certificate) bool {
	return slices.ContainsFunc(n.content.Certificates, func(c content.Certificate) bool {
		return sameSerial(c.DER, rec.Serial)
	})
}

// tellFormer has the card go on telling of a certificate whose key has a new one: in
// a container of its own that names the same key. It reports whether there was room.
func (n *enrollment) tellFormer(rec token.Certificate, label string, der []byte) bool {
	free, ok := n.unused()
	if !ok {
		return false
	}
	former := content.NewCertificate(free, label+" (former "+rec.Serial+")", der)
	former.Fixed = content.NewFixed(content.ClassCertificate, rec.Container, content.Token)
	n.content.Certificates = append(n.content.Certificates, former)
	return true
}

// occupied tells whether the card tells of a key in a container.
func (n *enrollment) occupied(container int) bool {
	return slices.ContainsFunc(n.content.Keys, func(k content.Key) bool {
		return k.Fixed.ID() == container
	})
}

// put has the card tell of a certificate and its key, in place of what it told of
// that container.
func (n *enrollment) put(k profile.Key, c routing.Issued, public crypto.PublicKey) error {
	n.made = append(n.made, c.Record)
	return n.place(k, c.Cert.Raw, public)
}

func (n *enrollment) place(k profile.Key, der []byte, public crypto.PublicKey) error {
	n.empty(k.Container)
	pair, err := content.NewPair(k.Container, k.Slots, public, k.Public, k.Private)
	if err != nil {
		return contact.Failf(wire.StatusMACEnrollPDU, err, "%s key", k.Name)
	}
	n.content.Certificates = append(n.content.Certificates,
		content.NewCertificate(k.Container, n.expand(k.Label), der))
	n.content.Keys = append(n.content.Keys, pair...)
	return nil
}

// empty drops what the content says of the key in a container: the key, and all
// certificates for it.
func (n *enrollment) empty(container int) {
	c := &n.content
	c.Certificates = slices.DeleteFunc(c.Certificates, func(x content.Certificate) bool {
		return x.Fixed.ID() == container || x.Container == container
	})
	c.Keys = slices.DeleteFunc(c.Keys, func(x content.Key) bool { return x.Fixed.ID() == container })
}

// writeObjects writes what the card tells readers.
func (n *enrollment) writeObjects(ctx context.Context, ch *perso.Channel) error {
	if err := n.Client.Progress(ctx, percentContent, taskContent); err != nil {
		return contact.Failf(wire.StatusConnLost, err, "telling progress")
	}
	if _, err := n.Card.BeginFor(ctx, token.IntentWriteContent, "", ""); err != nil {
		return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "recording intent to write objects")
	}
	if err := n.At(FailContentIntent); err != nil {
		return err
	}
	err := perso.WriteContent(ctx, ch, &n.content, perso.ContentOptions{
		Separate: !n.set.Combined, Plain: !n.set.Compress,
	})
	if err != nil {
		return contact.Failf(wire.StatusMACEnrollPDU, err, "writing objects")
	}
	return n.At(FailContentDone)
}

// expand puts what is known of card and user into a pattern.
func (n *enrollment) expand(pattern string) string { return profile.Expand(pattern, n.value) }

// value gives what a name in a pattern stands for.
func (n *enrollment) value(name string) (string, bool) {
	switch name {
	case "cuid":
		return n.Facts.CUID.String(), true
	case "msn":
		return strings.ToUpper(hex.EncodeToString(n.Facts.MSN[:])), true
	case "userid", "auth.cn":
		return n.User.ID, true
	case "profileId":
		return n.TokenType, true
	}
	attribute, ok := strings.CutPrefix(name, "auth.")
	if !ok {
		return "", false
	}
	v := n.User.First(attribute)
	return v, v != ""
}

// attributes are what a CA may put of the user's directory entry into a certificate.
func (n *enrollment) attributes() map[string]string {
	if n.set.Device {
		return nil
	}
	out := make(map[string]string)
	for _, at := range slices.Sorted(maps.Keys(n.User.Attributes)) {
		name, values := strings.ToLower(at), n.User.Attributes[at]
		if n.Registration != nil && n.Settings.External.Names.Has(at) {
			continue
		}
		if len(values) > 0 && len(values[0]) <= connector.MaxAttributeLen &&
			connector.AttributeName(name) && len(out) < connector.MaxAttributes {
			out[name] = values[0]
		}
	}
	return out
}

// cut shortens text to so many bytes, between characters.
func cut(text string, most int) string {
	for len(text) > most {
		text = text[:most]
		text = strings.ToValidUTF8(text, "")
	}
	return text
}

func keyBits(key crypto.PublicKey) int {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Params().BitSize
	}
	return 0
}
