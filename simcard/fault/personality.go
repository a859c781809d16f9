package fault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tokenwright/simcard/stock"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/tlv"
)

// Personality is a way in which cards in the field were seen to differ from the specification.
type Personality struct {
	Name  string
	Title string // one line for people: what the card does
	// Stock, if not nil, changes the kind of card before one is made.
	Stock func(*stock.Stock)
	// Wrap, if not nil, comes between a card and its reader. How long it takes, it takes by clock.
	Wrap func(c Card, clock Clock) Card
}

// Apply puts the personality between the card c, made from a stock that Stock has changed, and its
// reader.
func (p Personality) Apply(c Card, clock Clock) Card {
	if p.Wrap == nil {
		return c
	}
	return p.Wrap(c, clock)
}

// Of gives the stock s changed to the personality.
func (p Personality) Of(s stock.Stock) stock.Stock {
	if p.Stock != nil {
		p.Stock(&s)
	}
	return s
}

// afterEC is how long one kind of card was seen mute after an operation with an elliptic curve.
const afterEC = time.Minute

var personalities = []Personality{
	{
		Name: "bare-aid-fci", Title: "SELECT answers the AID alone in place of the FCI template",
		Wrap: onSelect(func(aid, _ []byte) []byte { return aid }),
	},
	{
		Name: "empty-aid-fci", Title: "the FCI names an AID of no bytes",
		Wrap: onSelect(func(_, rest []byte) []byte {
			return tlv.Append(nil, tagFCI, append([]byte{tagAID, 0}, rest...))
		}),
	},
	{
		Name: "failed-transaction", Title: "the tenth command is carried out and the reader reports an error",
		Wrap: func(c Card, _ Clock) Card {
			return Change(c, Nth(10), func([]byte, []byte) ([]byte, error) { return nil, ErrMute })
		},
	},
	{
		Name: "get-response", Title: "answers wait for GET RESPONSE (61xx), wrong Le is corrected (6Cxx)",
		Wrap: func(c Card, _ Clock) Card { return Fetching(c) },
	},
	{
		Name: "install-fails", Title: "any file loads, no instance can be made of it (6F00)",
		Stock: func(s *stock.Stock) { s.Quirks.InstallFails = true },
	},
	{
		Name: "mixed-key-info", Title: "basic and extended elements in one key information template",
		Wrap: onData(gp.TagKeyInformation, mixKeys),
	},
	{
		Name: "mute-after-delete", Title: "mute after DELETE until it has been without power",
		Wrap: func(c Card, _ Clock) Card { return Mute(c, INS(gp.INSDelete)) },
	},
	{
		Name: "mute-after-ec", Title: "answers a minute late after making a key on a curve",
		Wrap: func(c Card, clock Clock) Card {
			return Slow(c, Latency{ECKey: afterEC}, clock, 1)
		},
	},
	{
		Name: "nested-capabilities", Title: "card capability information holds its own tag (67 in 67)",
		Wrap: func(c Card, _ Clock) Card {
			return Change(c, getData(tagCapabilities), func([]byte, []byte) ([]byte, error) {
				inner := tlv.Append(nil, tagCapabilities, capabilities)
				return apdu.Response{
					Data: tlv.Append(nil, tagCapabilities, inner), SW: apdu.SW9000,
				}.Bytes(), nil
			})
		},
	},
	{
		Name: "no-default-select", Title: "SELECT without an AID is refused (6A82)",
		Wrap: func(c Card, _ Clock) Card {
			return WrongSW(c, func(cmd []byte, _ int) bool {
				return INS(gp.INSSelect)(cmd, 0) && cmd[2] == 4 && (len(cmd) == 5 || len(cmd) == 4)
			}, apdu.SW6A82)
		},
	},
	{
		Name: "no-module-status", Title: "GET STATUS of load files with modules (P1 10) is refused",
		Stock: func(s *stock.Stock) { s.Quirks.NoModuleStatus = true },
	},
	{
		Name: "broken-renc", Title: "SCP03 encrypts responses under the ICV of commands",
		Stock: func(s *stock.Stock) { s.Quirks.Protocol.BrokenRENC = true },
	},
	{
		Name: "stuck-counter", Title: "SCP03 does not count commands without data",
		Stock: func(s *stock.Stock) { s.Quirks.Protocol.StuckCounter = true },
	},
}

