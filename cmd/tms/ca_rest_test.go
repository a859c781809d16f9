package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tokenwright/tms/admin/caadmin"
	"tokenwright/tms/instance"
)

// newServedCA is a CA in a process of its own that is administered over HTTPS: by olga, an agent, and by
// ed, an operator. It gives the site, and where and as whom to ask.
func newServedCA(t *testing.T) (s caSite, url, olga, ed string) {
	t.Helper()
	s = newCASite(t)
	listen := freeAddr(t)
	names := []string{"olga", "ed", "eve"}
	// Agents' certificates of a KRA are client certificates of the instance's own CA, as any are.
	_, err := instance.CreateKRA(t.Context(), s.dir, instance.KRAOptions{Listen: freeAddr(t), Agents: names})
	require.NoError(t, err)
	f, err := os.OpenFile(filepath.Join(s.dir, "ca1", "CS.cfg"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = fmt.Fprintf(f, "admin.listen=%s\nadmin.users.list=olga,ed\n"+
		"admin.users.olga.subject=CN=agent olga,O=tokenwright\nadmin.users.olga.roles=agent\n"+
		"admin.users.ed.subject=CN=agent ed,O=tokenwright\nadmin.users.ed.roles=operator\n", listen)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	p := start(t, "serve", "ca1", "--dir", s.dir)
	require.Eventually(t, func() bool {
		return strings.Count(p.output(), "administration listens") == 2
	}, deadline, 20*time.Millisecond)
	as := func(name string) string { return filepath.Join(s.dir, "kra-agents", name) }
	return s, "https://" + listen, as("olga"), as("ed")
}

// TestCACommandsAskTheRunningCA runs the same commands over the socket and over HTTPS.
func TestCACommandsAskTheRunningCA(t *testing.T) {
	s, url, olga, ed := newServedCA(t)
	for name, at := range map[string][]string{"socket": {"--dir", s.dir}, "https": {"--url", url, "--as", olga}} {
		t.Run(name, func(t *testing.T) {
			ca := func(args ...string) (int, string, string) {
				return tms(append(append([]string{"ca"}, args...), at...)...)
			}
			ok := func(args ...string) string {
				t.Helper()
				code, out, errOut := ca(args...)
				require.Zero(t, code, errOut)
				return out
			}
			issued := ok("issue", "ca1", "--csr", s.csr(), "--request-id", "r-"+name, "--attr", "Mail=a@example.org")
			block, _ := pem.Decode([]byte(issued))
			require.NotNil(t, block)
			cert, err := x509.ParseCertificate(block.Bytes)
			require.NoError(t, err)
			serial := cert.SerialNumber.Text(16)
			show := func() (c caadmin.Certificate) {
				require.NoError(t, json.Unmarshal([]byte(ok("show", "ca1", serial, "--json")), &c))
				return c
			}
			got := show()
			assert.Equal(t, "valid", got.State)
			assert.Equal(t, issued, got.PEM)
			assert.Equal(t, "r-"+name, got.Request)
			assert.True(t, cert.NotAfter.Equal(got.NotAfter))
			ok("hold", "ca1", serial)
			assert.Equal(t, "revoked_on_hold", show().State)
			ok("release", "ca1", serial)
			ok("revoke", "ca1", serial, "--reason", "Key_Compromise")
			got = show()
			assert.Equal(t, "keyCompromise", got.Reason)
			require.Len(t, got.Events, 4)
			who := map[string]string{"socket": "local:", "https": "olga"}[name]
			for _, e := range got.Events {
				assert.True(t, strings.HasPrefix(e.Actor, who), e.Actor)
			}
			assert.Contains(t, ok("list", "ca1", "--state", "revoked"), serial)
			assert.NotContains(t, ok("list", "ca1", "--state", "valid"), serial)
			assert.NotContains(t, ok("list", "ca1", "--after", serial, "--limit", "5"), serial)
			assert.Equal(t, 2, strings.Count(ok("chain", "ca1"), "BEGIN CERTIFICATE"))
			assert.Contains(t, ok("show", "ca1"), "caTokenUserSigningKeyEnrollment")
			file := filepath.Join(t.TempDir(), "crl")
			ok("crl", "ca1", "--out", file)
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			list, err := x509.ParseRevocationList(raw)
			require.NoError(t, err)
			assert.NotEmpty(t, list.RevokedCertificateEntries)
			assert.Contains(t, ok("crl", "ca1", "--delta"), "adds to")
			for args, code := range map[string]int{"show ca1 1234": exitNotFound,
				"revoke ca1 " + serial + " --reason superseded": exitFailed,
				"release ca1 " + serial:                         exitFailed,
				"list ca1 --state new":                          exitUsage} {
				got, _, errOut := ca(strings.Fields(args)...)
				assert.Equal(t, code, got, args+": "+errOut)
			}
		})
	}
	code, _, errOut := tms("ca", "list", "ca2", "--url", url, "--as", olga)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errOut, `that of "ca1"`)
	code, _, errOut = tms("ca", "list", "ca1", "--url", url, "--as", ed)
	assert.Zero(t, code, errOut)
	for _, args := range []string{"revoke ca1 12", "crl ca1", "issue ca1 --csr " + s.csr()} {
		code, _, errOut = tms(append(strings.Fields("ca "+args), "--url", url, "--as", ed)...)
		assert.Equal(t, exitForbidden, code)
		assert.Contains(t, errOut, "ed may not do this")
	}
	eve := filepath.Join(s.dir, "kra-agents", "eve")
	code, _, errOut = tms("ca", "list", "ca1", "--url", url, "--as", eve)
	assert.Equal(t, exitForbidden, code, errOut)
}

// rest asks as a client of Dogtag's REST does.
func rest(t *testing.T, as, method, url string, in any) (status int, out map[string]any) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(as+".crt", as+".key")
	require.NoError(t, err)
	pool := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(as), "ca.crt"))
	require.NoError(t, err)
	require.True(t, pool.AppendCertsFromPEM(text))
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}
	defer tr.CloseIdleConnections()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		require.NoError(t, err)
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := (&http.Client{Transport: tr, Timeout: deadline}).Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	if raw[0] == '[' {
		raw = append(append([]byte(`{"list":`), bytes.TrimSpace(raw)...), '}')
	}
	require.NoError(t, json.Unmarshal(raw, &out), string(raw))
	return res.StatusCode, out
}

