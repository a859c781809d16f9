package esc

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const page = `<?xml version="1.0" encoding="UTF-8"?>
<ServiceInfo><IssuerName>Example</IssuerName>
<Services>
 <Operation> https://tps.example.com:8443/tps/tps </Operation>
 <UI>https://tps.example.com/ui</UI>
 <TokenType>userKey</TokenType>
</Services></ServiceInfo>`

func TestPhoneHome(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "40900102030405060708", r.URL.Query().Get("cuid"))
		assert.Equal(t, "y", r.URL.Query().Get("x"))
		assert.Equal(t, "/tps/phoneHome", r.URL.Path)
		_, _ = w.Write([]byte(page))
	}))
	defer srv.Close()
	cuid := []byte{0x40, 0x90, 1, 2, 3, 4, 5, 6, 7, 8}
	info, err := PhoneHome(t.Context(), srv.URL+"/tps/phoneHome?x=y", nil, cuid)
	require.NoError(t, err)
	assert.Equal(t, ServiceInfo{
		IssuerName: "Example", Operation: "https://tps.example.com:8443/tps/tps",
		UI: "https://tps.example.com/ui", TokenType: "userKey",
	}, info)
}

func TestPhoneHomeRefuses(t *testing.T) {
	pages := map[string]string{
		"nothing":        "",
		"not xml":        "<html><br>",
		"other document": "<Other/>",
		"no server":      "<ServiceInfo><Services/></ServiceInfo>",
		"plain http":     strings.Replace(page, "https://tps.example.com:8443", "http://evil", 1),
		"no address":     strings.Replace(page, "https://tps", "javascript:tps", 1),
		"endless":        page[:40] + strings.Repeat(" ", maxPage) + page[40:],
		"entities":       `<!DOCTYPE x [<!ENTITY a "b">]><ServiceInfo>&a;</ServiceInfo>`,
	}
	for name, text := range pages {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(text))
			}))
			defer srv.Close()
			_, err := PhoneHome(t.Context(), srv.URL, nil, nil)
			assert.ErrorIs(t, err, ErrPhoneHome)
		})
	}
	for _, address := range []string{"", "http://tps.example.com/tps/phoneHome", "file:///x"} {
		_, err := PhoneHome(t.Context(), address, nil, nil)
		assert.ErrorIs(t, err, ErrURL)
	}
}

func TestPhoneHomeFollowsOnlySafeRedirects(t *testing.T) {
	for _, to := range []string{"http://tps.example.com/", "/", "ftp://x/"} {
		srv := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
		_, err := PhoneHome(t.Context(), srv.URL, nil, nil)
		assert.ErrorIs(t, err, ErrPhoneHome, to)
		srv.Close()
	}
}

func FuzzReadPage(f *testing.F) {
	f.Add(page)
	f.Add("<ServiceInfo><Services><Operation>https://x</Operation></Services></ServiceInfo>")
	f.Fuzz(func(t *testing.T, text string) {
		info, err := readPage(strings.NewReader(text))
		if err != nil {
			return
		}
		if _, err := ParseURL(info.Operation); err != nil {
			t.Fatalf("accepted %q", info.Operation)
		}
	})
}
