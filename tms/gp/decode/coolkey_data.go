package decode

import (
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// sensitive reports whether the content of an object may be a key or a decrypted text.
func sensitive(id coolkey.ObjectID) bool {
	return id.IsIO() || id == coolkey.ObjectWrappedKey
}

func createObject(w *writer, c apdu.Command) error {
	o, err := coolkey.ParseCreateObject(c)
	if err != nil {
		return err
	}
	w.add("object", o.ID.String())
	w.addf("size", "%d", o.Size)
	w.add("access", o.ACL.String())
	w.nonce(o.Auth)
	return nil
}

func deleteObject(w *writer, c apdu.Command) error {
	o, err := coolkey.ParseDeleteObject(c)
	if err != nil {
		return err
	}
	w.add("object", o.ID.String())
	if o.Zeroize {
		w.add("zeroize", "")
	}
	w.nonce(o.Auth)
	return nil
}

func readObject(w *writer, c apdu.Command) error {
	o, err := coolkey.ParseReadObject(c)
	if err != nil {
		return err
	}
	w.add("object", o.ID.String())
	w.addf("offset", "%d", o.Offset)
	w.addf("count", "%d", o.Count)
	w.nonce(o.Auth)
	return nil
}

func readObjectAnswer(w *writer, c apdu.Command, _ []byte) error {
	o, err := coolkey.ParseReadObject(c)
	if err != nil {
		return err
	}
	w.opaque("data", sensitive(o.ID))
	return nil
}

func writeObject(w *writer, c apdu.Command) error {
	o, err := coolkey.ParseWriteObject(c)
	if err != nil {
		return err
	}
	w.add("object", o.ID.String())
	w.addf("offset", "%d", o.Offset)
	const head = 9 // object, offset, count
	if sensitive(o.ID) {
		w.hide("data", head, len(o.Data))
	} else {
		w.addf("data", "(%d bytes)", len(o.Data))
	}
	w.nonce(o.Auth)
	return nil
}

func listObjectsAnswer(w *writer, _ apdu.Command, data []byte) error {
	o, err := coolkey.ParseObjectInfo(data)
	if err != nil {
		return err
	}
	w.add("object", o.ID.String())
	w.addf("size", "%d", o.Size)
	w.add("access", o.ACL.String())
	return nil
}

func computeCrypt(w *writer, c apdu.Command) error {
	k, err := coolkey.ParseComputeCrypt(c)
	if err != nil {
		return err
	}
	w.addf("slot", "%d", k.Slot)
	w.addf("step", "%d", k.Op)
	if k.Op == coolkey.CryptInit || k.Op == coolkey.CryptOneStep {
		w.addf("mode", "%d", k.Mode)
		w.addf("direction", "%d", k.Direction)
	}
	w.addf("location", "%d", k.Location)
	end := len(w.data)
	if k.Class == coolkey.ClassUsual {
		end -= coolkey.NonceLen
	}
	if len(k.Data) > 0 {
		w.hide("data", end-len(k.Data), len(k.Data))
	}
	w.nonce(k.Auth)
	return nil
}

func importKey(w *writer, c apdu.Command) error {
	k, err := coolkey.ParseImportKey(c)
	if err != nil {
		return err
	}
	w.addf("slot", "%d", k.Slot)
	w.add("source", k.Source.String())
	w.add("access", k.ACL.String())
	w.nonce(k.Auth)
	return nil
}

func (w *writer) pair(a coolkey.PairAddress) {
	w.addf("private slot", "%d", a.Private)
	w.addf("public slot", "%d", a.Public)
	w.addf("owner", "%d", a.Owner)
	w.addf("usage", "%d", a.Usage)
}

func startEnrollment(w *writer, c apdu.Command) error {
	s, err := coolkey.ParseStartEnrollment(c)
	if err != nil {
		return err
	}
	w.pair(s.Pair)
	w.addf("algorithm", "%02X", s.Algorithm)
	w.addf("bits", "%d", s.Bits)
	const head = 6 // algorithm, bits, option, type, length
	w.hide("challenge", head, len(s.Challenge))
	if s.Check != nil {
		w.bytes("check", s.Check)
	}
	return nil
}

func importEncryptedKey(w *writer, c apdu.Command) error {
	k, err := coolkey.ParseImportEncryptedKey(c)
	if err != nil {
		return err
	}
	w.pair(k.Pair)
	w.add("source", k.Source.String())
	w.addf("algorithm", "%02X", k.Algorithm)
	const head = 6 // object, algorithm, length
	w.hide("wrapped key", head, len(k.WrappedKey))
	if k.Check != nil {
		w.bytes("check", k.Check)
	}
	w.bytes("IV", k.IV)
	return nil
}
