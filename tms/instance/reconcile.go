package instance

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tokenwright/tms/connector"
	"tokenwright/tms/tps"
	"tokenwright/tms/tps/routing/compare"
)

// ReconcileOptions say how the token database is compared with CAs and KRA.
type ReconcileOptions struct {
	// Repair mends what can be mended.
	Repair bool
	// Grace: what is younger is left to sessions that may be under way. Negative means so
	// long as a session may take by the configuration; 0 is for when nothing runs.
	Grace time.Duration
	// Ask has the addresses, https://host:port, at which CAs that run elsewhere are administered, and
	// KRAs answer recovery agents, by connector id; TLS shows the certificate of who asks.
	Ask map[string]string
	TLS *tls.Config
	// Report gets each difference as it is found.
	Report func(compare.Difference) error
	// Actor names who wants it, for the records.
	Actor string
	Log   *slog.Logger     // nil discards
	Now   func() time.Time // nil means time.Now
}

// Reconcile compares the token database of the instance at dir with each CA and KRA that its TPS is
// connected to, and shows, or mends, every difference. Those of the same instance are asked, and
// looked through, by their files; others over HTTPS, about what is on record. The instance may be
// served meanwhile. compare.ErrIncomplete means that an authority did not answer.
func Reconcile(ctx context.Context, dir string, o ReconcileOptions) (sum compare.Summary, err error) {
	there, err := Subsystems(dir)
	if err != nil {
		return sum, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	i := &Instance{dir: dir, log: o.Log, cas: map[string]*caPart{}}
	defer func() { err = errors.Join(err, i.Close()) }()
	for _, name := range there {
		if err := i.openForFiles(ctx, name, Options{Log: o.Log, Now: o.Now}); err != nil {
			return sum, fmt.Errorf("%s: %w", name, err)
		}
	}
	c, err := i.comparer(ctx, o)
	if err != nil {
		return sum, err
	}
	return c.Run(connector.WithCaller(ctx, o.Actor))
}

// openForFiles builds a CA or the KRA without anything that serves it.
func (i *Instance) openForFiles(ctx context.Context, name string, o Options) error {
	kind := kindOf(name)
	if kind != CA && kind != KRA {
		return nil
	}
	p, err := newPart(i.dir, name, o)
	if err != nil {
		return err
	}
	if kind == CA {
		i.cas[name], err = i.buildCA(ctx, p, o)
		return err
	}
	for _, size := range []string{"2048", "3072", "4096"} { // no keys are made in advance
		if err := p.conf.Set("kra.keygen.pool.rsa"+size, "0"); err != nil {
			return err
		}
	}
	service, err := i.buildKRA(ctx, p, o)
	i.kra = &kraPart{part: p, service: service}
	return err
}

// comparer makes what compares, over the configuration of the TPS.
func (i *Instance) comparer(ctx context.Context, o ReconcileOptions) (*compare.Comparer, error) {
	p, err := newPart(i.dir, TPS, Options{Log: o.Log})
	if err != nil {
		return nil, err
	}
	records, err := i.openRecords(ctx, p)
	if err != nil {
		return nil, err
	}
	others, err := i.openAuthorities(p, Options{})
	if err != nil {
		return nil, err
	}
	options := tps.Options{
		Config: p.conf, Dir: p.dir, Store: records, CAs: others.cas, KRAs: others.kras,
		Authorities: others.signers, Log: p.log, Now: o.Now,
	}
	c, err := tps.NewComparer(options, records)
	if err != nil {
		return nil, err
	}
	if o.Grace < 0 {
		if o.Grace, err = tps.SessionLimit(options); err != nil {
			return nil, err
		}
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	c.Session, c.Actor, c.Repair, c.Report = hex.EncodeToString(id[:]), o.Actor, o.Repair, o.Report
	c.Before = c.Tokens.Now().Add(-o.Grace)
	c.CAs, c.KRAs = map[string]compare.CertificateList{}, map[string]compare.KeyList{}
	for id := range others.cas {
		if own := i.ownCA(others, id); own != nil {
			c.CAs[id] = caList{own.authority, c.Tokens.Now}
		}
	}
	for id, kra := range others.kras {
		if i.kra != nil && kra == connector.KRA(i.kra.service) {
			c.KRAs[id] = keyList{i.kra.service}
		}
	}
	return c, i.askRemote(ctx, c, others, o)
}

// ownCA gives the CA of this instance that a connector leads to, nil when it leads elsewhere: they
// are known by their key, however they are reached.
func (i *Instance) ownCA(a authorities, id string) *caPart {
	for _, own := range i.cas {
		key := own.authority.Chain()[0].SubjectKeyId
		signer, err := hex.DecodeString(a.signers[id])
		if err == nil && len(key) > 0 && bytes.Equal(signer, key) {
			return own
		}
	}
	return nil
}
