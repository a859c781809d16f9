package caadmin

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"tokenwright/tms/admin"
	"tokenwright/tms/connector"
)

// Client is an Authority that runs elsewhere.
type Client struct{ ask *admin.Client }

var _ Authority = (*Client)(nil)

// NewClient asks by way of c, which is the caller's to close.
func NewClient(c *admin.Client) *Client { return &Client{c} }

func (c *Client) path(format string, args ...any) string {
	return bases[0] + fmt.Sprintf(format, args...)
}

// Facts implements Reader.
func (c *Client) Facts(ctx context.Context) (Facts, error) {
	a, err := admin.Ask[authority](ctx, c.ask, http.MethodGet, c.path("/authorities/host-authority"), nil,
		nil)
	return Facts{Name: a.ID, Subject: a.DN, KeyID: a.KeyID, NotAfter: fromMillis(a.NotAfter),
		Retired: !a.Enabled, Chain: a.Subjects, Profiles: a.Profiles, ChainPEM: a.ChainText}, err
}

// List implements Reader.
func (c *Client) List(ctx context.Context, q Query) ([]Certificate, error) {
	form := url.Values{}
	for name, v := range map[string]string{"user": q.User, "cuid": q.CUID, "profile": q.Profile,
		"status": q.State, "after": formatID(q.After)} {
		if v != "" {
			form.Set(name, v)
		}
	}
	if q.Limit != 0 {
		form.Set("size", strconv.Itoa(q.Limit))
	}
	list, err := admin.Ask[certInfos](ctx, c.ask, http.MethodGet, c.path("/certs"), form, nil)
	if err != nil {
		return nil, err
	}
	out := make([]Certificate, 0, len(list.Entries))
	for _, e := range list.Entries {
		one, err := e.certificate()
		if err != nil {
			return nil, fmt.Errorf("the server's answer: %w", err)
		}
		out = append(out, one)
	}
	return out, nil
}

// Show implements Reader.
func (c *Client) Show(ctx context.Context, serial connector.Serial) (Certificate, error) {
	d, err := admin.Ask[certData](ctx, c.ask, http.MethodGet, c.path("/certs/%s", formatID(serial)), nil, nil)
	if err != nil {
		return Certificate{}, err
	}
	out, err := d.certificate()
	if err != nil {
		return Certificate{}, fmt.Errorf("the server's answer: %w", err)
	}
	out.PEM, out.Events = d.Encoded, d.Events
	return out, nil
}

// CRL implements Reader.
func (c *Client) CRL(ctx context.Context, delta bool) (CRL, error) {
	l, err := admin.Ask[crlData](ctx, c.ask, http.MethodGet, c.path("/crl"), deltaForm(delta), nil)
	return l.crl(), err
}

// IssueCRL implements Changer.
func (c *Client) IssueCRL(ctx context.Context, delta bool) (CRL, error) {
	l, err := admin.Ask[crlData](ctx, c.ask, http.MethodPost, c.path("/agent/crl"), deltaForm(delta), nil)
	return l.crl(), err
}

func deltaForm(delta bool) url.Values {
	if !delta {
		return nil
	}
	return url.Values{"delta": {"true"}}
}

// Issue implements Changer.
func (c *Client) Issue(ctx context.Context, o Order) (Certificate, error) {
	in := enrollment{ProfileID: o.Profile, Input: make([]struct {
		Attribute []attribute `json:"Attribute"`
	}, 1)}
	text := o.CSR
	if block, _ := pem.Decode(text); block == nil {
		text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: text})
	}
	list := []attribute{{attrType, "pkcs10"}, {attrCSR, string(text)}}
	for name, v := range map[string]string{attrUser: o.User, attrRequestID: o.RequestID} {
		if v != "" {
			list = append(list, attribute{name, v})
		}
	}
	for name, v := range o.Attributes {
		list = append(list, attribute{attrPrefix + name, v})
	}
	in.Input[0].Attribute = list
	got, err := admin.Ask[requestInfos](ctx, c.ask, http.MethodPost, c.path("/certrequests"), nil, in)
	if err != nil {
		return Certificate{}, err
	}
	if len(got.Entries) != 1 {
		return Certificate{}, fmt.Errorf("the server's answer tells of %d requests", len(got.Entries))
	}
	serial, err := parseID(got.Entries[0].CertID)
	if err != nil {
		return Certificate{}, fmt.Errorf("the server's answer: %w", err)
	}
	return c.Show(ctx, serial)
}

// Revoke implements Changer.
func (c *Client) Revoke(ctx context.Context, r connector.RevokeRequest) error {
	return c.ask.Do(ctx, http.MethodPost, c.path("/agent/certs/%s/revoke", formatID(r.Serial)), nil,
		revocation{Reason: reasonNames[r.Reason]}, nil)
}

// Release implements Changer.
func (c *Client) Release(ctx context.Context, serial connector.Serial) error {
	return c.ask.Do(ctx, http.MethodPost, c.path("/agent/certs/%s/unrevoke", formatID(serial)), nil, nil, nil)
}
