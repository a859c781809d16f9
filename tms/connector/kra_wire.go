package connector

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Paths at which a KRA answers. The third is not known to older ones.
const (
	PathGenerateKeyPair  = "/kra/agent/kra/GenerateKeyPair"
	PathTokenKeyRecovery = "/kra/agent/kra/TokenKeyRecovery"
	PathTokenKeyQuery    = "/kra/agent/kra/TokenKeyQuery"
)

// Names of the operations in configuration (tps.connector.<id>.uri.<name>).
const (
	opGenerateKeyPair  = "GenerateKeyPair"
	opTokenKeyRecovery = "TokenKeyRecovery"
	opTokenKeyQuery    = "TokenKeyQuery"
)

// Names of the fields, beside those that a TKS uses too. The last four of them are unknown to an
// older KRA, which ignores them in requests and does not send them.
const (
	fieldArchive    = "archive"
	fieldUserID     = "userid"
	fieldKeyType    = "keytype"
	fieldKeySize    = "keysize"
	fieldCurve      = "eckeycurve"
	fieldUsages     = "keyGenUsages"
	fieldWrapAlg    = "drm_aes_wrapAlg"
	fieldCert       = "cert"
	fieldKeyID      = "keyid"
	fieldWrapped    = "wrapped_priv_key"
	fieldIV         = "iv_param"
	fieldKeyPublic  = "public_key"
	fieldKeyRequest = "requestid"
	fieldWrapResult = "wrap_alg"
)

// curveBits gives the names of curves.
var curveBits = map[string]int{"nistp256": 256, "nistp384": 384, "nistp521": 521}

// curveName is the other way round, "" for no curve.
func curveName(bits int) string {
	for name, b := range curveBits {
		if b == bits {
			return name
		}
	}
	return ""
}

// wrapNames are the ways of wrapping in the words of the wire form, by KeyWrap.
var wrapNames = [...]string{WrapAESKWP: "KWP", WrapAESCBC: "CBC", WrapDES3CBC: "DES3"}

// parseWrap reads the wish for AES; whatever is not CBC means KWP.
func parseWrap(s string) KeyWrap {
	if strings.EqualFold(s, wrapNames[WrapAESCBC]) {
		return WrapAESCBC
	}
	return WrapAESKWP
}

// wrapUsed gives the way in which an answer is wrapped when the KRA does not tell: it follows from
// what was sent, and from which key goes first when both were.
func wrapUsed(t CardTransport, desFirst bool) KeyWrap {
	if len(t.DRMTransAESKey) == 0 || desFirst && len(t.DRMTransDESKey) > 0 {
		return WrapDES3CBC
	}
	return t.AESWrap
}

// encodePublicKey writes a SubjectPublicKeyInfo: base64 for RSA, #HH for EC.
func encodePublicKey(spki []byte, kind KeyType) string {
	if kind == KeyEC {
		return EncodeHex(spki)
	}
	return base64.StdEncoding.EncodeToString(spki)
}

// decodePublicKey reads either form.
func decodePublicKey(s string) ([]byte, error) {
	if strings.HasPrefix(s, "#") {
		return DecodeHex(s, maxPublicKey)
	}
	return decodeBase64(s, maxPublicKey)
}

// decodeBase64 reads base64 of at most limit bytes. Line ends, and blanks in the place of '+' as a
// client leaves that does not encode its form, are taken as they were meant.
func decodeBase64(s string, limit int) ([]byte, error) {
	if len(s) > 2*limit {
		return nil, fmt.Errorf("base64 of %d characters is longer than %d bytes", len(s), limit)
	}
	s = strings.NewReplacer("\r", "", "\n", "", " ", "+").Replace(s)
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		b, err = base64.RawStdEncoding.DecodeString(s)
	}
	if err != nil {
		return nil, fmt.Errorf("no base64")
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%d bytes, at most %d", len(b), limit)
	}
	return b, nil
}

// CheckUserID fails for what is no user id: 1 to MaxUserID bytes of printable UTF-8.
func CheckUserID(s string) error {
	if s == "" || len(s) > MaxUserID || !utf8.ValidString(s) ||
		strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("user id of %d bytes: want 1 to %d, printable", len(s), MaxUserID)
	}
	return nil
}

// CheckRequestID fails for what is no request id; "" is one that names nothing.
func CheckRequestID(s string) error {
	if s == "" {
		return nil
	}
	if len(s) > MaxRequestID || strings.ContainsFunc(s, badSessionRune) {
		return fmt.Errorf("request id of %d characters: want up to %d letters, digits, '-', "+
			"'_' and '.'", len(s), MaxRequestID)
	}
	return nil
}

// keySpecFields writes type and size.
func keySpecFields(kind KeyType, bits int) []field {
	out := []field{{fieldKeyType, string(kind)}}
	if kind == KeyEC {
		return append(out, field{fieldCurve, curveName(bits)})
	}
	return append(out, field{fieldKeySize, strconv.Itoa(bits)})
}

// parseKeySpec reads type and size. Without type the key is RSA.
func parseKeySpec(get func(string) string) (KeyType, int, error) {
	switch kind := get(fieldKeyType); {
	case strings.EqualFold(kind, string(KeyEC)):
		bits, ok := curveBits[strings.ToLower(get(fieldCurve))]
		if !ok {
			return "", 0, fmt.Errorf("%s: none of nistp256, nistp384, nistp521", fieldCurve)
		}
		return KeyEC, bits, nil
	case kind == "" || strings.EqualFold(kind, string(KeyRSA)):
		bits, err := strconv.Atoi(get(fieldKeySize))
		if err != nil || bits < 0 || bits > 1<<16 {
			return "", 0, fmt.Errorf("%s: no number of bits", fieldKeySize)
		}
		return KeyRSA, bits, nil
	}
	return "", 0, fmt.Errorf("%s: neither RSA nor EC", fieldKeyType)
}

// publicKeyType tells the kind of a SubjectPublicKeyInfo; RSA when it is none that is known.
func publicKeyType(spki []byte) KeyType {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return KeyRSA
	}
	if _, ok := key.(*ecdsa.PublicKey); ok {
		return KeyEC
	}
	return KeyRSA
}
