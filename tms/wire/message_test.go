package wire

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// every type, with bytes that the encodings have to work for.
var messages = []struct {
	m    Message
	want string
}{
	{BeginOp{OpFormat, Fields{{"tokenType", "userKey"}, {"clientVersion", "ESC 1.0.1"}}},
		"msg_type=2&operation=5&extensions=tokenType%3DuserKey%26clientVersion%3DESC+1%2E0%2E1"},
	{BeginOp{Operation: OpEnroll}, "msg_type=2&operation=1&extensions="},
	{LoginRequest{}, "msg_type=3&invalid_pw=0&blocked=0"},
	{LoginRequest{true, true}, "msg_type=3&invalid_pw=1&blocked=1"},
	{LoginResponse{"jürgen", NewSecret("a&b=c% +d")},
		"msg_type=4&screen_name=j%C3%BCrgen&password=a%26b%3Dc%25+%2Bd"},
	{SecureIDRequest{true, false}, "msg_type=5&pin_required=1&next_value=0"},
	{SecureIDResponse{NewSecret("1"), NewSecret("2")}, "msg_type=6&pin=1&value=2"},
	{ASQRequest{"Pet's name?"}, "msg_type=7&question=Pet%27s+name%3F"},
	{ASQResponse{NewSecret("Rex")}, "msg_type=8&answer=Rex"},
	{TokenPDURequest{[]byte{0x00, 0xA4, 'a', ' ', '&'}},
		"msg_type=9&pdu_size=5&pdu_data=%00%A4%61%20%26"},
	{TokenPDUResponse{[]byte{'a', ' ', '+', 0x90, 0x00}},
		"msg_type=10&pdu_data=a+%2B%90%00&pdu_size=5"},
	{NewPINRequest{4, 10}, "msg_type=11&minimum_length=4&maximum_length=10"},
	{NewPINResponse{NewSecret("p+n %")}, "msg_type=12&new_pin=p%2Bn+%25"},
	{EndOp{OpFormat, ResultBad, StatusLogin}, "msg_type=13&operation=5&result=1&message=14"},
	{StatusUpdateRequest{10, "PROGRESS_START"},
		"msg_type=14&current_state=10&next_task_name=PROGRESS_START"},
	{StatusUpdateResponse{100}, "msg_type=15&current_state=100"},
	{ExtendedLoginRequest{false, false, "Sign in", "x", []Param{
		{"UID", "User ID", "name", ParamString, ""},
		{"PASSWORD", "Password", "secret", ParamPassword, ""}}},
		"msg_type=16&invalid_pw=0&blocked=0&title=Sign+in&description=x" +
			"&required_parameter0=id%3DUID%26name%3DUser+ID%26desc%3Dname%26type%3Dstring" +
			"%26option%3D" +
			"&required_parameter1=id%3DPASSWORD%26name%3DPassword%26desc%3Dsecret" +
			"%26type%3Dpassword%26option%3D"},
	{ExtendedLoginResponse{Credentials{{"UID", NewSecret("jane")}, {"PASSWORD", NewSecret("p&")}}},
		"msg_type=17&UID=jane&PASSWORD=p%26"},
}

func TestEveryMessageBothWays(t *testing.T) {
	seen := make(map[int]bool)
	for _, tt := range messages {
		seen[tt.m.Type()] = true
		want := fmt.Sprintf("s=%d&%s", len(tt.want), tt.want)
		assert.Equal(t, want, string(Append(nil, tt.m)))
		got, err := Parse([]byte(tt.want))
		require.NoError(t, err, tt.want)
		assert.Equal(t, tt.m, got)
	}
	for typ := TypeBeginOp; typ <= TypeExtendedLoginResponse; typ++ {
		assert.True(t, seen[typ], "type %d is not in the table", typ)
	}
}

