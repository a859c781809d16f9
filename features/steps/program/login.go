package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/holder"
	"tokenwright/features/programs"
)

// proof is what the shell on the other side prints.
const proof = "logged in with a card"

func addLoginSteps(sc *godog.ScenarioContext) {
	sc.Step(`^an sshd on loopback that knows the card's signing key$`, startSSHD)
	sc.Step(`^ssh logs in with the (\w+) module and the PIN "([^"]*)"$`, sshLogsIn)
	sc.Step(`^the command on the other side has run$`, commandRan)
	sc.Step(`^a PAM service that asks for a card of the cards' issuer, with the (\w+) module$`, makeService)
	sc.Step(`^"([^"]*)" logs in to the PAM service with the PIN "([^"]*)"$`, pamLogsIn)
}

const sshdConfig = `HostKey %s/hostkey
AuthorizedKeysFile %[1]s/authorized
AuthenticationMethods publickey
StrictModes no
UsePAM no
`

// separation is the folder that sshd shuts its children in when root starts it. Debian's start script
// makes it.
const separation = "/run/sshd"

func startSSHD(ctx context.Context) error {
	s := from(ctx)
	dir, err := s.dir()
	if err != nil {
		return err
	}
	pair, _, err := signingPair(ctx)
	if err != nil {
		return err
	}
	public, err := publicKey(ctx, pair)
	if err != nil {
		return err
	}
	if err := all(ctx,
		programs.Call{Name: "ssh-keygen", Args: []string{"-q", "-t", "ed25519", "-N", "", "-f", "hostkey"}},
		programs.Call{Name: "ssh-keygen", Args: []string{"-i", "-m", "PKCS8", "-f", public}},
	); err != nil {
		return err
	}
	if err := put(ctx, "authorized", s.last.Stdout); err != nil {
		return err
	}
	if err := put(ctx, "sshd_config", fmt.Appendf(nil, sshdConfig, dir)); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := os.Mkdir(separation, 0o755); err == nil {
			s.after = append(s.after, func() error { return os.Remove(separation) })
		} else if !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	s.sshd, err = programs.Serve(ctx, programs.Call{
		Name: "sshd", Args: []string{"-i", "-e", "-f", filepath.Join(dir, "sshd_config")},
	})
	return err
}

// askpass gives the PIN where ssh would ask for it.
const askpass = "#!/bin/sh\nprintf '%%s\\n' '%s'\n"

func sshLogsIn(ctx context.Context, module, pin string) error {
	path, err := programs.Module(module)
	if err != nil {
		return err
	}
	s := from(ctx)
	dir, err := s.dir()
	if err != nil {
		return err
	}
	me, err := user.Current()
	if err != nil {
		return err
	}
	ask := filepath.Join(dir, "askpass")
	if err := os.WriteFile(ask, fmt.Appendf(nil, askpass, pin), 0o700); err != nil {
		return err
	}
	if s.sshd == nil {
		return errors.New("there is no sshd")
	}
	if _, err := lend(ctx); err != nil {
		return err
	}
	return run(ctx, programs.Call{
		Name: "ssh", Env: []string{"SSH_ASKPASS=" + ask, "SSH_ASKPASS_REQUIRE=force", "SSH_AUTH_SOCK="},
		Args: []string{
			"-F", "none", "-p", fmt.Sprint(s.sshd.Port()), "-l", me.Username,
			"-o", "PKCS11Provider=" + path, "-o", "IdentityFile=none", "-o", "UserKnownHostsFile=known",
			"-o", "StrictHostKeyChecking=accept-new", "-o", "PreferredAuthentications=publickey",
			"127.0.0.1", "echo " + proof,
		},
	})
}

func commandRan(ctx context.Context) error {
	s := from(ctx)
	if s.last.Code == 0 && strings.Contains(string(s.last.Stdout), proof) {
		return nil
	}
	return blame(ctx, fmt.Errorf("exit code %d\n%s\nsshd:\n%s", s.last.Code, s.last, s.sshd.Output()))
}

const pamConfig = `pam_pkcs11 {
  nullok = false;
  debug = false;
  use_first_pass = false;
  try_first_pass = false;
  card_only = true;
  wait_for_card = false;
  use_pkcs11_module = card;
  pkcs11_module card {
    module = %s;
    description = "a card";
    slot_description = "%s";
    support_threads = false;
    ca_dir = %s/ca;
    crl_dir = %[3]s/ca;
    cert_policy = ca,signature;
  }
  use_mappers = uid;
  mapper uid { module = internal; ignorecase = false; mapfile = "none"; }
}
`

// makeService makes a folder of PAM services, which takes the place of the machine's for the program
// that is tried, and for no other.
func makeService(ctx context.Context, module string) error {
	path, err := programs.Module(module)
	if err != nil {
		return err
	}
	if _, err := programs.Module("pam_pkcs11"); err != nil {
		return err
	}
	reader, err := lend(ctx)
	if err != nil {
		return err
	}
	dir, err := from(ctx).dir()
	if err != nil {
		return err
	}
	for _, name := range []string{"ca", "pam.d"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	ca, err := holder.TheAuthority()
	if err != nil {
		return err
	}
	if _, err := putCertificate(ctx, "ca/ca", ca.Certificate.Raw); err != nil {
		return err
	}
	if err := put(ctx, "pam_pkcs11.conf", fmt.Appendf(nil, pamConfig, path, reader, dir)); err != nil {
		return err
	}
	if err := put(ctx, "pam.d/card", fmt.Appendf(nil,
		"auth required pam_pkcs11.so config_file=%s/pam_pkcs11.conf\n", dir)); err != nil {
		return err
	}
	return all(ctx, programs.Call{Name: "openssl", Args: []string{"rehash", "ca"}})
}

func pamLogsIn(ctx context.Context, name, pin string) error {
	tester, err := programs.Find("pamtester")
	if err != nil {
		return err
	}
	dir, err := from(ctx).dir()
	if err != nil {
		return err
	}
	if _, err := lend(ctx); err != nil {
		return err
	}
	args := []string{"--mount"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	return run(ctx, programs.Call{Name: "unshare", Stdin: []byte(pin + "\n"), Args: append(args,
		"sh", "-c", `mount --bind "$1" /etc/pam.d && exec "$2" -v card "$3" authenticate`, "sh",
		filepath.Join(dir, "pam.d"), tester, name,
	)})
}
