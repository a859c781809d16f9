package programs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// origin names the Debian package of each program.
var origin = map[string]string{
	"certutil":    "libnss3-tools",
	"cmsutil":     "libnss3-tools",
	"gnutls-cli":  "gnutls-bin",
	"modutil":     "libnss3-tools",
	"opensc-tool": "opensc",
	"openssl":     "openssl",
	"pamtester":   "pamtester",
	"pcsc_scan":   "pcsc-tools",
	"pkcs11-tool": "opensc",
	"pkcs15-tool": "opensc",
	"ssh":         "openssh-client",
	"ssh-keygen":  "openssh-client",
	"unshare":     "util-linux",
	"sshd":        "openssh-server",
}

// module is a library that other programs load: its file, as a pattern, and its package.
type module struct{ pattern, origin string }

var modules = map[string]module{
	"coolkey":    {"/usr/lib/pkcs11/libcoolkeypk11.so", "coolkey"},
	"opensc":     {"/usr/lib/*/opensc-pkcs11.so", "opensc-pkcs11"},
	"engine":     {"/usr/lib/*/engines-3/pkcs11.so", "libengine-pkcs11-openssl"},
	"pkcs11-spy": {"/usr/lib/*/pkcs11-spy.so", "opensc-pkcs11"},
	"pam_pkcs11": {"/lib/*/security/pam_pkcs11.so", "libpam-pkcs11"},
}

// outside are folders of programs that a user's search path may not hold.
var outside = []string{"/usr/sbin", "/sbin"}

// Find returns the path of a program. The error names the package that has it.
func Find(name string) (string, error) {
	pkg, known := origin[name]
	if !known {
		return "", fmt.Errorf("%s: the harness does not know which package has it", name)
	}
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range outside {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is missing: apt install %s", name, pkg)
}

// Module returns the path of a library that other programs load: "coolkey", "opensc" and "pkcs11-spy"
// are PKCS#11 modules, "pam_pkcs11" is one for PAM, "engine" one for OpenSSL. The error names the package that has it.
func Module(name string) (string, error) {
	m, known := modules[name]
	if !known {
		return "", fmt.Errorf("the harness knows no module %q", name)
	}
	found, err := filepath.Glob(m.pattern)
	if err != nil {
		return "", err
	}
	for _, path := range found {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is missing: apt install %s", m.pattern, m.origin)
}
