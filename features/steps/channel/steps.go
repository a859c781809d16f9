// Package channel holds the steps about secure channels that the harness opens itself, with its own
// end of the protocol. It must not use the system under test to judge the card.
package channel

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/steps/scene"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// state is what the channel steps of one scenario remember.
type state struct {
	host   *host
	answer apdu.Response // to the last command that was sent raw
	err    error         // of the last opening that was expected to fail
}

type key struct{}

func from(ctx context.Context) *state { return ctx.Value(key{}).(*state) }

// getStatusISD is a command that a card answers inside a channel only.
var getStatusISD = apdu.Command{CLA: 0x80, INS: 0xF2, P1: 0x80, P2: 0x00, Data: []byte{0x4F, 0x00}, Ne: 256}

// AddSteps registers the steps.
func AddSteps(sc *godog.ScenarioContext) {
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) {
		return context.WithValue(ctx, key{}, &state{}), nil
	})
	sc.Step(`^a channel is opened with the factory keys at level "([^"]*)"$`, openFactory)
	sc.Step(`^a channel is opened with wrong keys$`, openWrong)
	sc.Step(`^a channel opened with the factory keys works$`, factoryWorks)
	sc.Step(`^the card opens with the factory keys$`, factoryWorks)
	sc.Step(`^the card no longer knows the factory keys$`, factoryKeysGone)
	sc.Step(`^the keys of the first card do not open the second$`, keysDiffer)
	sc.Step(`^the channel speaks "([^"]*)"$`, speaks)
	sc.Step(`^a command inside the channel is answered with "([0-9A-F]{4})"$`, commandAnswered)
	sc.Step(`^the answer carried a correct R-MAC$`, carriedRMAC)
	sc.Step(`^opening the channel fails because the card's cryptogram is wrong$`, openingFailed)
	sc.Step(`^the card has seen no EXTERNAL AUTHENTICATE$`, noExternalAuthenticate)
	sc.Step(`^an EXTERNAL AUTHENTICATE with a made-up cryptogram is sent$`, madeUpCryptogram)
	sc.Step(`^an EXTERNAL AUTHENTICATE asks for level "([0-9A-F]{2})"$`, impossibleLevel)
	sc.Step(`^the card refuses it with "([0-9A-F]{4})"$`, refusedWith)
	sc.Step(`^the card refuses it$`, refused)
	sc.Step(`^a command that needs a channel is refused with "([0-9A-F]{4})"$`, plainRefused)
	sc.Step(`^the last command is sent a second time, byte for byte$`, replay)
	sc.Step(`^a command with one flipped bit is sent$`, flippedBit)
	sc.Step(`^a command that needs a channel is sent without a MAC$`, withoutMAC)
	sc.Step(`^the channel is gone$`, channelGone)
	sc.Step(`^the card is reset$`, reset)
	sc.Step(`^an INITIALIZE UPDATE is sent and nothing follows$`, initializeOnly)
	sc.Step(`^an INITIALIZE UPDATE asks for key version "([0-9A-F]{2})"$`, unknownVersion)
}

var levels = map[string]scp.Level{
	"C-MAC": scp.CMAC, "C-ENC": scp.CDEC, "R-MAC": scp.RMAC, "R-ENC": scp.RENC,
}

func openFactory(ctx context.Context, level string) error {
	var l scp.Level
	for _, word := range strings.Split(level, ",") {
		bit, ok := levels[word]
		if !ok {
			return fmt.Errorf("unknown level %q", word)
		}
		l |= bit
	}
	sn, st := scene.From(ctx), from(ctx)
	var err error
	if st.host, err = open(ctx, sn.Card, 0, l, sn.Seed, factoryKeys); err != nil {
		return err
	}
	_, err = st.host.send(ctx, getStatusISD)
	return err
}

