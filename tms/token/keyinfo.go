package token

import (
	"fmt"
	"strings"
)

// KeyInfoMatch says how the key information that a card shows fits what is
// known of it.
type KeyInfoMatch uint8

// The ways to fit.
const (
	// KeyInfoDiffers: neither recorded nor intended. Do not go on.
	KeyInfoDiffers KeyInfoMatch = iota
	// KeyInfoRecorded: what the record says.
	KeyInfoRecorded
	// KeyInfoIntended: what an open intent was about to make of the card; the
	// step took effect although its end was never recorded.
	KeyInfoIntended
	// KeyInfoFormer: what an open intent started from; the step did not take
	// effect, and the record does not say so.
	KeyInfoFormer
	// KeyInfoUnknown: the record says nothing, so nothing contradicts the card.
	KeyInfoUnknown
)

// MatchKeyInfo compares the key information a card shows (hex, case does not
// matter) with the record and the card's open intents. The recorded one and
// the two ends of an open key step are acceptable: after PUT KEY whose answer
// was lost, the card holds one or the other. The newest intent is asked first;
// the index of the one that decided is returned, -1 when none did.
func MatchKeyInfo(r Record, open []Intent, card string) (KeyInfoMatch, int) {
	for i := len(open) - 1; i >= 0; i-- {
		if !open[i].Open() || open[i].Kind != IntentPutKey {
			continue
		}
		switch {
		case sameInfo(open[i].To, card):
			return KeyInfoIntended, i
		case sameInfo(open[i].From, card):
			return KeyInfoFormer, i
		}
	}
	switch {
	case sameInfo(r.KeyInfo, card):
		return KeyInfoRecorded, -1
	case r.KeyInfo == "":
		return KeyInfoUnknown, -1
	}
	return KeyInfoDiffers, -1
}

// sameInfo compares two key informations; an empty one equals nothing.
func sameInfo(a, b string) bool { return a != "" && strings.EqualFold(a, b) }

// AcceptKeyInfo is the check of a card's key version: it returns nil when the
// card shows the recorded key information or one that an open intent explains.
// A record that says nothing passes only when unknownOK (unknown tokens are
// allowed for the operation). The error tells both sides.
func AcceptKeyInfo(r Record, open []Intent, card string, unknownOK bool) error {
	match, _ := MatchKeyInfo(r, open, card)
	switch match {
	case KeyInfoRecorded, KeyInfoIntended, KeyInfoFormer:
		return nil
	case KeyInfoUnknown:
		if unknownOK {
			return nil
		}
		return fmt.Errorf("card shows key information %s, none is recorded", quote(card))
	}
	return fmt.Errorf("card shows key information %s, %s is recorded%s",
		quote(card), quote(r.KeyInfo), intendedText(open))
}

func intendedText(open []Intent) string {
	var b strings.Builder
	for _, i := range open {
		if i.Open() && i.Kind == IntentPutKey {
			fmt.Fprintf(&b, ", %s intended", quote(i.To))
		}
	}
	return b.String()
}
