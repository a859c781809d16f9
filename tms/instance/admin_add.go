package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tokenwright/tms/admin"
	"tokenwright/tms/conf"
	"tokenwright/tms/connector"
)

// adminsDir is where certificates of administrators are made, to be handed out.
const adminsDir = "admins"

// AddAdmin makes a certificate for somebody who administers a subsystem, and enters it there with
// roles. It gives the path of the certificate, without .crt; the key is beside it.
func AddAdmin(dir, subsystem, name string, roles []admin.Role, now time.Time) (string, error) {
	base, err := addAdmin(dir, subsystem, name, roles, now)
	if err != nil {
		return "", fmt.Errorf("adding %.64q to %s: %w", name, subsystem, err)
	}
	return base, nil
}

func addAdmin(dir, subsystem, name string, roles []admin.Role, now time.Time) (string, error) {
	kind := kindOf(subsystem)
	if kind != TPS && kind != CA {
		return "", errors.New("nothing is administered there: want tps, or a CA's name")
	}
	c, err := conf.Load(filepath.Join(dir, subsystem, configFile), kind)
	if err != nil {
		return "", err
	}
	all := append(c.List("admin.users.list"), name)
	if err := checkAdmin(name, all, roles); err != nil {
		return "", err
	}
	anchor, err := loadIssuer(filepath.Join(dir, caDir), now)
	if err != nil {
		return "", err
	}
	certs := filepath.Join(dir, adminsDir)
	if err := os.MkdirAll(certs, dirMode); err != nil {
		return "", err
	}
	err = writeCert(filepath.Join(certs, trustAnchorName+".crt"), anchor.cert)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	cert, err := anchor.client("admin " + name) // never the subject of a subsystem
	if err != nil {
		return "", err
	}
	// What is there of somebody who is not entered was left by one that was cut off.
	base := filepath.Join(certs, subsystem+"-"+name)
	err = errors.Join(removeOld(base+".crt", base+".key"), cert.write(certs, filepath.Base(base)))
	if err != nil {
		return "", err
	}
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	key := "admin.users." + name + "."
	return base, tell(filepath.Join(dir, subsystem), func(file *conf.File) error {
		return errors.Join(
			file.Set("admin.users.list", strings.Join(all, ",")),
			file.Set(key+"fingerprint", connector.Fingerprint(cert.Certificate)),
			file.Set(key+"roles", strings.Join(words, ",")))
	})
}

// checkAdmin takes names that can be part of a key and of a file's name.
func checkAdmin(name string, all []string, roles []admin.Role) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	switch {
	case name == "" || len(name) > 64 || strings.Trim(name, allowed) != "" || name == "list":
		return errors.New("a name is of letters, digits, - and _")
	case len(roles) == 0:
		return errors.New("no role")
	}
	for _, other := range all[:len(all)-1] {
		if other == name {
			return ErrExists
		}
	}
	return nil
}
