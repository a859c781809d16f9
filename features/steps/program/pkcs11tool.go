package program

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/holder"
	"tokenwright/features/programs"
	"tokenwright/features/steps/scene"
)

// The scenario's files.
const (
	messageFile   = "message"
	signatureFile = "signature"
	sealedFile    = "sealed"
	outFile       = "out"
)

// message is what is signed and encrypted.
const message = "The quick brown fox signs this with a card.\n"

func addPKCS11Steps(sc *godog.ScenarioContext) {
	sc.Step(`^pkcs11-tool lists the tokens of the (\w+) module$`, listTokens)
	sc.Step(`^it shows the holder's token with the flags "([^"]*)"$`, showsToken)
	sc.Step(`^pkcs11-tool lists the objects of the (\w+) module$`, listObjects)
	sc.Step(`^it lists the certificate and the keys of every pair$`, listsPairs)
	sc.Step(`^it lists nothing$`, listsNothing)
	sc.Step(`^pkcs11-tool logs in to the (\w+) module with the PIN "([^"]*)"$`, logIn)
	sc.Step(`^it fails with "([^"]*)"$`, failsWith)
	sc.Step(`^it succeeds$`, succeeds)
	sc.Step(`^pkcs11-tool signs a message with the (\w+) module by "([^"]*)"$`, sign)
	sc.Step(`^openssl verifies the signature by the card's certificate$`, verifies)
	sc.Step(`^openssl finds the signature wrong for another message$`, refusesOther)
	sc.Step(`^openssl encrypts a message for the card's certificate$`, encrypt)
	sc.Step(`^pkcs11-tool decrypts it with the (\w+) module$`, decrypt)
	sc.Step(`^it reads the message$`, readsMessage)
	sc.Step(`^pkcs11-tool asks the (\w+) module to change the PIN from "([^"]*)" to "([^"]*)"$`, changePIN)
	sc.Step(`^openssl makes a key pair on the same curve$`, makePeer)
	sc.Step(`^pkcs11-tool derives a secret with the (\w+) module$`, derive)
	sc.Step(`^openssl derives the same secret from the other side$`, sameSecret)
}

// held is what the card in the reader holds.
func held(ctx context.Context) (*holder.Holding, error) {
	if h := scene.From(ctx).Card.Held; h != nil {
		return h, nil
	}
	return nil, errors.New("nobody carries this card")
}

// tool runs pkcs11-tool on the card with a module.
func tool(ctx context.Context, module string, args ...string) error {
	path, err := programs.Module(module)
	if err != nil {
		return err
	}
	if _, err := lend(ctx); err != nil {
		return err
	}
	return run(ctx, programs.Call{Name: "pkcs11-tool", Args: append([]string{"--module", path}, args...)})
}

// must is a run that has to succeed.
func must(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	return blame(ctx, from(ctx).last.Err())
}

func listTokens(ctx context.Context, module string) error {
	return must(ctx, tool(ctx, module, "-L", "-v"))
}

func showsToken(ctx context.Context, flags string) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	// The module tells the last four bytes of the CUID as the serial number, OpenSC all but the
	// first two.
	want := map[string]string{"token flags": flags, "serial num": strings.ToLower(h.CUID.String())}
	shown := map[string]string{}
	for line := range strings.Lines(from(ctx).last.Output()) {
		name, value, _ := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); shown[name] == "" {
			shown[name] = strings.TrimSpace(value)
		}
	}
	switch {
	case !strings.HasPrefix(shown["token label"], h.TokenName):
		err = fmt.Errorf("the token is called %q", shown["token label"])
	case shown["token flags"] != want["token flags"]:
		err = fmt.Errorf("the flags are %q", shown["token flags"])
	case len(shown["serial num"]) < 8 || !strings.HasSuffix(want["serial num"], shown["serial num"]):
		err = fmt.Errorf("the serial number is %q, the CUID %s", shown["serial num"], h.CUID)
	default:
		return nil
	}
	return blame(ctx, fmt.Errorf("%w\n%s", err, from(ctx).last))
}

func listObjects(ctx context.Context, module string) error {
	return must(ctx, tool(ctx, module, "-O"))
}

// objectsShown reads the list of pkcs11-tool: a heading, then indented lines "label:" and "ID:".
func objectsShown(output string) (all []string) {
	var kind, label string
	for line := range strings.Lines(output) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch value = strings.TrimSpace(value); {
		case strings.Contains(line, " Object; "):
			kind, _, _ = strings.Cut(line, " Object; ")
		case name == "label":
			label = value
		case name == "ID":
			all = append(all, fmt.Sprintf("%s, %s, %s", kind, label, value))
		}
	}
	return all
}

func listsPairs(ctx context.Context) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	shown := map[string]bool{}
	for _, o := range objectsShown(from(ctx).last.Output()) {
		shown[o] = true
	}
	var missing []string
	for _, p := range h.Pairs {
		for _, kind := range []string{"Certificate", "Public Key", "Private Key"} {
			o := fmt.Sprintf("%s, %s, %x", kind, p.Label, p.ID)
			if !shown[o] {
				missing = append(missing, o)
			}
			delete(shown, o)
		}
	}
	if len(missing) > 0 || len(shown) > 0 {
		return blame(ctx, fmt.Errorf("not listed: %q; listed too much: %v\n%s", missing, shown, from(ctx).last))
	}
	return nil
}

func listsNothing(ctx context.Context) error {
	if all := objectsShown(from(ctx).last.Output()); len(all) > 0 {
		return blame(ctx, fmt.Errorf("it lists %q", all))
	}
	return nil
}

