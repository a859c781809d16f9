//go:build pkcs11 && cgo

package cryptoki

import (
	"bytes"
	"fmt"

	"github.com/miekg/pkcs11"
)

// maxObjects bounds what is read of a token.
const maxObjects = 200

var classes = map[Class]uint{
	Certificate: pkcs11.CKO_CERTIFICATE, PublicKey: pkcs11.CKO_PUBLIC_KEY,
	PrivateKey: pkcs11.CKO_PRIVATE_KEY,
}

// Objects lists the certificates and keys of the token in a reader. Whatever else there is, such as
// a profile, is left out.
func (m *Module) Objects(reader string) (all []Object, err error) {
	s, err := m.session(reader)
	if err != nil {
		return nil, err
	}
	handles, err := m.find(s)
	if err != nil {
		return nil, err
	}
	for _, h := range handles {
		o, err := m.object(s, h)
		if err != nil {
			return nil, fmt.Errorf("reading an object: %w", err)
		}
		if o.Class != "" {
			all = append(all, o)
		}
	}
	return all, nil
}

// object reads an object; one of another class than those of this package has none.
func (m *Module) object(s pkcs11.SessionHandle, h pkcs11.ObjectHandle) (o Object, err error) {
	class, err := m.attribute(s, h, pkcs11.CKA_CLASS)
	if err != nil {
		return o, err
	}
	for name, code := range classes {
		if bytes.Equal(class, pkcs11.NewAttribute(pkcs11.CKA_CLASS, code).Value) {
			o.Class = name
		}
	}
	if o.Class == "" {
		return o, nil
	}
	label, err := m.attribute(s, h, pkcs11.CKA_LABEL)
	if err != nil {
		return o, err
	}
	o.Label = string(label)
	if o.ID, err = m.attribute(s, h, pkcs11.CKA_ID); err != nil || o.Class != Certificate {
		return o, err
	}
	o.Value, err = m.attribute(s, h, pkcs11.CKA_VALUE)
	return o, err
}

func (m *Module) attribute(s pkcs11.SessionHandle, h pkcs11.ObjectHandle, code uint) ([]byte, error) {
	return call(m, func() ([]byte, error) {
		got, err := m.ctx.GetAttributeValue(s, h, []*pkcs11.Attribute{pkcs11.NewAttribute(code, nil)})
		if err != nil {
			return nil, err
		}
		return got[0].Value, nil
	})
}

func (m *Module) find(s pkcs11.SessionHandle, by ...*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	handles, err := call(m, func() ([]pkcs11.ObjectHandle, error) {
		if err := m.ctx.FindObjectsInit(s, by); err != nil {
			return nil, err
		}
		found, _, err := m.ctx.FindObjects(s, maxObjects)
		if err != nil {
			return nil, err
		}
		return found, m.ctx.FindObjectsFinal(s)
	})
	if err != nil {
		return nil, fmt.Errorf("looking for objects: %w", err)
	}
	return handles, nil
}

// key finds the private key with a CKA_ID.
func (m *Module) key(s pkcs11.SessionHandle, id []byte) (pkcs11.ObjectHandle, error) {
	handles, err := m.find(s, pkcs11.NewAttribute(pkcs11.CKA_CLASS, classes[PrivateKey]),
		pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	if err != nil {
		return 0, err
	}
	if len(handles) != 1 {
		return 0, fmt.Errorf("private key %X: %w (%d found)", id, ErrNoObject, len(handles))
	}
	return handles[0], nil
}

var mechanisms = map[Mechanism]uint{RSA: pkcs11.CKM_RSA_PKCS, ECDSA: pkcs11.CKM_ECDSA}

func mechanism(m Mechanism) []*pkcs11.Mechanism {
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanisms[m], nil)}
}

// Sign signs with the private key that has this CKA_ID.
func (m *Module) Sign(reader string, id []byte, how Mechanism, data []byte) ([]byte, error) {
	return m.use(reader, id, "signing", func(s pkcs11.SessionHandle, h pkcs11.ObjectHandle) ([]byte, error) {
		if err := m.ctx.SignInit(s, mechanism(how), h); err != nil {
			return nil, err
		}
		return m.ctx.Sign(s, data)
	})
}

// Decrypt decrypts with the private key that has this CKA_ID.
func (m *Module) Decrypt(reader string, id []byte, how Mechanism, data []byte) ([]byte, error) {
	return m.use(reader, id, "decrypting", func(s pkcs11.SessionHandle, h pkcs11.ObjectHandle) ([]byte, error) {
		if err := m.ctx.DecryptInit(s, mechanism(how), h); err != nil {
			return nil, err
		}
		return m.ctx.Decrypt(s, data)
	})
}

// Derive agrees on a secret of n bytes with the owner of a point on the key's curve, uncompressed.
func (m *Module) Derive(reader string, id, point []byte, n int) ([]byte, error) {
	params := pkcs11.NewECDH1DeriveParams(pkcs11.CKD_NULL, nil, point)
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, n),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, false),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true),
	}
	return m.use(reader, id, "deriving", func(s pkcs11.SessionHandle, h pkcs11.ObjectHandle) ([]byte, error) {
		how := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDH1_DERIVE, params)}
		secret, err := m.ctx.DeriveKey(s, how, h, template)
		if err != nil {
			return nil, err
		}
		got, err := m.ctx.GetAttributeValue(s, secret,
			[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)})
		if err != nil {
			return nil, err
		}
		return got[0].Value, nil
	})
}

func (m *Module) use(reader string, id []byte, what string,
	f func(pkcs11.SessionHandle, pkcs11.ObjectHandle) ([]byte, error)) ([]byte, error) {
	s, err := m.session(reader)
	if err != nil {
		return nil, err
	}
	h, err := m.key(s, id)
	if err != nil {
		return nil, err
	}
	out, err := call(m, func() ([]byte, error) { return f(s, h) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return out, nil
}
