package routing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cucumber/godog"

	"tokenwright/features/loopback"
	"tokenwright/features/steps/scene"
	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/instance"
	"tokenwright/tms/store"
	"tokenwright/tms/token"
)

// addReconcileSteps registers the steps about tms reconcile.
func addReconcileSteps(sc *godog.ScenarioContext) {
	sc.Before(func(ctx context.Context, _ *godog.Scenario) (context.Context, error) {
		return context.WithValue(ctx, key{}, &compared{}), nil
	})
	sc.Step(`^the operator runs "tms ([^"]*)"$`, runs)
	sc.Step(`^the operator runs "tms ([^"]*)" where only the TPS is$`, runsElsewhere)
	sc.Step(`^the operator runs "tms ([^"]*)" where only the TPS is, asking (ca\d) and kra1 as "([^"]*)"$`, runsAsking)
	sc.Step(`^it says that it asked "([^"]*)" only about what is on record$`, saysUnlisted)
	sc.Step(`^it ends with exit code (\d+)$`, exited)
	sc.Step(`^it finds no difference$`, findsNothing)
	sc.Step(`^it finds the differences$`, finds)
	sc.Step(`^it says that "([^"]*)" did not answer$`, saysUnreachable)
	sc.Step(`^the operator (revokes|holds) the "([^"]*)" certificate at "([^"]*)" by hand$`, byHand)
	sc.Step(`^the record of the "([^"]*)" certificate says (revoked|active)$`, recordSays)
	sc.Step(`^the record of the "([^"]*)" certificate is lost$`, recordLost)
	sc.Step(`^the certificate without a record is (valid|revoked) at "([^"]*)"$`, lostIs)
	sc.Step(`^"([^"]*)" has issued a certificate for a token of another database$`, foreign)
	sc.Step(`^the connection to "([^"]*)" leads to where nobody answers$`, leadsNowhere)
	sc.Step(`^the operator wants encryption keys archived from now on$`, archiveFromNow)
	sc.Step(`^the record of the "([^"]*)" certificate names key "([^"]*)"$`, recordsKey)
	sc.Step(`^the record of the "([^"]*)" certificate names the archived key again$`, recordsRightKey)
}

// compared is what the last run of tms said, and what a scenario remembers.
type compared struct {
	out, errOut string
	code        int
	lost        string // serial number of the certificate whose record was lost
	key         string
}

type key struct{}

func from(ctx context.Context) *compared { return ctx.Value(key{}).(*compared) }

// tmsBinary names a tms to take instead of building one.
const tmsBinary = "TMS_BINARY"

// building has one scenario build the command while others wait for it.
var building sync.Mutex

// command gives the real command, built beside the sites, which are removed together.
func command(ctx context.Context, beside string) (string, error) {
	if path := os.Getenv(tmsBinary); path != "" {
		return path, nil
	}
	building.Lock()
	defer building.Unlock()
	path := filepath.Join(filepath.Dir(beside), "tms-command")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "tokenwright/cmd/tms").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building tms (%s can name one): %w\n%s", tmsBinary, err, out)
	}
	return path, nil
}

// patience bounds one run of the command.
const patience = time.Minute

// runs runs tms on the site's directory.
func runs(ctx context.Context, line string) error {
	_, s, err := running(ctx)
	if err != nil {
		return err
	}
	path, err := command(ctx, s.Dir())
	if err != nil {
		return err
	}
	return runIn(ctx, path, s.Dir(), strings.Fields(line))
}

// runIn runs tms on a directory.
func runIn(ctx context.Context, path, dir string, args []string) error {
	args = append(args, "--dir", dir, "--json")
	ctx2, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx2, path, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("running tms: %w", err)
	}
	st := from(ctx)
	st.out, st.errOut, st.code = out.String(), errOut.String(), cmd.ProcessState.ExitCode()
	return nil
}

// tpsAlone is a place where the site's TPS is, and its authorities are not.
func tpsAlone(dir string) (string, error) {
	alone, err := os.MkdirTemp(filepath.Dir(dir), "tps-alone-")
	if err != nil {
		return "", err
	}
	for _, name := range []string{instance.TPS, instance.TKS, "ca"} {
		if err := os.Symlink(filepath.Join(dir, name), filepath.Join(alone, name)); err != nil {
			return "", err
		}
	}
	return alone, nil
}

