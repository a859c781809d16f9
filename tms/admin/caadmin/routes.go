package caadmin

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tokenwright/tms/admin"
	"tokenwright/tms/connector"
)

// bases are where the paths begin: Dogtag has had several.
var bases = []string{"/ca/rest", "/ca/v1", "/ca/v2"}

// Routes gives what may be asked of an authority. Everybody who is listed may look; agents issue,
// revoke, hold and release; agents and administrators issue revocation lists.
func Routes(a Authority) []admin.Route {
	s := server{a}
	agent := []admin.Role{admin.Agent}
	lists := []admin.Role{admin.Agent, admin.Administrator}
	var out []admin.Route
	for _, base := range bases {
		add := func(method, path string, roles []admin.Role,
			do func(context.Context, *admin.Request) (any, error),
		) {
			out = append(out, admin.Route{Method: method, Path: base + path, Roles: roles, Do: refuse(do)})
		}
		add(http.MethodGet, "/authorities", nil, s.authorities)
		add(http.MethodGet, "/authorities/{id}", nil, s.authority)
		add(http.MethodGet, "/profiles", nil, s.profiles)
		add(http.MethodGet, "/certs", nil, s.list)
		add(http.MethodGet, "/certs/{id}", nil, s.show)
		add(http.MethodGet, "/agent/certs/{id}", agent, s.show)
		add(http.MethodPost, "/certrequests", agent, s.request)
		add(http.MethodPost, "/agent/certs/{id}/revoke", agent, s.revoke)
		add(http.MethodPost, "/agent/certs/{id}/unrevoke", agent, s.release)
		add(http.MethodGet, "/crl", nil, s.crl)
		add(http.MethodPost, "/agent/crl", lists, s.issueCRL)
	}
	return out
}

// refuse turns what an authority refuses into errors that say so to the caller.
func refuse(do func(context.Context, *admin.Request) (any, error),
) func(context.Context, *admin.Request) (any, error) {
	return func(ctx context.Context, r *admin.Request) (any, error) {
		out, err := do(connector.WithCaller(ctx, r.Caller.Name), r)
		if e, ok := errors.AsType[*connector.CAError](err); ok {
			if code, known := statusOf[e.Code]; known {
				return nil, admin.Errorf(code, "%s", e.Error())
			}
		}
		return out, err
	}
}

var statusOf = map[connector.CACode]int{
	connector.CABadRequest: http.StatusBadRequest, connector.CARefused: http.StatusUnprocessableEntity,
	connector.CANotFound: http.StatusNotFound, connector.CAConflict: http.StatusConflict,
	connector.CAAlreadyRevoked: http.StatusConflict, connector.CANotOnHold: http.StatusConflict,
}

// server answers for an authority.
type server struct{ Authority }

func (s server) describe(ctx context.Context) (authority, error) {
	f, err := s.Facts(ctx)
	out := authority{ID: f.Name, DN: f.Subject, Enabled: !f.Retired, Ready: true, IsHost: true,
		KeyID: f.KeyID, NotAfter: millis(f.NotAfter), Subjects: f.Chain, Profiles: f.Profiles,
		ChainText: f.ChainPEM}
	if len(f.Chain) > 1 {
		out.IssuerDN = f.Chain[1]
	}
	return out, err
}

func (s server) authorities(ctx context.Context, _ *admin.Request) (any, error) {
	one, err := s.describe(ctx)
	return []authority{one}, err
}

func (s server) authority(ctx context.Context, r *admin.Request) (any, error) {
	one, err := s.describe(ctx)
	if id := r.PathValue("id"); err == nil && id != one.ID && id != "host-authority" {
		return nil, admin.NotFound("no authority %.40q", id)
	}
	return one, err
}

// profile is an entry of the list of profiles.
type profileInfo struct {
	ID      string `json:"profileId"`
	Enabled bool   `json:"profileEnable"`
}

func (s server) profiles(ctx context.Context, _ *admin.Request) (any, error) {
	f, err := s.Facts(ctx)
	list := make([]profileInfo, 0, len(f.Profiles))
	for _, id := range f.Profiles {
		list = append(list, profileInfo{id, true})
	}
	return map[string]any{"total": len(list), "entries": list}, err
}

