package tps

import (
	"fmt"
	"log/slog"
	"time"

	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/routing/compare"
	"tokenwright/tms/tps/tokendb"
)

// NewComparer makes what compares the token database with the authorities of a TPS that
// need not run, from the same options as a server. What the caller has to add to it are
// the authorities that can be listed, and what concerns one run.
func NewComparer(o Options, records compare.Records) (*compare.Comparer, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	settings, err := profile.Load(o.Config, o.Dir)
	if err != nil {
		return nil, fmt.Errorf("reading tps configuration: %w", err)
	}
	rules, err := loadRules(o.Config)
	if err != nil {
		return nil, fmt.Errorf("reading tps configuration: %w", err)
	}
	return &compare.Comparer{
		Records: records, Tokens: tokendb.New(records, rules, o.Now),
		Router: newRouter(o, settings, o.Failpoint),
		Archives: func(tokenType, keyType string) (string, bool) {
			k, ok := settings.Enrolls[tokenType].Keys[keyType]
			return k.KRA, ok && k.ServerSide && k.Archive
		},
	}, nil
}

// SessionLimit is how long a conversation may take by the configuration: what began before
// is over.
func SessionLimit(o Options) (time.Duration, error) {
	l, err := loadLimits(o.Config)
	return l.session, err
}