func logIn(ctx context.Context, module, pin string) error {
	return tool(ctx, module, "-O", "--login", "--pin", pin)
}

// failsWith wants the program to fail and to give this reason.
func failsWith(ctx context.Context, reason string) error {
	r := from(ctx).last
	if r.Code == 0 || !strings.Contains(r.Output(), reason) {
		return blame(ctx, fmt.Errorf("exit code %d\n%s", r.Code, r))
	}
	return nil
}

func succeeds(ctx context.Context) error { return blame(ctx, from(ctx).last.Err()) }

// put writes one of the scenario's files.
func put(ctx context.Context, name string, b []byte) error {
	dir, err := from(ctx).dir()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), b, 0o600)
}

func get(ctx context.Context, name string) ([]byte, error) {
	dir, err := from(ctx).dir()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, name))
}

// putCertificate writes a certificate in PEM and gives the file's name.
func putCertificate(ctx context.Context, name string, der []byte) (string, error) {
	name += ".pem"
	return name, put(ctx, name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// digestInfo is what PKCS #1 v1.5 signs for SHA-256 (RFC 8017 §9.2).
func digestInfo(b []byte) []byte {
	prefix, _ := hex.DecodeString("3031300d060960864801650304020105000420")
	d := sha256.Sum256(b)
	return append(prefix, d[:]...)
}

// signing are the ways to sign: what the module is given, and how.
var signing = map[string]struct {
	input  func([]byte) []byte
	args   []string
	verify []string // options of openssl dgst
}{
	"RSA-PKCS": {digestInfo, []string{"-m", "RSA-PKCS"}, nil},
	"SHA256-RSA-PKCS": {
		func(b []byte) []byte { return b }, []string{"-m", "SHA256-RSA-PKCS"}, nil,
	},
	"SHA256-RSA-PKCS-PSS": {
		func(b []byte) []byte { return b }, []string{"-m", "SHA256-RSA-PKCS-PSS"},
		[]string{"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"},
	},
	"ECDSA": {
		func(b []byte) []byte { d := sha256.Sum256(b); return d[:] },
		[]string{"-m", "ECDSA", "-f", "openssl"}, nil,
	},
}

func sign(ctx context.Context, module, how string) error {
	way, ok := signing[how]
	if !ok {
		return fmt.Errorf("the harness does not know how to sign by %q", how)
	}
	from(ctx).how = how
	h, err := held(ctx)
	if err != nil {
		return err
	}
	pair, err := h.For(holder.Signing)
	if err != nil {
		return err
	}
	if err := put(ctx, "input", way.input([]byte(message))); err != nil {
		return err
	}
	return must(ctx, tool(ctx, module, append([]string{
		"--sign", "--login", "--pin", h.Plan.PIN, "--id", fmt.Sprintf("%x", pair.ID),
		"-i", "input", "-o", signatureFile,
	}, way.args...)...))
}

// verify has openssl check the signature of text by the card's certificate.
func verify(ctx context.Context, text string) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	pair, err := h.For(holder.Signing)
	if err != nil {
		return err
	}
	name, err := publicKey(ctx, pair)
	if err != nil {
		return err
	}
	if err := put(ctx, messageFile, []byte(text)); err != nil {
		return err
	}
	args := append([]string{"dgst", "-sha256", "-verify", name, "-signature", signatureFile},
		signing[from(ctx).how].verify...)
	return run(ctx, programs.Call{Name: "openssl", Args: append(args, messageFile)})
}

// publicKey has openssl take the key out of a certificate.
func publicKey(ctx context.Context, p holder.Pair) (string, error) {
	cert, err := putCertificate(ctx, "certificate", p.Certificate.Raw)
	if err != nil {
		return "", err
	}
	const name = "public.pem"
	return name, must(ctx, run(ctx, programs.Call{
		Name: "openssl", Args: []string{"x509", "-in", cert, "-noout", "-pubkey", "-out", name},
	}))
}

func verifies(ctx context.Context) error { return must(ctx, verify(ctx, message)) }

func refusesOther(ctx context.Context) error {
	if err := verify(ctx, message+"And this.\n"); err != nil {
		return err
	}
	return failsWith(ctx, "Verification failure")
}

func encrypt(ctx context.Context) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	pair, err := h.For(holder.Encryption)
	if err != nil {
		return err
	}
	cert, err := putCertificate(ctx, "certificate", pair.Certificate.Raw)
	if err != nil {
		return err
	}
	if err := put(ctx, messageFile, []byte(message)); err != nil {
		return err
	}
	return must(ctx, run(ctx, programs.Call{Name: "openssl", Args: []string{
		"pkeyutl", "-encrypt", "-certin", "-inkey", cert, "-in", messageFile, "-out", sealedFile,
	}}))
}

func decrypt(ctx context.Context, module string) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	pair, err := h.For(holder.Encryption)
	if err != nil {
		return err
	}
	return must(ctx, tool(ctx, module, "--decrypt", "--login", "--pin", h.Plan.PIN,
		"--id", fmt.Sprintf("%x", pair.ID), "-m", "RSA-PKCS", "-i", sealedFile, "-o", outFile))
}

func readsMessage(ctx context.Context) error {
	got, err := get(ctx, outFile)
	if err != nil {
		return err
	}
	if string(got) != message {
		return blame(ctx, fmt.Errorf("it reads %q\n%s", got, from(ctx).last))
	}
	return nil
}

func changePIN(ctx context.Context, module, old, pin string) error {
	return tool(ctx, module, "--change-pin", "--login", "--pin", old, "--new-pin", pin)
}