// TestCAInDogtagsWords asks for what Dogtag's documentation shows, in its words.
func TestCAInDogtagsWords(t *testing.T) {
	s, url, olga, ed := newServedCA(t)
	csr, err := os.ReadFile(s.csr())
	require.NoError(t, err)
	type m = map[string]any
	order := m{"Attributes": m{"Attribute": []m{}}, "ProfileID": "caServerCert", "Renewal": false,
		"Input": []m{{"id": "i1", "ClassID": "certReqInputImpl", "Attribute": []m{
			{"name": "cert_request_type", "Value": "pkcs10", "Descriptor": m{"Syntax": "cert_request_type"}},
			{"name": "cert_request", "Value": string(csr)}}}}}
	code, out := rest(t, ed, http.MethodPost, url+"/ca/rest/certrequests", order)
	assert.Equal(t, http.StatusForbidden, code)
	assert.Equal(t, "com.netscape.certsrv.base.ForbiddenException", out["ClassName"])
	code, out = rest(t, olga, http.MethodPost, url+"/ca/rest/certrequests", order)
	require.Equal(t, http.StatusOK, code, out)
	entry := out["entries"].([]any)[0].(m)
	assert.Equal(t, "complete", entry["requestStatus"])
	id := entry["certId"].(string)
	require.True(t, strings.HasPrefix(id, "0x"))

	code, out = rest(t, ed, http.MethodGet, url+"/ca/v2/certs/"+id, nil)
	require.Equal(t, http.StatusOK, code)
	assert.Equal(t, "VALID", out["Status"])
	assert.Contains(t, out["Encoded"], "BEGIN CERTIFICATE")
	code, out = rest(t, olga, http.MethodPost, url+"/ca/rest/agent/certs/"+id+"/revoke",
		m{"Reason": "Certificate_Hold", "Comments": "lost"})
	require.Equal(t, http.StatusOK, code, out)
	code, out = rest(t, ed, http.MethodGet, url+"/ca/rest/certs?status=VALID&size=1000", nil)
	require.Equal(t, http.StatusOK, code)
	require.NotEmpty(t, out["entries"])
	for _, e := range out["entries"].([]any) {
		assert.NotEqual(t, id, e.(m)["id"])
	}
	code, _ = rest(t, olga, http.MethodPost, url+"/ca/rest/agent/certs/"+id+"/unrevoke", nil)
	require.Equal(t, http.StatusOK, code)
	code, _ = rest(t, olga, http.MethodPost, url+"/ca/rest/agent/certs/"+id+"/revoke", nil)
	require.Equal(t, http.StatusOK, code, "without a reason it is unspecified")
	code, out = rest(t, ed, http.MethodGet, url+"/ca/v1/certs/"+id, nil)
	require.Equal(t, http.StatusOK, code)
	assert.Equal(t, "REVOKED", out["Status"])
	assert.InDelta(t, 0.0, out["RevocationReason"], 0)
	code, out = rest(t, ed, http.MethodGet, url+"/ca/rest/authorities", nil)
	require.Equal(t, http.StatusOK, code)
	assert.Equal(t, "ca1", out["list"].([]any)[0].(m)["id"])

	for path, want := range map[string]int{"/ca/rest/certs/12": 404, "/ca/rest/certs/0xzz": 400,
		"/ca/rest/certs?status=new": 400, "/ca/rest/certs?size=0": 400, "/ca/rest/certs?start=20": 400,
		"/ca/rest/certs?after=x": 400, "/ca/rest/authorities/ca2": 404, "/ca/rest/profiles": 200,
		"/ca/rest/crl": 200, "/ca/rest/crl?delta=true": 404, "/ca/rest/nothing": 404,
		"/ca/rest/agent/certs/" + id: 200} {
		code, out := rest(t, olga, http.MethodGet, url+path, nil)
		assert.Equal(t, want, code, "%s: %v", path, out)
	}
	for want, in := range map[string]m{
		"renewal":      {"Renewal": true, "ProfileID": "x"},
		"cert_request": {"ProfileID": "caServerCert"},
		"crmf": {"ProfileID": "x", "Input": []m{{"Attribute": []m{{"name": "cert_request_type",
			"Value": "crmf"}}}}},
		"signing request": {"ProfileID": "caServerCert", "Input": []m{{"Attribute": []m{{"name": "cert_request",
			"Value": "nonsense"}}}}},
	} {
		code, out := rest(t, olga, http.MethodPost, url+"/ca/rest/certrequests", in)
		assert.Equal(t, http.StatusBadRequest, code, out)
		assert.Contains(t, out["Message"], want)
	}
	code, _ = rest(t, olga, http.MethodPost, url+"/ca/rest/agent/certs/"+id+"/revoke", m{"Reason": "Whim"})
	assert.Equal(t, http.StatusBadRequest, code)
	code, _ = rest(t, olga, http.MethodPost, url+"/ca/rest/agent/certs/"+id+"/unrevoke", nil)
	assert.Equal(t, http.StatusConflict, code)
}
