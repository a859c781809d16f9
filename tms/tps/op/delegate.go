package op

import (
	"strings"

	"tokenwright/tms/connector"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/wire"
)

// delegate puts subject and alternative names, as the patterns of a key type make them of the user's
// directory entry, into the request for its certificate, if delegation is on. A pattern that names
// something which the entry does not have is refused: nobody shall be certified by half a name.
func (n *enrollment) delegate(k profile.Key, req *connector.EnrollRequest) error {
	if !n.Settings.Delegation {
		return nil
	}
	var err error
	if req.Subject, err = n.fillIn(k.Name, "dnpattern", k.Subject, escapeDN); err != nil {
		return err
	}
	for _, pattern := range k.SANs {
		name, err := n.fillIn(k.Name, "SANpattern", pattern, func(v string) string { return v })
		if err != nil {
			return err
		}
		req.SANPatterns = append(req.SANPatterns, name)
	}
	return nil
}

// fillIn is expand, but wants every name in the pattern to have a value, which write puts in.
func (n *enrollment) fillIn(keyType, what, pattern string, write func(string) string) (string, error) {
	var missing []string
	out := profile.Expand(pattern, func(name string) (string, bool) {
		v, ok := n.value(name)
		if !ok || v == "" {
			missing = append(missing, name)
			return "", true
		}
		return write(v), true
	})
	if len(missing) > 0 {
		return "", contact.Refuse(wire.StatusMisconfiguration, "%s of %s keys: nothing is known of "+
			"user %s that is called %.200s", what, keyType, n.owner(), strings.Join(missing, ", "))
	}
	return out, nil
}

// escapeDN writes a value as part of the text of a distinguished name, so that it stays one value
// whatever the directory holds. // RFC 4514 §2.4
func escapeDN(value string) string {
	var b strings.Builder
	for i, c := range []byte(value) {
		const hex = "0123456789ABCDEF"
		switch {
		case c < ' ':
			b.Write([]byte{'\\', hex[c>>4], hex[c&15]})
			continue
		case strings.IndexByte(`"+,;<=>\#`, c) >= 0, c == ' ' && (i == 0 || i == len(value)-1):
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}
