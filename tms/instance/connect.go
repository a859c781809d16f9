package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tokenwright/tms/conf"
)

// ConnectCA tells a TPS beside a CA where it is, as CreateCA and InstallCA do. It changes nothing of
// what the TPS was told already, so that it may be called again after it was cut off.
func ConnectCA(dir, name string) error {
	err := connectTPS(dir, name)
	if err != nil {
		return fmt.Errorf("connecting %s: %w", name, err)
	}
	return nil
}

// ConnectKRA tells TPS and TKS beside the KRA of it, as CreateKRA does, and like ConnectCA changes
// nothing that they know.
func ConnectKRA(dir string) error {
	if err := connectKRA(dir); err != nil {
		return fmt.Errorf("connecting %s: %w", KRA, err)
	}
	return nil
}

func connectKRA(dir string) error {
	c, err := conf.Load(filepath.Join(dir, KRA, configFile), KRA)
	if err != nil {
		return err
	}
	transport, err := loadCert(filepath.Join(dir, KRA),
		c.StringOr("kra.transportUnit.nickName", kraTransportName))
	if err != nil {
		return err
	}
	listen := c.StringOr("service.listen", defaultListen[KRA])
	return errors.Join(tellTKS(dir, transport), tellTPS(dir, listen))
}

// removeOld makes room for what is written anew; it need not be there.
func removeOld(paths ...string) error {
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