func openWrong(ctx context.Context) error {
	sn, st := scene.From(ctx), from(ctx)
	sn.Card.ClearLog()
	st.host, st.err = open(ctx, sn.Card, 0, scp.CMAC, sn.Seed, wrongKeys)
	return nil
}

func openingFailed(ctx context.Context) error {
	if err := from(ctx).err; !errors.Is(err, errCardCryptogram) {
		return fmt.Errorf("opening the channel gave: %w", err)
	}
	return nil
}

// factoryWorks opens a channel with the factory keys and uses it.
func factoryWorks(ctx context.Context) error {
	sn := scene.From(ctx)
	h, err := open(ctx, sn.Card, 0, scp.CMAC, sn.Seed, factoryKeys)
	if err != nil {
		return err
	}
	resp, err := h.send(ctx, getStatusISD)
	if err != nil {
		return err
	}
	return resp.Err()
}

func factoryKeysGone(ctx context.Context) error {
	sn := scene.From(ctx)
	_, err := begin(ctx, sn.Card, 0, sn.Seed, factoryKeys)
	if !errors.Is(err, errCardCryptogram) {
		return fmt.Errorf("the factory keys gave: %v", err)
	}
	kvn := sn.Card.Stock.Keys.KVN
	if _, _, err = initialize(ctx, sn.Card, kvn, sn.Seed); !errors.Is(err, apdu.SW6A88) {
		return fmt.Errorf("asking for the factory's key version %02X gave: %v", byte(kvn), err)
	}
	return nil
}

// keysDiffer asks the token key service, the only one to know the cards' keys, to accept the second
// card's cryptogram as the first one's.
func keysDiffer(ctx context.Context) error {
	sn := scene.From(ctx)
	l, err := sn.Lab(ctx)
	if err != nil {
		return err
	}
	answer, challenge, err := initialize(ctx, sn.Card, 0, sn.Seed)
	if err != nil {
		return err
	}
	ask := func(c *scene.Card) error {
		_, err := l.TKS().ComputeSessionKey(ctx, connector.SessionKeyRequest{
			SCP: answer.Info.SCP, CUID: c.CUID(), KDD: c.Sim.KDD(), Info: answer.Info,
			KeySet: "defKeySet", HostChallenge: challenge, CardChallenge: answer.Challenge,
			Seq: answer.Seq, CardCryptogram: answer.Cryptogram,
		})
		return err
	}
	if err := ask(sn.Card); err != nil {
		return fmt.Errorf("the second card's own keys: %w", err)
	}
	if err := ask(sn.Second); !errors.Is(err, connector.ErrCardCryptogram) {
		return fmt.Errorf("the other card's keys gave: %v", err)
	}
	return nil
}

func speaks(ctx context.Context, protocol string) error {
	v := from(ctx).host.variant
	name := fmt.Sprintf("SCP%02X i=%02X", v.SCP, v.I)
	if !strings.HasPrefix(name, protocol) {
		return fmt.Errorf("the channel speaks %s", name)
	}
	return nil
}

func commandAnswered(ctx context.Context, sw string) error {
	resp, err := from(ctx).host.send(ctx, getStatusISD)
	if err != nil {
		return err
	}
	return sameSW(resp.SW, sw)
}

func carriedRMAC(ctx context.Context) error {
	if !from(ctx).host.rmac {
		return errors.New("the answer carried no R-MAC")
	}
	return nil
}

func noExternalAuthenticate(ctx context.Context) error {
	for _, x := range scene.From(ctx).Card.Log() {
		if len(x.Command) > 1 && x.Command[1] == 0x82 {
			return fmt.Errorf("the card was sent %X", x.Command[:5])
		}
	}
	return nil
}

// raw sends a command as it is and remembers the answer.
func raw(ctx context.Context, cmd apdu.Command) error {
	resp, err := scene.From(ctx).Card.Do(ctx, cmd)
	from(ctx).answer = resp
	return err
}

