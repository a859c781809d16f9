package perso

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// scriptedApplet is a card that answers what a test wants: inside the channel as a channelCard, beside
// it by the first bytes of the command.
type scriptedApplet struct {
	*channelCard
	outside scripted
}

func (s *scriptedApplet) Transmit(ctx context.Context, cmd []byte) ([]byte, error) {
	if cmd[0] == coolkey.CLAUser {
		return s.outside.Transmit(ctx, cmd)
	}
	return s.channelCard.Transmit(ctx, cmd)
}

// answering opens a channel to a card. Inside it the card answers by INS; an empty answer is lost, and
// what is not in the table is answered with 9000.
func answering(t *testing.T, inside, outside map[string]string) (*scriptedApplet, *Channel) {
	t.Helper()
	set := testKeys(t, keys.DES3)
	s := &scriptedApplet{
		channelCard: &channelCard{t: t, variant: scp.Variant{SCP: 2, I: 0x15}, set: set, kvn: 1},
		outside:     scripted{answers: outside},
	}
	s.respond = func(plain apdu.Command) (string, error) {
		answer, ok := inside[fmt.Sprintf("%02X", plain.INS)]
		switch {
		case !ok:
			return "9000", nil
		case answer == "":
			return "", errPulled
		}
		return answer, nil
	}
	ch, err := OpenChannel(t.Context(), s, ChannelOptions{Keys: testKeyring(t, set)})
	require.NoError(t, err)
	return s, ch
}

// want checks which step failed, with which status word, and why.
func want(t *testing.T, err error, step Step, sw apdu.SW, reason error) {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, step, e.Step)
	require.Equal(t, sw, e.SW)
	if reason != nil {
		require.ErrorIs(t, err, reason)
	}
}

func encryptNothing(_ context.Context, plain []byte) ([]byte, error) { return plain, nil }

func TestGenerateKeyDistrustsTheCard(t *testing.T) {
	blob := "00010400" + "0080" + strings.Repeat("FF", 128) + "0003010001"
	whole := fmt.Sprintf("%04X%s0080%s", len(blob)/2, blob, strings.Repeat("11", 128))
	piece1, piece2 := whole[:2*0xD0], whole[2*0xD0:]
	for name, c := range map[string]struct {
		inside map[string]string
		step   Step
		sw     apdu.SW
		reason error
	}{
		"refuses":          {map[string]string{"0C": "9C20"}, StepGenerateKey, apdu.SW9C20, nil},
		"is pulled":        {map[string]string{"0C": ""}, StepGenerateKey, 0, ErrNoAnswer},
		"no length":        {map[string]string{"0C": "9000"}, StepGenerateKey, 0, ErrAnswer},
		"huge length":      {map[string]string{"0C": "FFFF9000"}, StepGenerateKey, 0, ErrAnswer},
		"long length":      {map[string]string{"0C": "0000019000"}, StepGenerateKey, 0, ErrAnswer},
		"no buffer":        {map[string]string{"0C": "01009000", "56": "9C0F"}, StepReadObject, apdu.SW9C0F, nil},
		"short buffer":     {map[string]string{"0C": "01009000", "56": "009000"}, StepReadObject, 0, ErrAnswer},
		"an empty answer":  {map[string]string{"0C": "00009000"}, StepGenerateKey, 0, keyblob.ErrForm},
		"garbage":          {map[string]string{"0C": "00049000", "56": "FFFFFFFF9000"}, StepGenerateKey, 0, keyblob.ErrForm},
		"another length":   {map[string]string{"bits": "2048"}, StepGenerateKey, 0, ErrAnswer},
		"another kind":     {map[string]string{"ec": "yes"}, StepGenerateKey, 0, ErrAnswer},
		"a worthless sign": {map[string]string{}, StepProof, 0, keyblob.ErrProof},
	} {
		t.Run(name, func(t *testing.T) {
			card, ch := answering(t, c.inside, nil)
			if len(c.inside) < 2 && c.inside["0C"] == "" && c.reason != ErrNoAnswer {
				card.respond = func(plain apdu.Command) (string, error) {
					switch {
					case plain.INS == coolkey.INSStartEnrollment, plain.INS == coolkey.INSStartEnrollmentECC:
						return fmt.Sprintf("%04X9000", len(whole)/2), nil
					case plain.Data[7] == 0:
						return piece1 + "9000", nil
					}
					return piece2 + "9000", nil
				}
			}
			o := GenerateOptions{Bits: 1024, Encrypt: encryptNothing}
			if c.inside["bits"] != "" {
				o.Bits = 2048
			}
			o.EC = c.inside["ec"] != ""
			_, err := GenerateKey(t.Context(), ch, o)
			want(t, err, c.step, c.sw, c.reason)
		})
	}
}

