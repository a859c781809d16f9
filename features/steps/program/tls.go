package program

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/cucumber/godog"

	"tokenwright/features/holder"
	"tokenwright/features/programs"
	"tokenwright/features/steps/scene"
)

// greeting is what the server says to those whose certificate it accepts.
const greeting = "welcome, holder of the card"

func addTLSSteps(sc *godog.ScenarioContext) {
	sc.Step(`^a server on loopback that asks for a certificate of the cards' issuer$`, startServer)
	sc.Step(`^gnutls-cli connects over TLS (1\.[23]) with the (\w+) module and the PIN "([^"]*)"$`, gnutlsConnects)
	sc.Step(`^openssl connects over TLS (1\.[23]) with the (\w+) module$`, opensslConnects)
	sc.Step(`^the server has let the card's holder in over TLS (1\.[23])$`, letIn)
	sc.Step(`^the server has let nobody in$`, letNobodyIn)
	sc.Step(`^the server has turned the visitor away for "([^"]*)"$`, turnedAway)
}

// server is a TLS server that remembers who came.
type server struct {
	listener net.Listener
	done     sync.WaitGroup

	mu     sync.Mutex
	guests []guest
	err    error // of the last one who was turned away
}

type guest struct {
	certificate []byte
	version     uint16
}

const serverPatience = 20 * time.Second

func startServer(ctx context.Context) error {
	ca, err := holder.TheAuthority()
	if err != nil {
		return err
	}
	cert, key, err := ca.Server()
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		return err
	}
	s := &server{listener: l}
	from(ctx).server = s
	s.done.Go(s.serve)
	return putAuthority(ctx)
}

func (s *server) serve() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.done.Go(func() { s.meet(c.(*tls.Conn)) })
	}
}

// meet shakes hands, says its greeting and waits for the other side to hang up.
func (s *server) meet(c *tls.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(serverPatience))
	err := c.Handshake()
	s.mu.Lock()
	if s.err = err; err == nil {
		st := c.ConnectionState()
		s.guests = append(s.guests, guest{st.PeerCertificates[0].Raw, st.Version})
	}
	s.mu.Unlock()
	if err != nil {
		return
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err == nil {
		_, _ = io.WriteString(c, greeting+"\n")
	}
}

func (s *server) close() error {
	err := s.listener.Close()
	s.done.Wait()
	return err
}

// signingPair is the card's pair for signing, and what a PKCS#11 URL calls it (RFC 7512).
func signingPair(ctx context.Context) (p holder.Pair, url string, err error) {
	h, err := held(ctx)
	if err != nil {
		return p, "", err
	}
	if p, err = h.For(holder.Signing); err != nil {
		return p, "", err
	}
	return p, fmt.Sprintf("pkcs11:id=%%%02X;type=", p.ID), nil
}

func connects(ctx context.Context, c programs.Call) error {
	s := from(ctx).server
	if s == nil {
		return errors.New("there is no server")
	}
	_, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return err
	}
	for i, a := range c.Args {
		if a == "PORT" {
			c.Args[i] = port
		}
		if a == "ADDRESS" {
			c.Args[i] = s.listener.Addr().String()
		}
	}
	c.Stdin = []byte("hello\n")
	return run(ctx, c)
}

func gnutlsConnects(ctx context.Context, version, module, pin string) error {
	path, err := programs.Module(module)
	if err != nil {
		return err
	}
	_, url, err := signingPair(ctx)
	if err != nil {
		return err
	}
	if _, err := lend(ctx); err != nil {
		return err
	}
	return connects(ctx, programs.Call{Name: "gnutls-cli", Env: []string{"GNUTLS_PIN=" + pin}, Args: []string{
		"--logfile", "gnutls.log", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS" + version,
		"--provider", path, "--x509cafile", caFile,
		"--x509certfile", url + "cert", "--x509keyfile", url + "private", "-p", "PORT", "localhost",
	}})
}

// engine makes openssl load the PKCS#11 engine of libengine-pkcs11-openssl. The module shows private
// keys to those who have not logged in, too, so that the engine must be told to log in.
const engine = `openssl_conf = conf
[conf]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
engine_id = pkcs11
MODULE_PATH = %s
PIN = %s
FORCE_LOGIN = EMPTY
init = 0
`

func opensslConnects(ctx context.Context, version, module string) error {
	path, err := programs.Module(module)
	if err != nil {
		return err
	}
	if _, err := programs.Module("engine"); err != nil {
		return err
	}
	pair, url, err := signingPair(ctx)
	if err != nil {
		return err
	}
	pin := scene.From(ctx).Card.Held.Plan.PIN
	if err := put(ctx, "engine.cnf", fmt.Appendf(nil, engine, path, pin)); err != nil {
		return err
	}
	cert, err := putCertificate(ctx, "certificate", pair.Certificate.Raw)
	if err != nil {
		return err
	}
	if _, err := lend(ctx); err != nil {
		return err
	}
	// The engine would pad for PSS and the module pad again: it must be told to use the old form.
	flags := map[string][]string{
		"1.2": {"-tls1_2", "-client_sigalgs", "RSA+SHA256"}, "1.3": {"-tls1_3"},
	}[version]
	return connects(ctx, programs.Call{
		Name: "openssl", Env: []string{"OPENSSL_CONF=engine.cnf"}, Args: append([]string{
			"s_client", "-connect", "ADDRESS", "-CAfile", caFile, "-cert", cert, "-engine", "pkcs11",
			"-keyform", "engine", "-key", url + "private", "-ign_eof",
		}, flags...),
	})
}

func letIn(ctx context.Context, version string) error {
	pair, _, err := signingPair(ctx)
	if err != nil {
		return err
	}
	s := from(ctx).server
	s.mu.Lock()
	defer s.mu.Unlock()
	want := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[version]
	switch {
	case len(s.guests) != 1:
		err = fmt.Errorf("it has let in %d (%w)", len(s.guests), errors.Join(s.err))
	case !bytes.Equal(s.guests[0].certificate, pair.Certificate.Raw):
		err = errors.New("it has let somebody else in")
	case s.guests[0].version != want:
		err = fmt.Errorf("over %s", tls.VersionName(s.guests[0].version))
	case !bytes.Contains(from(ctx).last.Stdout, []byte(greeting)):
		err = errors.New("the program does not show the server's greeting")
	default:
		return nil
	}
	return blame(ctx, fmt.Errorf("%w\n%s", err, from(ctx).last))
}

func letNobodyIn(ctx context.Context) error {
	s := from(ctx).server
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.guests) > 0 {
		return blame(ctx, fmt.Errorf("it has let in %d\n%s", len(s.guests), from(ctx).last))
	}
	return nil
}

// turnedAway waits for the server, which may hear of it later than the visitor, to say why.
func turnedAway(ctx context.Context, why string) error {
	s := from(ctx).server
	err := scene.Eventually(ctx, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.guests) > 0 {
			return fmt.Errorf("it has let in %d", len(s.guests))
		}
		if s.err == nil {
			return errors.New("nobody has come")
		}
		if !strings.Contains(s.err.Error(), why) {
			return fmt.Errorf("it says: %w", s.err)
		}
		return nil
	})
	if err != nil {
		return blame(ctx, fmt.Errorf("%w\n%s", err, from(ctx).last))
	}
	return nil
}
