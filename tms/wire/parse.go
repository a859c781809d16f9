package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds on what one message may hold, beside its length.
const (
	// MaxPDU is the longest PDU in bytes, command or response: an extended one and its status.
	MaxPDU = 65544
	// MaxParams is the largest number of required parameters.
	MaxParams = 32

	maxFields   = 96
	maxInt      = 1 << 20
	paramPrefix = "required_parameter"
)

// Errors of Parse, to be told apart with errors.Is. No error text holds a field's value.
var (
	ErrUnknownType  = errors.New("unknown message type")
	ErrMissingField = errors.New("missing field")
	ErrField        = errors.New("bad field")
	// ErrPDUSize means that pdu_size is not the number of bytes in pdu_data.
	ErrPDUSize = errors.New("pdu_size is not the length of pdu_data")
)

// Parse reads a message from what follows "s=<N>&". Fields may stand in any order; unknown ones
// are skipped, a field that occurs twice is an error. The message keeps no reference to payload.
func Parse(payload []byte) (Message, error) {
	p, err := split(string(payload))
	if err != nil {
		return nil, fmt.Errorf("parsing message: %w", err)
	}
	typ := p.number("msg_type", 99)
	if p.err != nil {
		return nil, fmt.Errorf("parsing message: %w", p.err)
	}
	m := p.message(typ)
	if p.err != nil {
		return nil, fmt.Errorf("parsing message of type %d: %w", typ, p.err)
	}
	return m, nil
}

// parser holds the raw fields of one message and the first error met while reading them.
type parser struct {
	fields []Field
	err    error
}

func split(s string) (*parser, error) {
	if strings.Count(s, "&") >= maxFields {
		return nil, fmt.Errorf("%w: more than %d fields", ErrField, maxFields)
	}
	p := &parser{}
	seen := make(map[string]bool)
	for i, part := range strings.Split(s, "&") {
		if part == "" { // old clients end lists with "&"
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: field %d has no name or no value", ErrField, i)
		}
		if seen[name] {
			return nil, fmt.Errorf("%w: field %d occurs twice", ErrField, i)
		}
		seen[name] = true
		p.fields = append(p.fields, Field{Name: name, Value: value})
	}
	return p, nil
}

func (p *parser) message(typ int) Message {
	switch typ {
	case TypeBeginOp:
		return p.beginOp()
	case TypeLoginRequest:
		return LoginRequest{p.flag("invalid_pw"), p.flag("blocked")}
	case TypeLoginResponse:
		return LoginResponse{p.either("screen_name"), p.secret("password")}
	case TypeSecureIDRequest:
		return SecureIDRequest{p.flag("pin_required"), p.flag("next_value")}
	case TypeSecureIDResponse:
		return SecureIDResponse{p.secret("pin"), p.secret("value")}
	case TypeASQRequest:
		return ASQRequest{p.either("question")}
	case TypeASQResponse:
		return p.asqResponse()
	case TypeTokenPDURequest:
		return TokenPDURequest{p.pdu(1)}
	case TypeTokenPDUResponse:
		return TokenPDUResponse{p.pdu(2)}
	case TypeNewPINRequest:
		return NewPINRequest{p.number("minimum_length", maxInt), p.number("maximum_length", maxInt)}
	case TypeNewPINResponse:
		return NewPINResponse{p.secret("new_pin")}
	case TypeEndOp:
		return EndOp{Operation(p.number("operation", maxInt)), Result(p.number("result", 1)),
			Status(p.number("message", maxInt))}
	case TypeStatusUpdateRequest:
		return StatusUpdateRequest{p.number("current_state", 100), p.task("next_task_name")}
	case TypeStatusUpdateResponse:
		return StatusUpdateResponse{p.percentEcho()}
	case TypeExtendedLoginRequest:
		return p.extendedLoginRequest()
	case TypeExtendedLoginResponse:
		return p.extendedLoginResponse()
	}
	p.fail("msg_type", ErrUnknownType)
	return nil
}

// nested reads a URL-encoded list of k=v separated and possibly ended by "&".
func (p *parser) nested(name, raw string) Fields {
	b, err := unescape(raw)
	if err != nil {
		p.fail(name, err)
		return nil
	}
	inner, err := split(string(b))
	if err != nil {
		p.fail(name, err)
		return nil
	}
	return inner.fields
}

func (p *parser) beginOp() Message {
	m := BeginOp{Operation: Operation(p.number("operation", maxInt))}
	if raw, ok := p.lookup("extensions"); ok {
		m.Extensions = p.nested("extensions", raw)
	}
	return m
}

func (p *parser) extendedLoginRequest() Message {
	m := ExtendedLoginRequest{
		InvalidPassword: p.flag("invalid_pw"),
		Blocked:         p.flag("blocked"),
		Title:           p.text("title"),
		Description:     p.text("description"),
	}
	for i := 0; ; i++ {
		name := paramPrefix + strconv.Itoa(i)
		raw, ok := p.lookup(name)
		if !ok {
			break
		}
		if i == MaxParams {
			p.fail(name, fmt.Errorf("%w: more than %d parameters", ErrField, MaxParams))
			break
		}
		in := p.nested(name, raw)
		param := Param{}
		for _, f := range in {
			param.set(f.Name, f.Value)
		}
		if param.ID == "" {
			p.fail(name, fmt.Errorf("id: %w", ErrMissingField))
		}
		m.Params = append(m.Params, param)
	}
	return m
}

func (p *Param) set(name, value string) {
	switch name {
	case "id":
		p.ID = value
	case "name":
		p.Name = value
	case "desc":
		p.Description = value
	case "type":
		p.Kind = value
	case "option":
		p.Option = value
	}
}

// text reads an optional URL-encoded text.
func (p *parser) text(name string) string {
	raw, _ := p.lookup(name)
	b, err := unescape(raw)
	if err != nil {
		p.fail(name, err)
	}
	return string(b)
}

func (p *parser) extendedLoginResponse() Message {
	var m ExtendedLoginResponse
	for _, f := range p.fields {
		if f.Name == "msg_type" {
			continue
		}
		id := unescapeEither(f.Name)
		if _, twice := m.Fields.Get(id); twice || id == "" {
			p.fail("credential", fmt.Errorf("%w: a name is empty or occurs twice", ErrField))
		}
		m.Fields = append(m.Fields, Credential{ID: id, Value: NewSecret(unescapeEither(f.Value))})
	}
	return m
}
