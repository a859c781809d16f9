package connector

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHexCodec(t *testing.T) {
	assert.Equal(t, "#00#0A#FF", EncodeHex([]byte{0, 10, 255}))
	assert.Empty(t, EncodeHex(nil))
	for text, want := range map[string][]byte{
		"#00#0A#FF": {0, 10, 255}, "#0a#fF": {10, 255}, "000aFF": {0, 10, 255}, "": {},
	} {
		got, err := DecodeHex(text, 3)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"#", "#0", "#00#", "#00#0", "#00#0G", "##0#0", "00#0A", "#000A#", "0", "0g", "#00#00#00#00",
		"00000000", " 00", "#00 ",
	} {
		_, err := DecodeHex(text, 3)
		require.Error(t, err, text)
	}
}

func TestHexErrorsDoNotShowTheValue(t *testing.T) {
	_, err := DecodeHex("#41#42#4Z", 16)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "42")
}

func FuzzDecodeHex(f *testing.F) {
	for _, s := range []string{"#00#FF", "00ff", "#0", "##", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := DecodeHex(s, 32)
		if err != nil {
			return
		}
		if len(b) > 32 {
			t.Fatalf("%d bytes exceed the limit", len(b))
		}
		again, err := DecodeHex(EncodeHex(b), 32)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q does not survive: %v", s, err)
		}
		if strings.HasPrefix(s, "#") && !strings.EqualFold(EncodeHex(b), s) {
			t.Fatalf("%q was read as %X", s, b)
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	for _, s := range []string{
		"status=0&sessionKey=#00#01&hostCryptogram=#00", "status=5", "unauthorized=", "status=",
		"status=0&status=1", "=&=", "status=99999999999999999999", strings.Repeat("a=b&", 99),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := readAnswer(body)
		if err != nil {
			return
		}
		if a[fieldStatus] == "" || len(a) > maxAnswerFields {
			t.Fatalf("accepted %q", body)
		}
		for scp := byte(1); scp <= 3; scp++ {
			_, _ = a.transport(scp)
		}
	})
}

func TestAnswers(t *testing.T) {
	for body, want := range map[string]error{
		"unauthorized=": ErrUnauthorized, "status=1": ErrDerivation, "status=2": ErrHostCryptogram,
		"status=3": ErrParameter, "status=4": ErrToken, "status=5": ErrCardCryptogram,
		"status=6&x=y": ErrConfig, "": ErrProtocol, "status": ErrProtocol, "status=x": ErrProtocol,
		"a=b": ErrProtocol, "status=0&status=0": ErrProtocol, "status=-1": ErrProtocol,
		"<html>": ErrProtocol, "status=0&" + strings.Repeat("a=b&", 40): ErrProtocol,
	} {
		_, err := readAnswer([]byte(body))
		require.ErrorIs(t, err, want, body)
	}
	a, err := readAnswer([]byte("status=0&data=#41=\r\n"))
	require.NoError(t, err)
	assert.Equal(t, "#41=", a["data"])
	_, err = readAnswer([]byte("status=77"))
	assert.EqualError(t, err, "status 77")
}

func TestErrorsMatchByStatus(t *testing.T) {
	err := Errorf(StatusConfig, "no key set %q", "x")
	require.ErrorIs(t, err, ErrConfig)
	require.NotErrorIs(t, err, ErrParameter)
	assert.Equal(t, StatusConfig, StatusOf(err))
	assert.Equal(t, StatusOK, StatusOf(nil))
	assert.Equal(t, StatusDerivation, StatusOf(assert.AnError))
	require.EqualError(t, err, `configuration does not cover the request: no key set "x"`)
}