func TestLostAnswersAreNoRefusals(t *testing.T) {
	pin := PINOptions{PIN: coolkey.PIN("1234")}
	_, ch := answering(t, map[string]string{"40": ""}, nil)
	want(t, SetPIN(t.Context(), ch, pin), StepCreatePIN, 0, ErrNoAnswer)
	_, ch = answering(t, map[string]string{"40": "6D00", "04": ""}, nil)
	want(t, SetPIN(t.Context(), ch, pin), StepSetPIN, 0, ErrNoAnswer)

	keep := []coolkey.SlotPair{{Private: 2, Public: 3}}
	_, ch = answering(t, map[string]string{"55": ""}, nil)
	_, err := ClearKeySlots(t.Context(), ch, keep)
	want(t, err, StepClearKeySlots, 0, ErrNoAnswer)
	for _, sw := range []string{"6D00", "9C0F", "9C1E"} {
		_, ch = answering(t, map[string]string{"55": sw}, nil)
		cleared, err := ClearKeySlots(t.Context(), ch, keep)
		require.NoError(t, err)
		require.False(t, cleared)
	}

	o := ImportOptions{Bits: 1024, Wrapped: make([]byte, 300)}
	for _, c := range []struct {
		ins, answer string
		step        Step
		sw          apdu.SW
	}{
		{"5A", "9C01", StepCreateObject, apdu.SW9C01}, {"5A", "", StepCreateObject, 0},
		{"54", "9C06", StepWriteObject, apdu.SW9C06}, {"54", "", StepWriteObject, 0},
		{"0A", "9C22", StepImportKey, apdu.SW9C22}, {"0A", "", StepImportKey, 0},
		{"52", "", StepDeleteObject, 0},
	} {
		_, ch = answering(t, map[string]string{c.ins: c.answer}, nil)
		want(t, ImportKey(t.Context(), ch, o), c.step, c.sw, nil)
	}
	card, ch := answering(t, map[string]string{"52": "6D00"}, nil)
	require.NoError(t, ImportKey(t.Context(), ch, o), "a source that stays is no failure")
	require.Equal(t, "FF00FFF3", fmt.Sprintf("%X", card.plain[0].Data[:4]))
	require.Equal(t, "400040004000", fmt.Sprintf("%X", card.plain[0].Data[8:]), "for the issuer alone")
}

func TestListObjectsDistrustsTheCard(t *testing.T) {
	endless := &scripted{answers: map[string]string{
		"B058": "64300000" + "00000001" + "FFFF40004000" + "9000",
	}}
	_, err := ListObjects(t.Context(), endless)
	want(t, err, StepListObjects, 0, ErrAnswer)
	require.Len(t, endless.sent, maxListed)
	for answer, sw := range map[string]apdu.SW{"6D00": apdu.SW6D00, "9000": 0, "649000": 0} {
		_, err := ListObjects(t.Context(), &scripted{answers: map[string]string{"B058": answer}})
		want(t, err, StepListObjects, sw, nil)
	}
}

func TestReadContentDistrustsTheCard(t *testing.T) {
	list := func(id, size string) map[string]string {
		return map[string]string{
			"B05800": id + size + "FFFF40004000" + "9000", "B05801": "9C12",
		}
	}
	u := User{Card: &scripted{answers: list("7A300000", "FFFFFFFF")}}
	_, _, err := ReadContent(t.Context(), u)
	want(t, err, StepReadObject, 0, ErrObjectSize)

	u.Card = &scripted{answers: list("7A300000", "00000010")}
	_, _, err = ReadContent(t.Context(), u)
	want(t, err, StepReadObject, apdu.SW6D00, nil)

	answers := list("63310000", "00000001")
	answers["B056"] = "029000"
	u.Card = &scripted{answers: answers}
	_, _, err = ReadContent(t.Context(), u)
	want(t, err, StepReadContent, 0, content.ErrForm)

	u.Card = &scripted{answers: map[string]string{"B058": "6F00"}}
	_, _, err = ReadContent(t.Context(), u)
	want(t, err, StepListObjects, apdu.SW6F00, nil)
}

// A card that tells nothing of its memory is written to all the same; one that refuses says where.
func TestWriteContentStepByStep(t *testing.T) {
	none := map[string]string{"B058": "9C12", "B03C": "6D00"}
	c := content.Content{TokenName: "alice", Version: 3}
	card, ch := answering(t, nil, none)
	require.NoError(t, WriteContent(t.Context(), ch, &c, ContentOptions{Plain: true}))
	require.Equal(t, uint16(3), c.Version)
	require.Len(t, card.plain, 3, "create and two pieces")
	z0, err := c.Combined(content.Options{Plain: true})
	require.NoError(t, err)
	require.Equal(t, z0[:0xD0], card.plain[1].Data[9:])

	header := hex.EncodeToString(content.Header{Version: 0xFFFF, Offset: content.HeaderLen}.Bytes())
	old := map[string]string{
		"B05800": "7A300000" + "00000020" + "FFFF40004000" + "9000", "B05801": "9C12",
		"B03C": "0101010400001388" + "00000000" + "00000000" + "9000",
	}
	_, ch = answering(t, map[string]string{"56": header + "9000"}, old)
	err = WriteContent(t.Context(), ch, &c, ContentOptions{Plain: true})
	want(t, err, StepWriteContent, 0, ErrNoRoom)
	require.Zero(t, c.Version, "versions begin again")

	_, ch = answering(t, map[string]string{"56": ""}, old)
	want(t, WriteContent(t.Context(), ch, &c, ContentOptions{}), StepReadObject, 0, ErrNoAnswer)
	_, ch = answering(t, map[string]string{"54": "9C06"}, none)
	want(t, WriteContent(t.Context(), ch, &c, ContentOptions{}), StepWriteObject, apdu.SW9C06, nil)
	c.TokenName = strings.Repeat("x", 256)
	_, ch = answering(t, nil, none)
	want(t, WriteContent(t.Context(), ch, &c, ContentOptions{}), StepWriteContent, 0,
		content.ErrTooLarge)
}
