package program

import (
	"context"
	"encoding/pem"
	"fmt"

	"github.com/cucumber/godog"

	"tokenwright/features/holder"
	"tokenwright/features/programs"
	"tokenwright/features/steps/scene"
)

// The scenario's mails, and what they are judged by.
const (
	mailFile    = "mail"
	sealedMail  = "sealed.p7m"
	signedMail  = "signed.p7m"
	storeFile   = "store.pem" // the authority's certificate and its revocation list
	engineFile  = "mail-engine.cnf"
	mailContent = "Subject: lunch\r\n\r\nAt noon, as ever.\r\n"
)

func addMailSteps(sc *godog.ScenarioContext) {
	sc.Step(`^openssl seals a mail for the card's certificate$`, sealMail)
	sc.Step(`^openssl opens the mail with the (\w+) module$`, openMail)
	sc.Step(`^it reads the mail$`, readsMail)
	sc.Step(`^openssl signs a mail with the (\w+) module$`, signMail)
	sc.Step(`^openssl accepts the signed mail by the authority's revocation list of this moment$`, acceptMail)
	sc.Step(`^openssl turns the signed mail down, since "([^"]*)"$`, refuseMail)
}

// pairFile writes the certificate of the card's pair for a use, and gives how a PKCS#11 URL calls it.
func pairFile(ctx context.Context, use holder.Use) (cert, url string, err error) {
	h, err := held(ctx)
	if err != nil {
		return "", "", err
	}
	pair, err := h.For(use)
	if err != nil {
		return "", "", err
	}
	cert, err = putCertificate(ctx, string(use), pair.Certificate.Raw)
	return cert, fmt.Sprintf("pkcs11:id=%%%02X;type=private", pair.ID), err
}

func sealMail(ctx context.Context) error {
	cert, _, err := pairFile(ctx, holder.Encryption)
	if err != nil {
		return err
	}
	if err := put(ctx, mailFile, []byte(mailContent)); err != nil {
		return err
	}
	return must(ctx, run(ctx, programs.Call{Name: "openssl", Args: []string{
		"cms", "-encrypt", "-aes256", "-binary", "-in", mailFile, "-out", sealedMail, cert,
	}}))
}

// withEngine runs openssl with a key of the card, by the PKCS#11 engine.
func withEngine(ctx context.Context, module string, args ...string) error {
	path, err := programs.Module(module)
	if err != nil {
		return err
	}
	if _, err := programs.Module("engine"); err != nil {
		return err
	}
	h, err := held(ctx)
	if err != nil {
		return err
	}
	if err := put(ctx, engineFile, fmt.Appendf(nil, engine, path, h.Plan.PIN)); err != nil {
		return err
	}
	if _, err := lend(ctx); err != nil {
		return err
	}
	return must(ctx, run(ctx, programs.Call{
		Name: "openssl", Args: args, Env: []string{"OPENSSL_CONF=" + engineFile},
	}))
}

func openMail(ctx context.Context, module string) error {
	cert, url, err := pairFile(ctx, holder.Encryption)
	if err != nil {
		return err
	}
	return withEngine(ctx, module, "cms", "-decrypt", "-engine", "pkcs11", "-keyform", "engine",
		"-inkey", url, "-recip", cert, "-in", sealedMail, "-out", outFile)
}

func readsMail(ctx context.Context) error {
	got, err := get(ctx, outFile)
	if err != nil {
		return err
	}
	if string(got) != mailContent {
		return blame(ctx, fmt.Errorf("it reads %q\n%s", got, from(ctx).last))
	}
	return nil
}

func signMail(ctx context.Context, module string) error {
	cert, url, err := pairFile(ctx, holder.Signing)
	if err != nil {
		return err
	}
	if err := put(ctx, mailFile, []byte(mailContent)); err != nil {
		return err
	}
	return withEngine(ctx, module, "cms", "-sign", "-md", "sha256", "-engine", "pkcs11", "-keyform",
		"engine", "-inkey", url, "-signer", cert, "-binary", "-in", mailFile, "-out", signedMail)
}

// judgeMail has openssl verify the mail by what the authority says now.
func judgeMail(ctx context.Context) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	authority := l.Authorities().CA
	list, err := authority.IssueCRL(ctx, false)
	if err != nil {
		return err
	}
	store := append(authority.ChainPEM(), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list.DER})...)
	if err := put(ctx, storeFile, store); err != nil {
		return err
	}
	return run(ctx, programs.Call{Name: "openssl", Args: []string{
		"cms", "-verify", "-CAfile", storeFile, "-crl_check", "-in", signedMail, "-binary", "-out", outFile,
	}})
}

func acceptMail(ctx context.Context) error {
	if err := must(ctx, judgeMail(ctx)); err != nil {
		return err
	}
	return readsMail(ctx)
}

func refuseMail(ctx context.Context, why string) error {
	if err := judgeMail(ctx); err != nil {
		return err
	}
	return failsWith(ctx, why)
}
