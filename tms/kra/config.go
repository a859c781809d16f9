package kra

import (
	"errors"
	"strconv"
	"time"

	"tokenwright/tms/conf"
	"tokenwright/tms/kra/approval"
)

// curves are the names of curves in kra.keygen.curvelist.
var curves = map[string]int{"nistp256": 256, "nistp384": 384, "nistp521": 521}

// ReadConfig reads the kra.* keys of a KRA's CS.cfg, and keyWrap.useOAEP; the agents' rule gets its
// names from kra.agents.list. All errors are reported at once, each with its key, file and line.
func ReadConfig(c *conf.Config) (cfg Config, err error) {
	var errs []error
	k := c.Sub("kra")
	oaep, err := c.Bool("keyWrap.useOAEP", true)
	errs = append(errs, err)
	cfg.PKCS1v15 = !oaep
	for _, word := range k.List("keygen.rsaSizes") {
		bits, err := strconv.Atoi(word)
		if err != nil || bits != 2048 && bits != 3072 && bits != 4096 {
			errs = append(errs, k.Errorf("keygen.rsaSizes", "%w: not of 2048, 3072, 4096", conf.ErrValue))
			continue
		}
		cfg.RSABits = append(cfg.RSABits, bits)
	}
	for _, word := range k.List("keygen.curvelist") {
		bits, ok := curves[word]
		if !ok {
			errs = append(errs, k.Errorf("keygen.curvelist",
				"%w: not of nistp256, nistp384, nistp521", conf.ErrValue))
			continue
		}
		cfg.Curves = append(cfg.Curves, bits)
	}
	cfg.Pool = map[int]int{}
	for _, bits := range cfg.RSABits {
		n, err := k.Int("keygen.pool.rsa"+strconv.Itoa(bits), 0, 0, maxPool)
		cfg.Pool[bits], errs = n, append(errs, err)
	}
	k.Declare("keygen.pool.rsa*") // of sizes that are not made
	cfg.Workers, err = k.Int("keygen.pool.workers", 1, 1, 256)
	errs = append(errs, err)
	cfg.Agents, err = readRule(k)
	return cfg, errors.Join(append(errs, err)...)
}

// readRule reads who may approve and how many must. Without agents there is none.
func readRule(k *conf.Config) (approval.Rule, error) {
	r := approval.Rule{Agents: k.List("agents.list")}
	var errs [2]error
	r.Need, errs[0] = k.Int("noOfRequiredRecoveryAgents", 2, 1, approval.MaxAgents)
	r.Lifetime, errs[1] = k.Duration("recovery.requestLifetime", 72*time.Hour, time.Minute,
		365*24*time.Hour)
	if err := errors.Join(errs[:]...); err != nil || len(r.Agents) == 0 {
		return approval.Rule{}, err
	}
	if err := r.Check(); err != nil {
		return approval.Rule{}, k.Errorf("agents.list", "%w", err)
	}
	return r, nil
}
