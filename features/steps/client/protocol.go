package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cucumber/godog"

	"tokenwright/features/lab"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/esc"
	"tokenwright/tms/wire"
)

func addProtocolSteps(sc *godog.ScenarioContext) {
	sc.Step(`^"([^"]*)" formats the card through a client that (?:sends )?(.+)$`, formatsThrough)
	sc.Step(`^a client sends its BEGIN_OP and its next message in one chunk$`, twoInOne)
	sc.Step(`^the server reads both$`, readsBoth)
	sc.Step(`^the server asked for a plain login$`, plainLogin)
	sc.Step(`^the server asked for an extended login with the parameters$`, extendedLogin)
	sc.Step(`^the server sent no status update$`, noUpdate)
	sc.Step(`^a client sends (an? .+|garbage)$`, sendsWhat)
	sc.Step(`^the HTTP answer is (\d+)$`, httpAnswer)
	sc.Step(`^the server ends the operation with result (\d+) and code (\d+)$`, serverEnds)
	sc.Step(`^the server ends operation (\d+) with result (\d+) and code (\d+)$`, serverEndsOperation)
	sc.Step(`^the server still works$`, stillWorks)
	sc.Step(`^a client begins operation (\d+)$`, begins)
	sc.Step(`^(\d+) clients begin a format and go away$`, goAway)
	sc.Step(`^the server soon has no session left$`, noSessionLeft)
	sc.Step(`^a client asks for the phone home page$`, asksPhoneHome)
	sc.Step(`^the page names the issuer, the address for operations and the token type "([^"]*)"$`, pageNames)
}

// manners are the ways in which clients differ that mean the same.
var manners = map[string]func(*raw, *wire.BeginOp){
	"one message a chunk":           func(r *raw, _ *wire.BeginOp) { r.cut = whole },
	"every byte in its own chunk":   func(r *raw, _ *wire.BeginOp) { r.cut = everyByte },
	"every message in three pieces": func(r *raw, _ *wire.BeginOp) { r.cut = inThree },
	"its fields in another order":   func(r *raw, _ *wire.BeginOp) { r.encode = reordered },
	"PDUs with every byte escaped":  func(r *raw, _ *wire.BeginOp) { r.encode = escaped },
	"knows only the plain login":    func(_ *raw, b *wire.BeginOp) { b.Extensions = progressOnly },
	"asks for no progress":          func(_ *raw, b *wire.BeginOp) { b.Extensions = extendedOnly },
	"lies about the size of a PDU":  func(r *raw, _ *wire.BeginOp) { r.encode = lying },
}

var (
	progressOnly = wire.Fields{{Name: wire.ExtStatusUpdate, Value: "true"}}
	extendedOnly = wire.Fields{{Name: wire.ExtExtendedLogin, Value: "true"}}
)

// reordered turns the order of a message's fields around, behind msg_type.
func reordered(m wire.Message) []byte {
	_, payload, _ := bytes.Cut(wire.Append(nil, m), []byte("&"))
	fields := strings.Split(string(payload), "&")
	for i, j := 1, len(fields)-1; i < j; i, j = i+1, j-1 {
		fields[i], fields[j] = fields[j], fields[i]
	}
	return framed(strings.Join(fields, "&"))
}

// escaped writes every byte of a PDU as %HH.
func escaped(m wire.Message) []byte {
	pdu, ok := m.(wire.TokenPDUResponse)
	if !ok {
		return wire.Append(nil, m)
	}
	var b strings.Builder
	for _, v := range pdu.PDU {
		fmt.Fprintf(&b, "%%%02x", v)
	}
	return framed(fmt.Sprintf("msg_type=10&pdu_size=%d&pdu_data=%s", len(pdu.PDU), &b))
}

// lying says that a PDU is one byte longer than it is.
func lying(m wire.Message) []byte {
	pdu, ok := m.(wire.TokenPDUResponse)
	if !ok {
		return wire.Append(nil, m)
	}
	return framed(fmt.Sprintf("msg_type=10&pdu_data=%s&pdu_size=%d",
		url.QueryEscape(string(pdu.PDU)), len(pdu.PDU)+1))
}

func framed(payload string) []byte { return []byte(fmt.Sprintf("s=%d&%s", len(payload), payload)) }

