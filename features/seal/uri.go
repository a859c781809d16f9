package seal

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
)

const scheme = "pkcs11:"

// keyURI is what a PKCS #11 URI says (RFC 7512), as far as a signing key needs it.
type keyURI struct {
	module, token, object, pinSource string
	id                               []byte
}

func parseURI(text string) (keyURI, error) {
	var u keyURI
	path, query, _ := strings.Cut(strings.TrimPrefix(text, scheme), "?")
	attributes := strings.Split(path, ";")
	if query != "" {
		attributes = append(attributes, strings.Split(query, "&")...)
	}
	for _, a := range attributes {
		if a == "" {
			continue
		}
		name, value, _ := strings.Cut(a, "=")
		v, err := url.PathUnescape(value)
		if err != nil {
			return u, fmt.Errorf("PKCS#11 URI: %s is badly escaped", name)
		}
		if err := u.set(name, v); err != nil {
			return u, err
		}
	}
	if u.module == "" || (u.object == "" && len(u.id) == 0) {
		return u, errors.New("PKCS#11 URI: want module-path, and object or id")
	}
	return u, nil
}

func (u *keyURI) set(name, value string) error {
	switch name {
	case "module-path":
		u.module = value
	case "token":
		u.token = value
	case "object":
		u.object = value
	case "id":
		u.id = []byte(value)
	case "pin-source":
		u.pinSource = strings.TrimPrefix(value, "file:")
	case "type":
		if value != "private" {
			return errors.New("PKCS#11 URI: want a private key")
		}
	case "pin-value":
		return errors.New("PKCS#11 URI: put the PIN into a file and name that as pin-source; " +
			"command lines are read by others")
	default:
		return fmt.Errorf("PKCS#11 URI: attribute %.40q is not used here", name)
	}
	return nil
}

// pin reads the PIN, without the line's end. No source gives none.
func (u keyURI) pin() (string, error) {
	if u.pinSource == "" {
		return "", nil
	}
	b, err := os.ReadFile(u.pinSource)
	if err != nil {
		return "", fmt.Errorf("PIN: %w", err)
	}
	pin, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSuffix(pin, "\r"), nil
}
