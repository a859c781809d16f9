package lab

import (
	"fmt"
	"os"
	"path/filepath"

	"tokenwright/tms/conf"
	"tokenwright/tms/instance"
)

// AdminURL is where the TPS is administered over HTTPS, empty when admin.listen is not configured.
func (l *Lab) AdminURL() string {
	for _, a := range l.inst.AdminAddresses() {
		if a.Subsystem == instance.TPS && a.Socket == "" {
			return a.URL()
		}
	}
	return ""
}

// LabelFile is where the system looks for labels of states.
func (l *Lab) LabelFile() string {
	return filepath.Join(l.dir, instance.TPS, l.config[instance.TPS]["admin.labels"])
}

// Beside is the folder that laboratories of one run share, and that goes with them.
func (l *Lab) Beside() string { return filepath.Dir(l.dir) }

// ConfigDir writes the configuration as the system has it into a folder of its own, for commands that
// read it from there, as they would from an instance that nobody shares. Whoever asks removes it.
func (l *Lab) ConfigDir() (string, error) {
	dir, err := os.MkdirTemp(l.Beside(), "config-")
	if err != nil {
		return "", err
	}
	file, err := conf.ReadFile(filepath.Join(l.dir, instance.TPS, "CS.cfg"))
	if err != nil {
		return dir, err
	}
	for key, value := range l.config[instance.TPS] {
		if key == "admin.socket" || key == "admin.labels" {
			value = filepath.Join(l.dir, instance.TPS, value)
		}
		if err := file.Set(key, value); err != nil {
			return dir, fmt.Errorf("%s: %w", key, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, instance.TPS), 0o700); err != nil {
		return dir, err
	}
	return dir, file.WriteFile(filepath.Join(dir, instance.TPS, "CS.cfg"))
}

// CA is the certificate that whoever administers trusts the system by.
func (l *Lab) CA() string { return CAFile(l.dir) }