func formatsThrough(ctx context.Context, user, how string) error {
	sn, st := scene.From(ctx), from(ctx)
	o, err := byUser(user)
	if err != nil {
		return err
	}
	manner, ok := manners[strings.TrimSpace(how)]
	if !ok {
		return fmt.Errorf("the harness has no client that sends %s", how)
	}
	if err := lookBefore(ctx); err != nil {
		return err
	}
	r, l, err := connect(ctx)
	if err != nil {
		return err
	}
	_ = l
	begin := wire.BeginOp{Operation: wire.OpFormat, Extensions: append(progressOnly[:1:1], extendedOnly...)}
	manner(r, &begin)
	if err := r.send(begin); err != nil {
		return err
	}
	st.end, err = r.untilEnd(person(ctx, sn.Card, o.user, o.password))
	st.err = err
	if err == nil && st.end.Result != wire.ResultGood {
		st.err = &esc.OperationError{Operation: st.end.Operation, Result: st.end.Result, Status: st.end.Status}
	}
	return nil
}

// connect opens a raw client, which the scenario closes.
func connect(ctx context.Context) (*raw, *lab.Lab, error) {
	st := from(ctx)
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return nil, nil, err
	}
	if st.raw != nil {
		if err := st.raw.close(); err != nil {
			return nil, nil, err
		}
	}
	st.raw, err = dialRaw(ctx, l.URL(), l.TLS())
	return st.raw, l, err
}

func twoInOne(ctx context.Context) error {
	r, _, err := connect(ctx)
	if err != nil {
		return err
	}
	both := wire.Append(nil, wire.BeginOp{Operation: wire.OpFormat})
	return r.sendBytes(wire.Append(both, wire.TokenPDUResponse{PDU: []byte{0x6D, 0x00}}))
}

// readsBoth wants the server's second request: it has read the answer to its first.
func readsBoth(ctx context.Context) error {
	r := from(ctx).raw
	for i := range 2 {
		m, err := r.read()
		if err != nil {
			return fmt.Errorf("message %d: %w", i+1, err)
		}
		if _, end := m.(wire.EndOp); end && i == 0 {
			return errors.New("the operation ended after one message")
		}
	}
	return nil
}

func plainLogin(ctx context.Context) error {
	for _, m := range from(ctx).raw.seen {
		switch m.(type) {
		case wire.LoginRequest:
			return nil
		case wire.ExtendedLoginRequest:
			return errors.New("the server asked for an extended login")
		}
	}
	return errors.New("the server asked for no login")
}

func extendedLogin(ctx context.Context, want *godog.Table) error {
	prompts := from(ctx).prompts
	if len(prompts) != 1 {
		return fmt.Errorf("there were %d prompts", len(prompts))
	}
	var got []string
	for _, p := range prompts[0].Params {
		got = append(got, p.ID+" "+p.Kind)
	}
	for i, row := range want.Rows[1:] {
		if i >= len(got) || got[i] != row.Cells[0].Value+" "+row.Cells[1].Value {
			return fmt.Errorf("the parameters were %q", got)
		}
	}
	if prompts[0].Title == "" {
		return errors.New("the prompt has no title")
	}
	return nil
}

func noUpdate(ctx context.Context) error {
	for _, m := range from(ctx).raw.seen {
		if _, ok := m.(wire.StatusUpdateRequest); ok {
			return errors.New("the server sent one")
		}
	}
	return nil
}

// requests are whole requests that are not the protocol.
var requests = map[string][3]string{ // method, path, headers
	"a GET instead of a POST":              {"GET", "", ""},
	"a POST that is not chunked":           {"POST", "", "Content-Length: 0\r\n"},
	"a POST to a path that does not exist": {"POST", "/tps/nothing", "Transfer-Encoding: chunked\r\n"},
}

// nonsense are first messages that are none.
var nonsense = map[string]string{
	"a message that is longer than allowed":   "s=99999&msg_type=2&operation=5&extensions=",
	"a length that is not a number":           "s=abc&msg_type=2&operation=5&extensions=",
	"a length that is negative":               "s=-5&msg_type=2&operation=5&extensions=",
	"a length of twenty digits":               "s=99999999999999999999&msg_type=2&operation=5",
	"garbage":                                 "\x00\xff\x16\x03\x01 this is not for you &&&===\r\n\r\n",
	"a message type that does not exist":      "s=11&msg_type=99",
	"an answer where BEGIN_OP is expected":    "s=27&msg_type=15&current_state=10",
	"a BEGIN_OP with a broken percent escape": "s=36&msg_type=2&operation=5&extensions=%G",
}