func runsElsewhere(ctx context.Context, line string) error {
	return runElsewhere(ctx, strings.Fields(line))
}

func runElsewhere(ctx context.Context, args []string) error {
	_, s, err := running(ctx)
	if err != nil {
		return err
	}
	path, err := command(ctx, s.Dir())
	if err != nil {
		return err
	}
	alone, err := tpsAlone(s.Dir())
	if err != nil {
		return err
	}
	return runIn(ctx, path, alone, args)
}

// looker is the recovery agent who may look at a CA, too.
const looker = "ann"

// runsAsking lets one recovery agent look at a CA, too, and runs the command in the name of one.
func runsAsking(ctx context.Context, line, name, agent string) error {
	_, s, err := running(ctx)
	if err != nil {
		return err
	}
	port, err := loopback.Port()
	if err != nil {
		return err
	}
	err = errors.Join(s.Stop(name), s.Set(name, map[string]string{
		"admin.listen": loopback.Addr(port), "admin.users.list": looker,
		"admin.users." + looker + ".subject": "CN=agent " + looker + ",O=tokenwright",
		"admin.users." + looker + ".roles":   "operator",
	}))
	if err != nil {
		return err
	}
	if err := s.Start(ctx, name); err != nil {
		return err
	}
	kra, err := s.Get(instance.KRA, "service.listen")
	if err != nil {
		return err
	}
	return runElsewhere(ctx, append(strings.Fields(line),
		"--ask", name+"=https://"+loopback.Addr(port), "--ask", "kra1=https://"+kra,
		"--as", filepath.Join(s.Dir(), "kra-agents", agent)))
}

func saysUnlisted(ctx context.Context, name string) error {
	r, err := said(ctx)
	if err == nil && !slices.Contains(r.Summary.Unlisted, name) {
		err = errors.New(from(ctx).out)
	}
	return err
}

func exited(ctx context.Context, want int) error {
	if st := from(ctx); st.code != want {
		return fmt.Errorf("it ended with exit code %d\n%s\n%s", st.code, st.out, st.errOut)
	}
	return nil
}

// report is what tms reconcile --json writes.
type report struct {
	Differences []map[string]any `json:"differences"`
	Summary     struct {
		Records, Certificates, Keys, Differences, Mended, Left int
		Complete                                               bool
		Unreachable, Unlisted                                  []string
	} `json:"summary"`
}

func said(ctx context.Context) (r report, err error) {
	st := from(ctx)
	if err := json.Unmarshal([]byte(st.out), &r); err != nil {
		return r, fmt.Errorf("%w\n%s\n%s", err, st.out, st.errOut)
	}
	if len(r.Differences) != r.Summary.Differences {
		return r, fmt.Errorf("the summary counts %d differences\n%s", r.Summary.Differences, st.out)
	}
	return r, nil
}

// findsNothing wants it to have looked at something, too.
func findsNothing(ctx context.Context) error {
	r, err := said(ctx)
	if err == nil && (len(r.Differences) > 0 || r.Summary.Certificates+r.Summary.Records == 0) {
		err = errors.New(from(ctx).out)
	}
	return err
}

// finds wants exactly these, in any order. Columns are the names of fields.
func finds(ctx context.Context, want *godog.Table) error {
	r, err := said(ctx)
	if err != nil {
		return err
	}
	var lines, got []string
	names := want.Rows[0].Cells
	for _, row := range want.Rows[1:] {
		var cells []string
		for _, c := range row.Cells {
			cells = append(cells, c.Value)
		}
		lines = append(lines, strings.Join(cells, " | "))
	}
	for _, d := range r.Differences {
		var cells []string
		for _, n := range names {
			value := d[n.Value]
			if value == nil {
				value = ""
			}
			cells = append(cells, fmt.Sprint(value))
		}
		got = append(got, strings.Join(cells, " | "))
	}
	slices.Sort(lines)
	slices.Sort(got)
	if !slices.Equal(lines, got) {
		return fmt.Errorf("it finds\n%s\n%s", strings.Join(got, "\n"), from(ctx).out)
	}
	return nil
}

