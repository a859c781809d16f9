package program

import (
	"context"
	"fmt"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/holder"
	"tokenwright/features/programs"
)

// The scenario's NSS database, and files for its programs.
const (
	database   = "sql:."
	pinFile    = "pin"
	signedFile = "signed.p7"
	caFile     = "ca.pem"
	moduleName = "CoolKey"
)

func addNSSSteps(sc *godog.ScenarioContext) {
	sc.Step(`^modutil adds the (\w+) module to a new NSS database$`, addModule)
	sc.Step(`^modutil shows the holder's token$`, modutilShows)
	sc.Step(`^certutil lists the certificates and the keys of the token$`, certutilLists)
	sc.Step(`^cmsutil signs a message$`, cmsSign)
	sc.Step(`^openssl verifies the signed message by its issuer$`, cmsVerify)
	sc.Step(`^openssl seals a message for the card's certificate$`, cmsEncrypt)
	sc.Step(`^cmsutil opens it$`, cmsDecrypt)
	sc.Step(`^cmsutil tries to sign a message with the PIN "([^"]*)"$`, cmsSignWith)
}

// all runs programs one after another; each has to succeed.
func all(ctx context.Context, calls ...programs.Call) error {
	for _, c := range calls {
		if err := must(ctx, run(ctx, c)); err != nil {
			return err
		}
	}
	return nil
}

func addModule(ctx context.Context, module string) error {
	path, err := programs.Module(module)
	if err != nil {
		return err
	}
	if err := putAuthority(ctx); err != nil {
		return err
	}
	if _, err := lend(ctx); err != nil {
		return err
	}
	return all(ctx,
		programs.Call{Name: "certutil", Args: []string{"-N", "-d", database, "--empty-password"}},
		programs.Call{Name: "certutil", Args: []string{
			"-A", "-d", database, "-n", "CA", "-t", "CT,C,C", "-i", caFile,
		}},
		programs.Call{Name: "modutil", Args: []string{
			"-dbdir", database, "-force", "-add", moduleName, "-libfile", path,
		}})
}

// putAuthority writes the certificate of those who issue the cards' certificates.
func putAuthority(ctx context.Context) error {
	ca, err := holder.TheAuthority()
	if err != nil {
		return err
	}
	_, err = putCertificate(ctx, strings.TrimSuffix(caFile, ".pem"), ca.Certificate.Raw)
	return err
}

func modutilShows(ctx context.Context) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	// Its exit code tells of the readers without a card.
	if err := run(ctx, programs.Call{
		Name: "modutil", Args: []string{"-dbdir", database, "-list", moduleName},
	}); err != nil {
		return err
	}
	for _, want := range []string{
		"Slot: " + from(ctx).reader, "Token Name: " + h.TokenName, "Login Type: Login required",
		"User Pin: Initialized",
	} {
		if !strings.Contains(from(ctx).last.Output(), want) {
			return blame(ctx, fmt.Errorf("it does not show %q\n%s", want, from(ctx).last))
		}
	}
	return nil
}

func certutilLists(ctx context.Context) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	if err := put(ctx, pinFile, []byte(h.Plan.PIN)); err != nil {
		return err
	}
	for _, what := range []string{"-L", "-K"} {
		if err := all(ctx, programs.Call{
			Name: "certutil", Args: []string{what, "-d", database, "-h", h.TokenName, "-f", pinFile},
		}); err != nil {
			return err
		}
		for _, p := range h.Pairs {
			if !strings.Contains(from(ctx).last.Output(), p.Label) {
				return blame(ctx, fmt.Errorf("it does not list %q\n%s", p.Label, from(ctx).last))
			}
		}
	}
	return nil
}

// cmsutil runs cmsutil with the card, told the PIN by a file.
func cmsutil(ctx context.Context, pin string, args ...string) error {
	if err := put(ctx, pinFile, []byte(pin)); err != nil {
		return err
	}
	if err := put(ctx, messageFile, []byte(message)); err != nil {
		return err
	}
	return run(ctx, programs.Call{
		Name: "cmsutil", Args: append([]string{"-d", database, "-f", pinFile}, args...),
	})
}

func cmsSign(ctx context.Context) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	return must(ctx, cmsSignWith(ctx, h.Plan.PIN))
}

func cmsSignWith(ctx context.Context, pin string) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	pair, err := h.For(holder.Signing)
	if err != nil {
		return err
	}
	nickname := h.TokenName + ":" + pair.Label
	return cmsutil(ctx, pin, "-S", "-G", "-N", nickname, "-i", messageFile, "-o", signedFile)
}

func cmsVerify(ctx context.Context) error {
	if err := all(ctx, programs.Call{Name: "openssl", Args: []string{
		"cms", "-verify", "-inform", "DER", "-in", signedFile, "-CAfile", caFile, "-purpose", "any",
		"-binary", "-out", outFile,
	}}); err != nil {
		return err
	}
	return readsMessage(ctx)
}

func cmsEncrypt(ctx context.Context) error {
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
	return all(ctx, programs.Call{Name: "openssl", Args: []string{
		"cms", "-encrypt", "-binary", "-aes256", "-in", messageFile, "-outform", "DER",
		"-out", sealedFile, cert,
	}})
}

func cmsDecrypt(ctx context.Context) error {
	h, err := held(ctx)
	if err != nil {
		return err
	}
	return must(ctx, cmsutil(ctx, h.Plan.PIN, "-D", "-i", sealedFile, "-o", outFile))
}