func TestParseTakesWhatClientsSend(t *testing.T) {
	tests := []struct {
		name, text string
		want       Message
	}{
		{"any order", "pdu_size=2&pdu_data=%90%00&msg_type=10", TokenPDUResponse{[]byte{0x90, 0}}},
		{"lower-case escapes", "msg_type=10&pdu_data=%9f%0a&pdu_size=2",
			TokenPDUResponse{[]byte{0x9F, 0x0A}}},
		{"printable bytes raw", "msg_type=10&pdu_data=a.=!%90%00&pdu_size=6",
			TokenPDUResponse{[]byte{'a', '.', '=', '!', 0x90, 0}}},
		{"unknown field", "msg_type=15&current_state=3&extra=1", StatusUpdateResponse{3}},
		{"no echo", "msg_type=15", StatusUpdateResponse{0}},
		{"trailing ampersands", "msg_type=2&operation=5&extensions=tokenType%3Dx%26&",
			BeginOp{OpFormat, Fields{{"tokenType", "x"}}}},
		{"extensions not encoded", "msg_type=2&operation=5&extensions=tokenType=x",
			BeginOp{OpFormat, Fields{{"tokenType", "x"}}}},
		{"no extensions", "msg_type=2&operation=5", BeginOp{Operation: OpFormat}},
		{"unknown operation", "msg_type=2&operation=99", BeginOp{Operation: 99}},
		{"security answer under the question's name", "msg_type=8&question=Rex",
			ASQResponse{NewSecret("Rex")}},
		{"flags left out", "msg_type=3", LoginRequest{}},
		{"code from the future", "msg_type=13&operation=5&result=1&message=77",
			EndOp{OpFormat, ResultBad, 77}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.text))
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

// One old client sends credentials raw, the other URL-encoded; see unescapeEither.
func TestRawAndEncodedSecrets(t *testing.T) {
	tests := []struct{ sent, want string }{
		{"secret123", "secret123"},
		{"p%40ss+word", "p@ss word"},     // encoded: nothing an encoder would not leave
		{"p@ss+word", "p@ss+word"},       // raw: "@" would have been encoded
		{"100%", "100%"},                 // raw: not a whole escape
		{"50%off", "50%off"},             // raw: "%of" is no escape
		{"a.b-c_d~e*f", "a.b-c_d~e*f"},   // the same either way
		{"pässword", "pässword"},         // raw: not ASCII
		{"a=b", "a=b"},                   // raw: only the first "=" of a field separates
		{"%31%32%33%34", "1234"},         //
		{"%26%2B%25", "&+%"},             //
		{"", ""},                         //
		{"two%20words%21", "two words!"}, //
	}
	for _, tt := range tests {
		m, err := Parse([]byte("msg_type=12&new_pin=" + tt.sent))
		require.NoError(t, err)
		assert.Equal(t, tt.want, m.(NewPINResponse).PIN.Reveal(), tt.sent)
		m, err = Parse([]byte("msg_type=4&screen_name=" + tt.sent + "&password=" + tt.sent))
		require.NoError(t, err)
		assert.Equal(t, tt.want, m.(LoginResponse).ScreenName, tt.sent)
		assert.Equal(t, tt.want, m.(LoginResponse).Password.Reveal(), tt.sent)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		text string
		is   error
	}{
		{"", ErrMissingField},
		{"operation=5", ErrMissingField},
		{"msg_type=", ErrField},
		{"msg_type=1", ErrUnknownType},
		{"msg_type=18", ErrUnknownType},
		{"msg_type=0", ErrUnknownType},
		{"msg_type=-2", ErrField},
		{"msg_type=+2", ErrField},
		{"msg_type=2 ", ErrField},
		{"msg_type=99999999999999999999", ErrField},
		{"msg_type=2", ErrMissingField},
		{"msg_type=2&operation=5&operation=5", ErrField},
		{"msg_type=2&operation=x", ErrField},
		{"msg_type=2&operation=5&extensions=%zz", errEscape},
		{"msg_type=2&operation=5&extensions=a%3D1%26a%3D2", ErrField},
		{"msg_type=2&operation=5&extensions=novalue", ErrField},
		{"msg_type=2&operation=5&nonsense", ErrField},
		{"msg_type=2&operation=5&=1", ErrField},
		{"msg_type=4&screen_name=x", ErrMissingField},
		{"msg_type=9&pdu_size=0&pdu_data=", ErrField},
		{"msg_type=9&pdu_size=2&pdu_data=%00", ErrPDUSize},
		{"msg_type=10&pdu_size=1&pdu_data=%90", ErrField},
		{"msg_type=10&pdu_size=2&pdu_data=%90%0", errEscape},
		{"msg_type=10&pdu_size=2&pdu_data=%90%", errEscape},
		{"msg_type=10&pdu_size=2", ErrMissingField},
		{"msg_type=12", ErrMissingField},
		{"msg_type=13&operation=5&result=2&message=0", ErrField},
		{"msg_type=14&current_state=101&next_task_name=x", ErrField},
		{"msg_type=14&current_state=1&next_task_name=a b", ErrField},
		{"msg_type=3&invalid_pw=2", ErrField},
		{"msg_type=16&required_parameter0=name%3Dx", ErrMissingField},
		{"msg_type=17&UID=a&U%49D=b", ErrField},
		{"msg_type=17" + strings.Repeat("&x=1", 200), ErrField},
	}
	for _, tt := range tests {
		_, err := Parse([]byte(tt.text))
		assert.ErrorIs(t, err, tt.is, "%.60s", tt.text)
	}
}

func TestErrorsHoldNoValues(t *testing.T) {
	for _, text := range []string{
		"msg_type=4&screen_name=x&hunter2", "msg_type=4&password=hunter2",
		"msg_type=4&password=hunter2&password=hunter2", "msg_type=hunter2",
		"msg_type=10&pdu_size=9&pdu_data=hunter2",
	} {
		_, err := Parse([]byte(text))
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	secret := NewSecret("hunter2")
	hidden := struct{ inner LoginResponse }{LoginResponse{"jane", secret}}
	msgs := []any{
		secret, &secret, hidden, LoginResponse{"jane", secret}, NewPINResponse{secret},
		SecureIDResponse{secret, secret}, ASQResponse{secret},
		ExtendedLoginResponse{Credentials{{"PASSWORD", secret}}},
		TokenPDURequest{[]byte("hunter2")}, TokenPDUResponse{[]byte("hunter2")},
	}
	for _, m := range msgs {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			out := fmt.Sprintf(verb, m)
			assert.NotContains(t, out, "hunter2", "%T %s", m, verb)
			assert.NotContains(t, strings.ToLower(out), "68756e74657232", "%T %s", m, verb)
			assert.NotContains(t, out, "104 117 110", "%T %s", m, verb)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "m", m)
		assert.NotContains(t, log.String(), "hunter2", "%T", m)
	}
	j, err := json.Marshal(LoginResponse{"jane", secret})
	require.NoError(t, err)
	assert.NotContains(t, string(j), "hunter2")
	assert.Equal(t, 7, secret.Len())
	assert.True(t, secret.Equal(NewSecret("hunter2")))
	assert.False(t, secret.Equal(NewSecret("hunter3")))
	assert.True(t, Secret{}.Equal(NewSecret("")))
}

func TestInnerValuesCannotBreakOut(t *testing.T) {
	b := Append(nil, BeginOp{OpFormat, Fields{{"a=b", "x&statusUpdate=true"}}})
	m, err := Parse(b[strings.IndexByte(string(b), '&')+1:])
	require.NoError(t, err)
	assert.False(t, m.(BeginOp).WantsStatusUpdates())
	assert.Equal(t, Fields{{"a b", "x statusUpdate=true"}}, m.(BeginOp).Extensions)

	b = Append(nil, StatusUpdateRequest{1, "a&operation=1 b"})
	m, err = Parse(b[strings.IndexByte(string(b), '&')+1:])
	require.NoError(t, err)
	assert.Equal(t, "a_operation=1_b", m.(StatusUpdateRequest).Task)
}

func TestExtensionsDecideTheDialogue(t *testing.T) {
	m := BeginOp{OpFormat, Fields{{ExtStatusUpdate, "true"}, {ExtExtendedLogin, ""}}}
	assert.True(t, m.WantsStatusUpdates())
	assert.True(t, m.WantsExtendedLogin())
	assert.False(t, BeginOp{}.WantsStatusUpdates())
	assert.False(t, BeginOp{}.WantsExtendedLogin())
	assert.False(t, BeginOp{Extensions: Fields{{ExtStatusUpdate, "1"}}}.WantsStatusUpdates())
	assert.Equal(t, map[string]string{ExtStatusUpdate: "true", ExtExtendedLogin: ""},
		m.Extensions.Map())
}

func TestEveryStatusHasOneSentence(t *testing.T) {
	names, sentences := map[string]bool{}, map[string]bool{}
	for s := StatusNoError; s <= StatusClientCannotTalkToCard; s++ {
		assert.NotEmpty(t, s.Name(), "%d", int(s))
		assert.Regexp(t, `^[A-Z].*\.$`, s.Sentence(), "%d", int(s))
		assert.False(t, names[s.Name()], s.Name())
		assert.False(t, sentences[s.Sentence()], s.Sentence())
		names[s.Name()], sentences[s.Sentence()] = true, true
	}
	assert.Len(t, sentences, 49)
	assert.Equal(t, "14 LOGIN", StatusLogin.String())
	assert.Equal(t, "28 CONN_LOST", StatusConnLost.String())
	for _, s := range []Status{-1, 49, 1 << 30} {
		assert.False(t, s.Known())
		assert.NotEmpty(t, s.Sentence())
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, tt := range messages {
		f.Add([]byte(tt.want))
	}
	f.Add([]byte("msg_type=10&pdu_data=a+%2b%90%00&pdu_size=5&&"))
	f.Add([]byte("msg_type=12&new_pin=p@ss+%41"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := Parse(payload)
		if err != nil {
			return
		}
		b := Append(nil, m)
		frames := NewFrameReader(strings.NewReader(string(b)), LargestMaxMessage)
		printed, err := frames.Next()
		if err != nil {
			t.Fatalf("%q does not frame: %v", b, err)
		}
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("%q does not parse: %v", printed, err)
		}
		if !assert.ObjectsAreEqual(m, again) {
			t.Fatalf("%q became %q", payload, printed)
		}
		if string(Append(nil, again)) != string(b) {
			t.Fatalf("%q is not canonical", b)
		}
	})
}
