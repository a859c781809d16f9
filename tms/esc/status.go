package esc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/perso"
)

// cardManagers are the issuer security domains that are tried.
var cardManagers = []gp.AID{
	{0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00},
	{0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00},
	{0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00},
}

// States that CardStatus.State tells in a word.
const (
	StateNoApplet     = "no applet"
	StateFormatted    = "formatted"    // applet there, nothing on it
	StatePersonalized = "personalized" // enrolled
	StateOther        = "other"
)

// CardStatus is what a card tells anybody who asks; all of it is the card's own word, in the
// forms that operators know. Byte strings are upper-case hex.
type CardStatus struct {
	ATR           string   `json:"atr"`
	CUID          string   `json:"cuid"`
	MSN           string   `json:"msn"`
	CardManager   string   `json:"cardManager"`
	Protocols     []string `json:"protocols,omitempty"` // e.g. "SCP03 i=70"; none if not told
	KeyVersions   []string `json:"keyVersions,omitempty"`
	State         string   `json:"state"`
	AppletVersion string   `json:"appletVersion,omitempty"` // e.g. "1.4.58768072"
	LifeCycle     string   `json:"lifeCycle,omitempty"`
	IssuerURL     string   `json:"issuerURL,omitempty"`
	FreeMemory    uint32   `json:"freeMemory,omitempty"` // bytes of the applet's object memory

	cuid []byte
}

// CUIDBytes answers the CUID's 10 bytes in a new slice.
func (s CardStatus) CUIDBytes() []byte { return append([]byte(nil), s.cuid...) }

// ReadStatus asks a card for its facts. It authenticates nobody and changes nothing, but
// selects other applications.
func ReadStatus(ctx context.Context, t Transmitter, atr []byte) (CardStatus, error) {
	facts, err := perso.ReadFacts(ctx, t, perso.FactsOptions{
		ISDs: cardManagers, Applet: coolkey.AppletAID, LifeCycle: true,
	})
	if err != nil {
		if errors.Is(err, perso.ErrNoAnswer) {
			err = fmt.Errorf("%w: %w", ErrCard, err)
		}
		return CardStatus{}, fmt.Errorf("reading card: %w", err)
	}
	s := CardStatus{
		ATR: fmt.Sprintf("%X", atr), CUID: facts.CUID.String(),
		MSN: fmt.Sprintf("%X", facts.MSN[:]), CardManager: facts.ISD.String(),
		State: StateNoApplet, cuid: facts.CUID[:],
	}
	for _, v := range facts.Variants {
		s.Protocols = append(s.Protocols, fmt.Sprintf("SCP%02X i=%02X", v.SCP, v.I))
	}
	s.KeyVersions = keyVersions(facts.Keys)
	if !facts.Applet.Present {
		return s, nil
	}
	s.addApplet(facts.Applet)
	s.IssuerURL, err = issuerURL(ctx, t)
	return s, err
}

// keyVersions are the versions that the card lists, each once, in its order.
func keyVersions(t gp.KeyInformationTemplate) []string {
	var out []string
	seen := make(map[string]bool)
	for _, k := range t.Keys {
		v := fmt.Sprintf("%02X", byte(k.KVN))
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

func (s *CardStatus) addApplet(a perso.Applet) {
	s.AppletVersion = a.Version()
	s.FreeMemory = a.Status.FreeMemory
	s.State = StateOther
	if !a.HasLifeCycle {
		return
	}
	s.LifeCycle = fmt.Sprintf("%02X", byte(a.LifeCycle.State))
	switch a.LifeCycle.State {
	case coolkey.StateSelectable:
		s.State = StateFormatted
	case coolkey.StatePersonalized:
		s.State = StatePersonalized
	}
}

// issuerURL reads the address in the applet's issuer field; empty when the applet has none, or
// what is there is no address.
func issuerURL(ctx context.Context, t Transmitter) (string, error) {
	cmd, err := coolkey.GetIssuerInfo{}.Command().Bytes()
	if err != nil {
		return "", fmt.Errorf("reading card: get issuer info: %w", err)
	}
	raw, err := t.Transmit(ctx, cmd)
	if err != nil {
		return "", fmt.Errorf("reading card: get issuer info: %w: %w", ErrCard, err)
	}
	resp, err := apdu.ParseResponse(raw)
	if err != nil {
		return "", fmt.Errorf("reading card: get issuer info: %w: %w", ErrCard, err)
	}
	text := strings.TrimSpace(coolkey.IssuerText(resp.Data))
	strange := func(r rune) bool { return r <= ' ' || r >= 0x7F }
	if !resp.SW.OK() || strings.ContainsFunc(text, strange) {
		text = ""
	}
	return text, nil
}
