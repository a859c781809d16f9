package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"tokenwright/features/loopback"
	"tokenwright/tms/ca/certdb"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/instance"
	"tokenwright/tms/store/sql"
	"tokenwright/tms/token"
)

// The processes of a system that consists of several.
const (
	ProcessTPS = "TPS" // with its TKS
	ProcessCA  = "CA"
	ProcessKRA = "KRA"
)

// Processes is a system whose TPS, CA and KRA are processes of their own, which reach each other over
// HTTPS with certificates on both sides, and each of which can be killed at any failpoint and started
// again. Its databases can be read meanwhile.
type Processes struct {
	dir   string
	port  int
	parts map[string]*process

	tokens *sql.Store
	certs  *certdb.DB
	kra    *instance.Instance // opened for reading; it serves nobody
}

// Processes starts such a system, with keys of the TPS's configuration set otherwise. The caller
// closes it.
func (p *Pool) Processes(ctx context.Context, tps map[string]string) (*Processes, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dir == "" && p.err == nil {
		p.err = p.make(ctx)
	}
	if p.err != nil {
		return nil, p.err
	}
	template := filepath.Join(filepath.Dir(p.dir), "processes")
	if _, err := os.Stat(template); err != nil {
		if err := makeTemplate(ctx, template); err != nil {
			return nil, err
		}
	}
	p.made++
	s := &Processes{dir: fmt.Sprintf("%s-%d", template, p.made), parts: map[string]*process{}}
	if err := copyTree(template, s.dir); err != nil {
		return nil, err
	}
	if err := s.start(ctx, overlay(withKRA(Config(p.directory.Port())), tps)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start starts the processes, each at ports of this system, and opens their databases.
func (s *Processes) start(ctx context.Context, base map[string]map[string]string) error {
	ports := map[string]int{}
	for _, id := range []string{"tps", "tks1", "ca1", "kra1", "public"} {
		port, err := loopback.Port()
		if err != nil {
			return err
		}
		ports[id] = port
	}
	s.port = ports["tps"]
	tps := maps.Clone(base[instance.TPS])
	tps["service.listen"] = loopback.Addr(s.port)
	for _, id := range []string{"tks1", "ca1", "kra1"} {
		tps["tps.connector."+id+".host"] = "127.0.0.1"
		tps["tps.connector."+id+".port"] = strconv.Itoa(ports[id])
	}
	// The TKS knows the KRA's transport certificate by the name that CreateKRA gave it.
	tks := map[string]string{"service.listen": loopback.Addr(ports["tks1"])}
	public := loopback.Addr(ports["public"])
	ca := map[string]string{"service.listen": loopback.Addr(ports["ca1"]), "publish.listen": public,
		"ca.url": "http://" + public}
	kra := map[string]string{"service.listen": loopback.Addr(ports["kra1"]),
		"kra.keygen.pool.rsa2048": "0"}
	for name, o := range map[string]order{
		ProcessCA: {Subsystems: []string{"ca1"}, Config: overrides{"ca1": ca}},
		ProcessKRA: {Subsystems: []string{instance.KRA}, Config: overrides{instance.KRA: kra},
			Keys: keysIn(s.dir).path},
		ProcessTPS: {Subsystems: []string{instance.TKS, instance.TPS},
			Config: overrides{instance.TKS: tks, instance.TPS: tps}},
	} {
		o.Dir = s.dir
		part, err := startProcess(name, o)
		if err != nil {
			return err
		}
		s.parts[name] = part
	}
	return s.open(ctx, kra)
}

type overrides = map[string]map[string]string

// open opens the databases, which the processes have made.
func (s *Processes) open(ctx context.Context, kra map[string]string) (err error) {
	if s.tokens, err = sql.Open(ctx, filepath.Join(s.dir, instance.TPS, "tokens.db")); err != nil {
		return err
	}
	if s.certs, err = certdb.Open(ctx, filepath.Join(s.dir, "ca1", "ca.db")); err != nil {
		return err
	}
	s.kra, err = instance.Open(ctx, s.dir, instance.Options{
		Subsystems: []string{instance.KRA}, Override: overrides{instance.KRA: kra},
	})
	return err
}

// Close ends the processes and removes what the system consists of.
func (s *Processes) Close() error {
	var errs []error
	for _, name := range []string{ProcessTPS, ProcessCA, ProcessKRA} { // the TPS first: it asks the others
		if p := s.parts[name]; p != nil {
			errs = append(errs, p.end())
		}
	}
	if s.kra != nil {
		errs = append(errs, s.kra.Close())
	}
	if s.certs != nil {
		errs = append(errs, s.certs.Close())
	}
	if s.tokens != nil {
		errs = append(errs, s.tokens.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// URL is where the TPS answers clients.
func (s *Processes) URL() string { return fmt.Sprintf("https://%s/tps/tps", loopback.Addr(s.port)) }

// TLS trusts the instance's own CA for TLS and nothing else.
func (s *Processes) TLS() *tls.Config { return (&Lab{dir: s.dir}).TLS() }

// Store is the token database.
func (s *Processes) Store() *sql.Store { return s.tokens }

// Certificates is the CA's database.
func (s *Processes) Certificates() *certdb.DB { return s.certs }

// KRA tells of the keys in the archive.
func (s *Processes) KRA() connector.KRA { return s.kra.KRA() }

// Arm has a process kill itself at the n-th failpoint that it passes from now; n is 0: at none.
func (s *Processes) Arm(name string, n int) error {
	_, err := s.parts[name].ask(askFuse, strconv.Itoa(n))
	return err
}

// Died tells whether a process that was armed has killed itself, and at which failpoint; it is not armed
// any more if not, and passed are the names of all failpoints that it passed since.
func (s *Processes) Died(name string) (at string, died bool, passed []string, err error) {
	p := s.parts[name]
	at, err = p.ask(askPassed)
	if errors.Is(err, errDied) {
		return at, true, nil, p.killed()
	}
	if err == nil {
		passed = strings.Fields(at)
		err = s.Arm(name, 0)
	}
	return "", false, passed, err
}

// Kill ends a process the hard way from outside.
func (s *Processes) Kill(name string) error {
	p := s.parts[name]
	return errors.Join(p.cmd.Process.Kill(), p.killed())
}

// Restart starts a process again that was killed.
func (s *Processes) Restart(name string) error {
	p, err := startProcess(name, s.parts[name].order)
	if err == nil {
		s.parts[name] = p
	}
	return err
}

// RestartDying starts the TPS again that was killed, and has it killed once more at the n-th failpoint that
// it passes while it repairs what it finds, if there are so many, and then starts it again.
func (s *Processes) RestartDying(n int) (died bool, err error) {
	o := s.parts[ProcessTPS].order
	o.Fuse = n
	p, err := startProcess(ProcessTPS, o)
	if err != nil {
		return false, err
	}
	p.order.Fuse = 0
	s.parts[ProcessTPS] = p
	switch _, err = p.ask(askReconcile); {
	case errors.Is(err, errDied):
		return true, errors.Join(p.killed(), s.Restart(ProcessTPS))
	case err != nil:
		return false, err
	}
	return false, s.Arm(ProcessTPS, 0)
}

// Quiet waits until the TPS has no session under way: what a client that has gone left behind is done.
func (s *Processes) Quiet() error {
	_, err := s.parts[ProcessTPS].ask(askQuiet)
	return err
}

// Reconcile has the TPS look for what is left undone at the authorities.
func (s *Processes) Reconcile() error {
	_, err := s.parts[ProcessTPS].ask(askReconcile)
	return err
}

// ChangeState moves a token to a state, as an agent does.
func (s *Processes) ChangeState(cuid keys.CUID, to token.State) error {
	_, err := s.parts[ProcessTPS].ask(askState, cuid.String(), to.String())
	return err
}

// SetPolicy changes the policy of a token, as an agent does.
func (s *Processes) SetPolicy(ctx context.Context, cuid keys.CUID, text string) error {
	return setPolicy(ctx, s.tokens, cuid, text)
}