func madeUpCryptogram(ctx context.Context) error {
	sn := scene.From(ctx)
	if _, _, err := initialize(ctx, sn.Card, 0, sn.Seed); err != nil {
		return err
	}
	return raw(ctx, apdu.Command{CLA: 0x84, INS: 0x82, P1: 0x01, Data: make([]byte, 16)})
}

// impossibleLevel asks for a level that no protocol has. The MAC is right for the rest.
func impossibleLevel(ctx context.Context, level string) error {
	sn := scene.From(ctx)
	h, err := begin(ctx, sn.Card, 0, sn.Seed, factoryKeys)
	if err != nil {
		return err
	}
	p1, err := strconv.ParseUint(level, 16, 8)
	if err != nil {
		return err
	}
	end, err := scp.NewHost(h.variant, scp.CMAC, h.session, scp.HostOptions{})
	if err != nil {
		return err
	}
	cmd, err := end.ExternalAuthenticate(h.hostC)
	if err != nil {
		return err
	}
	cmd.P1 = byte(p1)
	return raw(ctx, cmd)
}

func refusedWith(ctx context.Context, sw string) error { return sameSW(from(ctx).answer.SW, sw) }

func refused(ctx context.Context) error {
	if from(ctx).answer.SW.OK() {
		return errors.New("the card did it")
	}
	return nil
}

func plainRefused(ctx context.Context, sw string) error {
	resp, err := scene.From(ctx).Card.Do(ctx, getStatusISD)
	if err != nil {
		return err
	}
	return sameSW(resp.SW, sw)
}

func replay(ctx context.Context) error {
	return rawBytes(ctx, from(ctx).host.last)
}

func flippedBit(ctx context.Context) error {
	h := from(ctx).host
	if _, err := h.send(ctx, getStatusISD); err != nil {
		return err
	}
	// The next command of the chain, with a bit of its data turned on the way.
	wrapped, err := h.host.Wrap(getStatusISD)
	if err != nil {
		return err
	}
	b, err := wrapped.Bytes()
	if err != nil {
		return err
	}
	b[5] ^= 0x10
	return rawBytes(ctx, b)
}

func rawBytes(ctx context.Context, b []byte) error {
	answer, err := scene.From(ctx).Card.Transmit(ctx, b)
	if err != nil {
		return err
	}
	from(ctx).answer, err = apdu.ParseResponse(answer)
	return err
}

func withoutMAC(ctx context.Context) error { return raw(ctx, getStatusISD) }

// channelGone sends a command that the channel's keys protect correctly and wants a refusal.
func channelGone(ctx context.Context) error {
	h := from(ctx).host
	wrapped, err := h.host.Wrap(getStatusISD)
	if err != nil {
		return err
	}
	resp, err := scene.From(ctx).Card.Do(ctx, wrapped)
	if err != nil {
		return err
	}
	if resp.SW.OK() {
		return errors.New("the card still works in the channel")
	}
	return nil
}

func reset(ctx context.Context) error { return scene.From(ctx).Card.Reset(ctx) }

func initializeOnly(ctx context.Context) error {
	sn := scene.From(ctx)
	_, _, err := initialize(ctx, sn.Card, 0, sn.Seed)
	return err
}

func unknownVersion(ctx context.Context, version string) error {
	b, err := hex.DecodeString(version)
	if err != nil {
		return err
	}
	sn := scene.From(ctx)
	_, _, err = initialize(ctx, sn.Card, keys.KVN(b[0]), sn.Seed)
	var sw apdu.SW
	if !errors.As(err, &sw) {
		return fmt.Errorf("asking for key version %s gave: %v", version, err)
	}
	from(ctx).answer = apdu.Response{SW: sw}
	return nil
}

func sameSW(got apdu.SW, want string) error {
	if s := fmt.Sprintf("%04X", uint16(got)); s != want {
		return fmt.Errorf("the card answered %w, not %s", got, want)
	}
	return nil
}
