package program

import (
	"bytes"
	"context"
	"fmt"

	"tokenwright/features/holder"
	"tokenwright/features/programs"
)

// peer is the other side's key pair, in files.
const (
	peerFile    = "peer.pem"
	peerPublic  = "peer.der"
	secretFile  = "secret"
	otherSecret = "other-secret"
)

// agreeing is the card's key pair for key agreement.
func agreeing(ctx context.Context) (holder.Pair, string, error) {
	h, err := held(ctx)
	if err != nil {
		return holder.Pair{}, "", err
	}
	pair, err := h.For(holder.Agreement)
	return pair, h.Plan.PIN, err
}

func makePeer(ctx context.Context) error {
	pair, _, err := agreeing(ctx)
	if err != nil {
		return err
	}
	if err := must(ctx, run(ctx, programs.Call{Name: "openssl", Args: []string{
		"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + string(pair.Algorithm), "-out", peerFile,
	}})); err != nil {
		return err
	}
	return must(ctx, run(ctx, programs.Call{Name: "openssl", Args: []string{
		"pkey", "-in", peerFile, "-pubout", "-outform", "DER", "-out", peerPublic,
	}}))
}

func derive(ctx context.Context, module string) error {
	pair, pin, err := agreeing(ctx)
	if err != nil {
		return err
	}
	return must(ctx, tool(ctx, module, "--derive", "--login", "--pin", pin,
		"--id", fmt.Sprintf("%x", pair.ID), "-m", "ECDH1-DERIVE", "-i", peerPublic, "-o", secretFile))
}

func sameSecret(ctx context.Context) error {
	pair, _, err := agreeing(ctx)
	if err != nil {
		return err
	}
	public, err := publicKey(ctx, pair)
	if err != nil {
		return err
	}
	if err := must(ctx, run(ctx, programs.Call{Name: "openssl", Args: []string{
		"pkeyutl", "-derive", "-inkey", peerFile, "-peerkey", public, "-out", otherSecret,
	}})); err != nil {
		return err
	}
	ours, err := get(ctx, secretFile)
	if err != nil {
		return err
	}
	theirs, err := get(ctx, otherSecret)
	if err != nil {
		return err
	}
	if len(theirs) == 0 || !bytes.Equal(ours, theirs) {
		return blame(ctx, fmt.Errorf("the card's side has %d bytes, the other %d, and they differ",
			len(ours), len(theirs)))
	}
	return nil
}
