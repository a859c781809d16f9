package tps

import (
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
)

// maxPhoneHome bounds phoneHome.xml in bytes.
const maxPhoneHome = 64 << 10

// ServiceInfo is the phone home page: where the services for a card are.
type ServiceInfo struct {
	XMLName    xml.Name `xml:"ServiceInfo"`
	IssuerName string   `xml:"IssuerName"`
	Services   Services `xml:"Services"`
}

// Services are the addresses that a client learns from the phone home page. Empty
// ones are left out.
type Services struct {
	Operation               string `xml:"Operation"`
	UI                      string `xml:"UI,omitempty"`
	EnrolledTokenBrowserURL string `xml:"EnrolledTokenBrowserURL,omitempty"`
	EnrolledTokenURL        string `xml:"EnrolledTokenURL,omitempty"`
	TokenType               string `xml:"TokenType,omitempty"`
	CAChainUI               string `xml:"CAChainUI,omitempty"`
	ResetPhoneHome          string `xml:"ResetPhoneHome,omitempty"`
}

// XML gives the page as a document.
func (i ServiceInfo) XML() ([]byte, error) {
	body, err := xml.MarshalIndent(i, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("phone home page: %w", err)
	}
	return append([]byte(xml.Header), append(body, '\n')...), nil
}

// servePhoneHome answers GET /tps/phoneHome[?cuid=HEX]. The page is the same for
// every card; cuid is checked and logged.
func (s *Server) servePhoneHome(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET is answered here", http.StatusMethodNotAllowed)
		return
	}
	cuid := strings.ReplaceAll(r.URL.Query().Get("cuid"), "-", "")
	if _, err := hex.DecodeString(cuid); err != nil || len(cuid) > 64 {
		http.Error(w, "cuid is not hexadecimal", http.StatusBadRequest)
		return
	}
	page, err := s.phoneHomePage(r)
	if err != nil {
		s.log.Error("phone home page", "err", err)
		http.Error(w, "no phone home page", http.StatusInternalServerError)
		return
	}
	s.log.Debug("phone home", "remote", r.RemoteAddr, "cuid", cuid)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(page)
}

// phoneHomePage reads the page anew each time, so that an edit takes effect at
// once. Without a file the page names the address that the client asked.
func (s *Server) phoneHomePage(r *http.Request) ([]byte, error) {
	if s.phoneHome != "" {
		page, err := readPage(s.phoneHome)
		if !errors.Is(err, fs.ErrNotExist) {
			return page, err
		}
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return ServiceInfo{
		IssuerName: "tokenwright",
		Services:   Services{Operation: scheme + "://" + r.Host + PathOperation, TokenType: "userKey"},
	}.XML()
}

func readPage(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	page, err := io.ReadAll(io.LimitReader(f, maxPhoneHome+1))
	if err != nil {
		return nil, err
	}
	if len(page) > maxPhoneHome {
		return nil, fmt.Errorf("%s: more than %d bytes", name, maxPhoneHome)
	}
	var info ServiceInfo
	if err := xml.Unmarshal(page, &info); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return page, nil
}
