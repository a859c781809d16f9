package ca

import (
	"cmp"
	"errors"
	"html/template"
	"net/http"

	"tokenwright/tms/connector"
)

// page tells whoever looks with a browser what there is. It needs no script and no picture.
var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Subject}}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }
dt { font-weight: 600; margin-top: .75rem } dd { margin: 0 } code { overflow-wrap: anywhere }
</style></head><body>
<h1>{{.Subject}}</h1>
<p>This is what a certificate authority has for everybody. All of it is signed.</p>
<dl>
<dt><a href="{{.Certificate}}">Certificate</a></dt>
<dd>valid until {{.Until}}; SHA-256 <code>{{.Fingerprint}}</code></dd>
<dt><a href="{{.Chain}}">Chain</a></dt><dd>the certificate and those above it, in PEM form</dd>
<dt>{{if .List}}<a href="{{.CRL}}">Revocation list</a>{{else}}Revocation list{{end}}</dt>
<dd>{{if .List}}number {{.List.Number}} of {{.ListFrom}}, {{.List.Entries}} entries, good until
{{.ListUntil}}{{else}}none was issued yet{{end}}</dd>
{{if .OCSP}}<dt>OCSP</dt><dd>answers questions at <code>{{.OCSP}}</code>, by POST and GET</dd>{{end}}
</dl></body></html>
`))

// servePage answers a browser at the root, and at /ca/.
func (a *Authority) servePage(w http.ResponseWriter, r *http.Request) {
	const form = "2 January 2006 15:04 MST"
	cert := a.o.Certificate
	data := map[string]any{
		"Subject": cert.Subject.String(), "Certificate": PathCertificate, "Chain": PathChain,
		"CRL": PathCRL, "Until": cert.NotAfter.UTC().Format("2 January 2006"),
		"Fingerprint": connector.Fingerprint(cert),
	}
	list, err := a.CRL(r.Context(), false)
	switch {
	case err == nil:
		data["List"], data["ListFrom"] = list, list.ThisUpdate.UTC().Format(form)
		data["ListUntil"] = list.NextUpdate.UTC().Format(form)
	case !errors.Is(err, connector.ErrCANotFound):
		a.log.Error("page not served", "error", err)
		http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
		return
	}
	if a.issuer.OCSP != "" || a.Responder() != nil {
		data["OCSP"] = cmp.Or(a.issuer.OCSP, PathOCSP)
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "max-age="+pageAge)
	_ = page.Execute(w, data) // the peer's absence shows on its side
}

// pageAge is how many seconds others may keep the page.
const pageAge = "60"