func saysUnreachable(ctx context.Context, name string) error {
	r, err := said(ctx)
	if err == nil && (r.Summary.Complete || !slices.Contains(r.Summary.Unreachable, name)) {
		err = errors.New(from(ctx).out)
	}
	return err
}

// byHand has the CA's own operator change a certificate, with the real command.
func byHand(ctx context.Context, how, keyType, name string) error {
	rec, err := held(ctx, scene.From(ctx).Card, keyType)
	if err != nil {
		return err
	}
	verb := map[string]string{"revokes": "revoke", "holds": "hold"}[how]
	if err := runs(ctx, "ca "+verb+" "+name+" "+rec.Serial); err != nil {
		return err
	}
	return exited(ctx, 0)
}

func recordSays(ctx context.Context, keyType, status string) error {
	rec, err := held(ctx, scene.From(ctx).Card, keyType)
	if err != nil {
		return err
	}
	return edit(ctx, rec.CUID, func(c *store.Change) {
		c.Mark = []store.CertMark{{CertID: rec.CertID, Status: token.CertStatus(status)}}
	})
}

func recordLost(ctx context.Context, keyType string) error {
	rec, err := held(ctx, scene.From(ctx).Card, keyType)
	if err != nil {
		return err
	}
	from(ctx).lost = rec.Serial
	return edit(ctx, rec.CUID, func(c *store.Change) { c.Drop = []token.CertID{rec.CertID} })
}

// edit changes the token database as nobody should.
func edit(ctx context.Context, cuid keys.CUID, f func(*store.Change)) error {
	l, err := scene.From(ctx).Lab(ctx)
	if err != nil {
		return err
	}
	c := store.Change{CUID: cuid, Actor: "harness", Why: "a scenario begins here", At: time.Now()}
	f(&c)
	_, err = l.Store().Apply(ctx, c)
	return err
}

func lostIs(ctx context.Context, state, name string) error {
	_, s, err := running(ctx)
	if err != nil {
		return err
	}
	got, err := s.Authority(name).Certificate(ctx, connector.Serial(from(ctx).lost))
	if err == nil && got.State != states[state].ca {
		err = fmt.Errorf("%s says that it is %s", name, got.State)
	}
	return err
}

func foreign(ctx context.Context, name string) error {
	_, s, err := running(ctx)
	if err != nil {
		return err
	}
	public, err := publicKey()
	if err != nil {
		return err
	}
	issued, err := s.Authority(name).Enroll(ctx, connector.EnrollRequest{
		ProfileID: "caTokenUserSigningKeyEnrollment", UserID: "alice", PublicKey: public,
		CUID: keys.CUID{0x40, 0x90, 0xFF, 1}, TokenType: "userKey",
		Attributes: map[string]string{"mail": "alice@example.org"},
	})
	from(ctx).lost = string(issued.Serial)
	return err
}

func leadsNowhere(ctx context.Context, name string) error {
	return scene.From(ctx).Reconfigure(ctx, map[string]string{
		"tps.connector." + name + ".port": "1",
	})
}

func archiveFromNow(ctx context.Context) error {
	return scene.From(ctx).Reconfigure(ctx, map[string]string{
		"op.enroll.userKey.keyGen.encryption.serverKeygen.enable": "true",
	})
}

func recordsKey(ctx context.Context, keyType, id string) error {
	rec, err := held(ctx, scene.From(ctx).Card, keyType)
	if err != nil {
		return err
	}
	from(ctx).key = rec.KeyID
	rec.KeyID = id
	return edit(ctx, rec.CUID, func(c *store.Change) { c.Certs = []token.Certificate{rec} })
}

func recordsRightKey(ctx context.Context, keyType string) error {
	rec, err := held(ctx, scene.From(ctx).Card, keyType)
	if err == nil && (rec.KeyID != from(ctx).key || rec.KRA != "kra1") {
		err = fmt.Errorf("it names key %q of %q, it was %q", rec.KeyID, rec.KRA, from(ctx).key)
	}
	return err
}
