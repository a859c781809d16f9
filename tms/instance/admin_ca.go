package instance

import (
	"context"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"maps"
	"strings"

	"tokenwright/tms/admin/caadmin"
	"tokenwright/tms/ca"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/connector"
)

// caService is a certificate authority as those see it who administer it.
type caService struct{ *ca.Authority }

var _ caadmin.Authority = caService{}

var caStates = map[certdb.State]string{
	certdb.ToBeSigned: caadmin.StateToBeSigned, certdb.Valid: caadmin.StateValid,
	certdb.Revoked: caadmin.StateRevoked, certdb.OnHold: caadmin.StateOnHold,
}

// Facts implements caadmin.Reader.
func (s caService) Facts(context.Context) (caadmin.Facts, error) {
	chain := s.Chain()
	out := caadmin.Facts{Name: s.Name(), Subject: chain[0].Subject.String(),
		NotAfter: chain[0].NotAfter, KeyID: hex.EncodeToString(chain[0].SubjectKeyId),
		Retired: s.Retired(), ChainPEM: string(s.ChainPEM())}
	for _, c := range chain {
		out.Chain = append(out.Chain, c.Subject.String())
	}
	for _, id := range s.Profiles().IDs() {
		if s.Profiles()[id].Enabled {
			out.Profiles = append(out.Profiles, id)
		}
	}
	return out, nil
}

// List implements caadmin.Reader.
func (s caService) List(ctx context.Context, q caadmin.Query) ([]caadmin.Certificate, error) {
	ask := certdb.Query{UserID: q.User, CUID: strings.ToUpper(q.CUID), Profile: q.Profile, Limit: q.Limit}
	if ask.Limit == 0 {
		ask.Limit = caadmin.DefaultPage
	}
	if ask.Limit < 1 || ask.Limit > caadmin.MaxPage {
		return nil, connector.CAErrorf(connector.CABadRequest, "limit %d: want 1 to %d", q.Limit,
			caadmin.MaxPage)
	}
	for state, name := range caStates {
		if name == q.State {
			ask.State = &state
		}
	}
	if q.State != "" && ask.State == nil {
		return nil, connector.CAErrorf(connector.CABadRequest, "state %.40q is none", q.State)
	}
	if q.After != "" {
		rec, err := s.record(ctx, q.After)
		if err != nil {
			return nil, err
		}
		ask.After = &rec
	}
	list, err := s.DB().List(ctx, ask)
	out := make([]caadmin.Certificate, 0, len(list))
	for _, r := range list {
		out = append(out, certificateOf(r))
	}
	return out, err
}

func (s caService) record(ctx context.Context, serial connector.Serial) (certdb.Record, error) {
	rec, err := s.DB().Certificate(ctx, serial)
	if errors.Is(err, certdb.ErrNotFound) {
		return rec, connector.CAErrorf(connector.CANotFound, "certificate %s", serial)
	}
	return rec, err
}

func certificateOf(r certdb.Record) caadmin.Certificate {
	out := caadmin.Certificate{Serial: r.Serial, State: caStates[r.State], Subject: r.Subject,
		Profile: r.Profile, User: r.UserID, CUID: r.CUID, NotBefore: r.NotBefore, NotAfter: r.NotAfter,
		Issued: r.Created, Request: r.RequestID, Requester: r.Requester, Renews: r.Renews}
	if r.State == certdb.Revoked || r.State == certdb.OnHold {
		out.Reason, out.RevokedAt = r.Reason.String(), &r.RevokedAt
	}
	return out
}

// Show implements caadmin.Reader.
func (s caService) Show(ctx context.Context, serial connector.Serial) (caadmin.Certificate, error) {
	rec, err := s.record(ctx, serial)
	if err != nil {
		return caadmin.Certificate{}, err
	}
	events, err := s.DB().Events(ctx, serial)
	if err != nil {
		return caadmin.Certificate{}, err
	}
	out := certificateOf(rec)
	if rec.DER != nil {
		out.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rec.DER}))
	}
	for _, e := range events {
		out.Events = append(out.Events, caadmin.Event{At: e.At, Op: e.Op, Actor: e.Actor, Detail: e.Detail})
	}
	return out, nil
}

// CRL implements caadmin.Reader.
func (s caService) CRL(ctx context.Context, delta bool) (caadmin.CRL, error) {
	list, err := s.Authority.CRL(ctx, delta)
	return listOf(list), err
}

// IssueCRL implements caadmin.Changer.
func (s caService) IssueCRL(ctx context.Context, delta bool) (caadmin.CRL, error) {
	list, err := s.Authority.IssueCRL(ctx, delta)
	return listOf(list), err
}

func listOf(c certdb.CRL) caadmin.CRL {
	return caadmin.CRL{Number: c.Number, Base: c.Base, Entries: c.Entries, ThisUpdate: c.ThisUpdate,
		NextUpdate: c.NextUpdate, DER: c.DER}
}

// Issue implements caadmin.Changer.
func (s caService) Issue(ctx context.Context, o caadmin.Order) (caadmin.Certificate, error) {
	request, err := ca.ParseCSR(o.CSR)
	if err != nil {
		return caadmin.Certificate{}, err
	}
	r := request.Request(o.Profile)
	r.UserID, r.RequestID = o.User, o.RequestID
	maps.Copy(r.Attributes, o.Attributes)
	issued, err := s.Enroll(ctx, r)
	if err != nil {
		return caadmin.Certificate{}, err
	}
	return s.Show(ctx, issued.Serial)
}

// AdministerCA answers an opened certificate authority for those who administer it in this process; nil
// when none of the name was opened.
func (i *Instance) AdministerCA(name string) caadmin.Authority {
	if c := i.cas[name]; c != nil {
		return caService{c.authority}
	}
	return nil
}