func sendsWhat(ctx context.Context, what string) error {
	if parts, ok := requests[what]; ok {
		return sendsRequest(ctx, parts)
	}
	text, ok := nonsense[what]
	if !ok {
		return fmt.Errorf("the harness cannot send %s", what)
	}
	r, _, err := connect(ctx)
	if err != nil {
		return err
	}
	if _, payload, ok := strings.Cut(text, "&"); ok && strings.Contains(what, "type") ||
		strings.Contains(what, "answer") || strings.Contains(what, "escape") {
		text = string(framed(payload))
	}
	return r.sendBytes([]byte(text))
}

func sendsRequest(ctx context.Context, parts [3]string) error {
	st := from(ctx)
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	if st.raw, err = dialRequest(ctx, l.URL(), l.TLS(), parts[0], parts[1], parts[2]); err != nil {
		return err
	}
	return st.raw.head()
}

func httpAnswer(ctx context.Context, want int) error {
	if got := from(ctx).raw.status; got != want {
		return fmt.Errorf("it is %d", got)
	}
	return nil
}

func serverEnds(ctx context.Context, result, code int) error {
	end, err := from(ctx).raw.untilEnd(func(m wire.Message) (wire.Message, error) {
		return nil, fmt.Errorf("the server went on with message type %d", m.Type())
	})
	if err != nil {
		return err
	}
	from(ctx).end = end
	if int(end.Result) != result || int(end.Status) != code {
		return fmt.Errorf("it ended with result %d and code %d", end.Result, end.Status)
	}
	return nil
}

func serverEndsOperation(ctx context.Context, operation, result, code int) error {
	if err := serverEnds(ctx, result, code); err != nil {
		return err
	}
	if got := from(ctx).end.Operation; int(got) != operation {
		return fmt.Errorf("it ended operation %d", got)
	}
	return nil
}

// stillWorks begins a format and wants to be asked for the card.
func stillWorks(ctx context.Context) error {
	r, _, err := connect(ctx)
	if err != nil {
		return err
	}
	if err := r.send(wire.BeginOp{Operation: wire.OpFormat}); err != nil {
		return err
	}
	m, err := r.read()
	if err != nil {
		return err
	}
	if _, ok := m.(wire.TokenPDURequest); !ok {
		return fmt.Errorf("it answered with message type %d", m.Type())
	}
	return nil
}

func begins(ctx context.Context, operation int) error {
	r, _, err := connect(ctx)
	if err != nil {
		return err
	}
	return r.send(wire.BeginOp{Operation: wire.Operation(operation)})
}

func goAway(ctx context.Context, n int) error {
	for range n {
		r, _, err := connect(ctx)
		if err != nil {
			return err
		}
		if err := r.send(wire.BeginOp{Operation: wire.OpFormat}); err != nil {
			return err
		}
		if _, err := r.read(); err != nil {
			return err
		}
	}
	r := from(ctx).raw
	from(ctx).raw = nil
	return r.close()
}

func noSessionLeft(ctx context.Context) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	return scene.Eventually(ctx, func() error {
		if n := l.Sessions(); n != 0 {
			return fmt.Errorf("it has %d", n)
		}
		return nil
	})
}

func asksPhoneHome(ctx context.Context) error {
	_, err := scene.From(ctx).Lab(ctx)
	return err
}

func pageNames(ctx context.Context, tokenType string) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	c := http.Client{Transport: &http.Transport{TLSClientConfig: l.TLS()}}
	resp, err := c.Get(l.PhoneHomeURL())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return err
	}
	info, err := esc.PhoneHome(ctx, l.PhoneHomeURL(), l.TLS(), scene.NoCUID)
	if err != nil {
		return fmt.Errorf("the page is\n%s\n%w", page, err)
	}
	if info.IssuerName == "" || info.Operation != l.URL() || info.TokenType != tokenType {
		return fmt.Errorf("the page is\n%s", page)
	}
	if t := resp.Header.Get("Content-Type"); !strings.HasPrefix(t, "application/xml") {
		return fmt.Errorf("its type is %q", t)
	}
	return nil
}