// Personalities lists all, by name.
func Personalities() []Personality {
	out := slices.Clone(personalities)
	slices.SortFunc(out, func(a, b Personality) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// PersonalityByName gives one.
func PersonalityByName(name string) (Personality, error) {
	var names []string
	for _, p := range Personalities() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Personality{}, fmt.Errorf("unknown personality %q (there are %s)", name,
		strings.Join(names, ", "))
}

// onSelect changes the FCI that SELECT answers with: its AID, and what follows it in the template.
func onSelect(change func(aid, rest []byte) []byte) func(Card, Clock) Card {
	return func(c Card, _ Clock) Card {
		return Change(c, INS(gp.INSSelect), func(_, resp []byte) ([]byte, error) {
			aid, rest, ok := splitFCI(resp)
			if !ok {
				return resp, nil
			}
			return append(change(aid, rest), resp[len(resp)-2:]...), nil
		})
	}
}

// splitFCI takes an FCI template apart: 6F with 84, the AID, first (GPCS 2.3.1 §11.9.3.1).
func splitFCI(resp []byte) (aid, rest []byte, ok bool) {
	if len(resp) < 4 {
		return nil, nil, false
	}
	nodes, err := tlv.Parse(resp[:len(resp)-2])
	if err != nil || len(nodes) != 1 || nodes[0].Tag != tagFCI {
		return nil, nil, false
	}
	inner, err := tlv.Parse(nodes[0].Value)
	if err != nil || len(inner) == 0 || inner[0].Tag != tagAID {
		return nil, nil, false
	}
	for _, n := range inner[1:] {
		rest = tlv.Append(rest, n.Tag, n.Value)
	}
	return inner[0].Value, rest, true
}

// Tags of the FCI template (GPCS 2.3.1 §11.9.3.1).
const tagFCI, tagAID = 0x6F, 0x84

// tagCapabilities is card capability information (GPCS 2.3.1 §H.4); capabilities says SCP03 with i 70,
// keys of 16, 24 and 32 bytes.
const tagCapabilities = 0x67

var capabilities = []byte{0xA0, 0x0A, 0x80, 0x01, 0x03, 0x81, 0x02, 0x70, 0x60, 0x82, 0x01, 0x07}

func getData(tag uint16) Match {
	return func(cmd []byte, _ int) bool {
		return INS(gp.INSGetData)(cmd, 0) && cmd[0]&0x0C == 0 &&
			cmd[2] == byte(tag>>8) && cmd[3] == byte(tag)
	}
}

// onData changes the value of a data object that GET DATA answers in the clear.
func onData(tag uint16, change func([]byte) []byte) func(Card, Clock) Card {
	return func(c Card, _ Clock) Card {
		return Change(c, getData(tag), func(_, resp []byte) ([]byte, error) {
			nodes, err := tlv.Parse(resp[:max(len(resp)-2, 0)])
			if err != nil || len(nodes) != 1 || nodes[0].Tag != uint32(tag) {
				return resp, nil
			}
			return append(tlv.Append(nil, uint32(tag), change(nodes[0].Value)),
				resp[len(resp)-2:]...), nil
		})
	}
}

// mixKeys writes every second key in the extended form (GPCS 2.3.1 Table 11-27).
func mixKeys(value []byte) []byte {
	nodes, err := tlv.Parse(value)
	if err != nil {
		return value
	}
	var out []byte
	for i, n := range nodes {
		v := n.Value
		if i%2 == 1 && len(v) == 4 {
			v = []byte{v[0], v[1], 0xFF, v[2], 0, v[3], 1, 0, 1, 0}
		}
		out = tlv.Append(out, n.Tag, v)
	}
	return out
}

// Rude gives the card c as a developer should meet it: it follows the specification where that leaves
// a choice, and takes the other one than most cards do. Answers come after pauses of up to 20
// milliseconds, and FCI templates hold elements that nobody knows. The choices follow from seed.
func Rude(c Card, clock Clock, seed uint64) Card {
	c = Slow(c, Latency{Command: rudePause}, jitter{clock: clock, random: chance(seed)}, seed)
	return onSelect(func(aid, rest []byte) []byte {
		inner := tlv.Append(nil, tagAID, aid)
		inner = append(inner, rest...)
		inner = tlv.Append(inner, tagUnknown, []byte("rude"))
		return tlv.Append(nil, tagFCI, inner)
	})(c, clock)
}

const (
	rudePause  = 20 * time.Millisecond
	tagUnknown = 0xDF7E // private class: for whoever knows it, and to be passed over by others
)

// jitter sleeps for a random part of what it is told.
type jitter struct {
	clock  Clock
	random func() float64
}

// Sleep implements Clock.
func (j jitter) Sleep(ctx context.Context, d time.Duration) error {
	return j.clock.Sleep(ctx, time.Duration(float64(d)*j.random()))
}