func (s server) list(ctx context.Context, r *admin.Request) (any, error) {
	form := r.URL.Query()
	q := Query{User: form.Get("user"), CUID: form.Get("cuid"), Profile: form.Get("profile"),
		Limit: DefaultPage}
	var ok bool
	if q.State, ok = stateOf(form.Get("status")); !ok {
		return nil, admin.BadRequest("status %.40q is none", form.Get("status"))
	}
	if text := form.Get("size"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > MaxPage {
			return nil, admin.BadRequest("size: want 1 to %d", MaxPage)
		}
		q.Limit = n
	}
	if text := form.Get("start"); text != "" && text != "0" {
		return nil, admin.BadRequest("start is not offered: go on with after=<id of the last one>")
	}
	if text := form.Get("after"); text != "" {
		var err error
		if q.After, err = parseID(text); err != nil {
			return nil, admin.BadRequest("after: %v", err)
		}
	}
	f, err := s.Facts(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.List(ctx, q)
	out := certInfos{Total: len(list), Entries: make([]certInfo, 0, len(list))}
	for _, c := range list {
		out.Entries = append(out.Entries, infoOf(c, f.Subject, time.Now()))
	}
	return out, err
}

func (s server) show(ctx context.Context, r *admin.Request) (any, error) {
	serial, err := serialOf(r)
	if err != nil {
		return nil, err
	}
	return s.data(ctx, serial)
}

func (s server) data(ctx context.Context, serial connector.Serial) (any, error) {
	f, err := s.Facts(ctx)
	if err != nil {
		return nil, err
	}
	c, err := s.Show(ctx, serial)
	if err != nil {
		return nil, err
	}
	return dataOf(c, f.Subject, time.Now()), nil
}

func serialOf(r *admin.Request) (connector.Serial, error) {
	serial, err := parseID(r.PathValue("id"))
	if err != nil {
		return "", admin.BadRequest("certificate id: %v", err)
	}
	return serial, nil
}

// request issues at once: whoever may ask here may also approve.
func (s server) request(ctx context.Context, r *admin.Request) (any, error) {
	var in enrollment
	if err := r.Read(&in); err != nil {
		return nil, err
	}
	o, err := in.order()
	if err != nil {
		return nil, err
	}
	c, err := s.Issue(ctx, o)
	if err != nil {
		return nil, err
	}
	id := c.Request
	if id == "" {
		id = decimal(c.Serial)
	}
	return requestInfos{1, []requestInfo{{RequestID: id, RequestType: "enrollment",
		RequestStatus: "complete", OperationResult: "success", CertID: formatID(c.Serial),
		CertRequestType: "pkcs10"}}}, nil
}

// order reads what an enrollment asks for.
func (e enrollment) order() (Order, error) {
	o := Order{Profile: e.ProfileID, Attributes: map[string]string{}}
	if e.Renewal {
		return o, admin.BadRequest("renewal is not offered here")
	}
	list := e.Attributes.Attribute
	for _, in := range e.Input {
		for _, a := range in.Attribute {
			list = append(list, attributeV(a))
		}
	}
	for _, a := range list {
		name, isAttr := strings.CutPrefix(a.Name, attrPrefix)
		switch {
		case a.Name == attrType && a.Value != "" && a.Value != "pkcs10":
			return o, admin.BadRequest("%s %.20q is not offered: want pkcs10", attrType, a.Value)
		case a.Name == attrCSR:
			o.CSR = []byte(a.Value)
		case a.Name == attrUser:
			o.User = a.Value
		case a.Name == attrRequestID:
			o.RequestID = a.Value
		case isAttr:
			o.Attributes[strings.ToLower(name)] = a.Value
		}
	}
	if len(o.CSR) == 0 || o.Profile == "" {
		return o, admin.BadRequest("want ProfileID, and %s among the attributes", attrCSR)
	}
	return o, nil
}

func (s server) revoke(ctx context.Context, r *admin.Request) (any, error) {
	var in revocation
	if r.ContentLength != 0 {
		if err := r.Read(&in); err != nil {
			return nil, err
		}
	}
	serial, err := serialOf(r)
	if err != nil {
		return nil, err
	}
	reason, err := ParseReason(in.Reason)
	if err != nil {
		return nil, admin.BadRequest("Reason: %v", err)
	}
	if err := s.Revoke(ctx, connector.RevokeRequest{Serial: serial, Reason: reason}); err != nil {
		return nil, err
	}
	return changed("revocation", serial), nil
}

func (s server) release(ctx context.Context, r *admin.Request) (any, error) {
	serial, err := serialOf(r)
	if err == nil {
		err = s.Release(ctx, serial)
	}
	return changed("unrevocation", serial), err
}

func changed(what string, serial connector.Serial) requestInfo {
	return requestInfo{RequestID: decimal(serial), RequestType: what, RequestStatus: "complete",
		OperationResult: "success", CertID: formatID(serial)}
}

func (s server) crl(ctx context.Context, r *admin.Request) (any, error) {
	c, err := s.CRL(ctx, r.URL.Query().Get("delta") == "true")
	return crlOf(c), err
}

func (s server) issueCRL(ctx context.Context, r *admin.Request) (any, error) {
	c, err := s.IssueCRL(ctx, r.URL.Query().Get("delta") == "true")
	return crlOf(c), err
}
