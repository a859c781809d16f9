package esc

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Bounds of a phone home page.
const (
	maxPage      = 64 << 10
	pageTimeout  = 20 * time.Second
	maxRedirects = 3
)

// ErrPhoneHome is wrapped by every failure to read a phone home page.
var ErrPhoneHome = errors.New("phone home page")

// ServiceInfo is a phone home page: where the services for a card are. All of it is the
// server's word.
type ServiceInfo struct {
	IssuerName              string `xml:"IssuerName" json:"issuerName"`
	Operation               string `xml:"Services>Operation" json:"operation"` // the TPS's address
	UI                      string `xml:"Services>UI" json:"ui,omitempty"`
	TokenType               string `xml:"Services>TokenType" json:"tokenType,omitempty"`
	EnrolledTokenURL        string `xml:"Services>EnrolledTokenURL" json:"-"`
	EnrolledTokenBrowserURL string `xml:"Services>EnrolledTokenBrowserURL" json:"-"`
	CAChainUI               string `xml:"Services>CAChainUI" json:"-"`
	ResetPhoneHome          string `xml:"Services>ResetPhoneHome" json:"-"`
}

// PhoneHome fetches the page at address, as it stands on a card, for the card with this CUID
// (10 bytes, or none). The address and the TPS address in the answer have passed ParseURL's
// rules, and so has every redirect.
func PhoneHome(ctx context.Context, address string, conf *tls.Config, cuid []byte) (
	ServiceInfo, error,
) {
	info, err := phoneHome(ctx, address, conf, cuid)
	if err != nil {
		return ServiceInfo{}, fmt.Errorf("%w: %w", ErrPhoneHome, err)
	}
	return info, nil
}

func phoneHome(ctx context.Context, address string, conf *tls.Config, cuid []byte) (
	ServiceInfo, error,
) {
	u, err := parseAddress(address)
	if err != nil {
		return ServiceInfo{}, err
	}
	if len(cuid) > 0 {
		q := u.Query()
		q.Set("cuid", strings.ToUpper(hex.EncodeToString(cuid)))
		u.RawQuery = q.Encode()
	}
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return ServiceInfo{}, err
	}
	transport := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true,
		MaxResponseHeaderBytes: maxPage}
	client := http.Client{Transport: transport, CheckRedirect: checkRedirect}
	resp, err := client.Do(req)
	if err != nil {
		return ServiceInfo{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return ServiceInfo{}, fmt.Errorf("server answered HTTP status %d", resp.StatusCode)
	}
	return readPage(resp.Body)
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	_, err := parseAddress(req.URL.String())
	return err
}

// readPage reads a page of at most maxPage bytes and checks what clients act on.
func readPage(r io.Reader) (ServiceInfo, error) {
	page, err := io.ReadAll(io.LimitReader(r, maxPage+1))
	if err != nil {
		return ServiceInfo{}, err
	}
	if len(page) > maxPage {
		return ServiceInfo{}, fmt.Errorf("more than %d bytes", maxPage)
	}
	var doc struct {
		XMLName xml.Name `xml:"ServiceInfo"`
		ServiceInfo
	}
	if err := xml.Unmarshal(page, &doc); err != nil {
		return ServiceInfo{}, fmt.Errorf("not a ServiceInfo document: %w", err)
	}
	info := doc.ServiceInfo
	for _, s := range []*string{&info.IssuerName, &info.Operation, &info.UI, &info.TokenType} {
		*s = strings.TrimSpace(*s)
	}
	if info.Operation == "" {
		return ServiceInfo{}, errors.New("it names no server (Services/Operation)")
	}
	u, err := ParseURL(info.Operation)
	if err != nil {
		return ServiceInfo{}, fmt.Errorf("the server that it names: %w", err)
	}
	info.Operation = u.String()
	return info, nil
}
