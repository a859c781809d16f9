package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"tokenwright/features/lab"
	"tokenwright/fixtures/ldap"
	"tokenwright/tms/instance"
)

// aMoment is how long a start may take without a word.
const aMoment = time.Second

// options are the command line's.
type options struct {
	listen, dir, level string
	json               bool
}

func (o *options) flags(f *pflag.FlagSet) {
	f.StringVar(&o.listen, "listen", "127.0.0.1:8443",
		"loopback `host:port` of the TPS; TKS, KRA, CA, and what the CA publishes, take the next four ports")
	f.StringVar(&o.dir, "dir", "", "`directory` that keeps the instance; made if it does not exist")
	f.StringVar(&o.level, "log-level", "warn", "least level that is logged: debug, info, warn, error")
	f.BoolVar(&o.json, "json", false, "print addresses and users as one line of JSON")
}

// port is that of the TPS.
func (o *options) port() (int, error) {
	host, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return 0, usageError{fmt.Errorf("--listen %q: want host:port", o.listen)}
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0, usageError{fmt.Errorf("--listen %q: not a loopback address, "+
			"and the passwords here are public", o.listen)}
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > lastPort {
		return 0, usageError{fmt.Errorf("--listen %q: want a port from 1 to %d", o.listen, lastPort)}
	}
	return n, nil
}

// serve makes or opens the instance, prints what there is, and runs until ctx ends.
func serve(ctx context.Context, o options, out, errOut io.Writer) (err error) {
	first, err := o.port()
	if err != nil {
		return err
	}
	p := portsFrom(first)
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.level)); err != nil {
		return usageError{fmt.Errorf("--log-level %q: want debug, info, warn or error", o.level)}
	}
	dir, remove, err := o.instanceDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	patience := time.AfterFunc(aMoment, func() {
		_, _ = fmt.Fprintln(errOut, "Starting; the first time, keys and certificates are made ...")
	})
	defer patience.Stop()
	if err := makeOnce(ctx, dir, p); err != nil {
		return err
	}
	users, err := ldap.Users()
	if err != nil {
		return err
	}
	directory, err := lab.StartDirectory("127.0.0.1:0", users)
	if err != nil {
		return err
	}
	defer directory.Close()
	inst, err := instance.Open(ctx, dir, instance.Options{
		Override: config(directory.Port(), p),
		Log:      slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: level})),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, inst.Close()) }()
	if err := inst.Listen(ctx); err != nil {
		return err
	}
	patience.Stop()
	if err := greet(out, o.json, newGreeting(dir, p, users)); err != nil {
		return err
	}
	return inst.Serve(ctx)
}

// instanceDir is where the instance is, or will be, and how to clean up afterwards.
func (o *options) instanceDir() (string, func() error, error) {
	if o.dir != "" {
		dir, err := filepath.Abs(o.dir)
		return dir, func() error { return nil }, err
	}
	parent, err := os.MkdirTemp("", "tmsdev-")
	return filepath.Join(parent, "instance"), func() error { return os.RemoveAll(parent) }, err
}

// makeOnce makes the instance unless it is there, and what it lacks.
func makeOnce(ctx context.Context, dir string, p ports) error {
	err := lab.MakeInstance(ctx, dir, p.tps, p.tks)
	if errors.Is(err, instance.ErrExists) {
		if _, serr := instance.Subsystems(dir); serr != nil {
			return fmt.Errorf("%s is neither empty nor an instance: %w", dir, serr)
		}
		err = nil
	}
	if err != nil {
		return err
	}
	return completeInstance(ctx, dir, p)
}

// config is that of the laboratory, at the addresses of this run.
func config(directoryPort int, p ports) map[string]map[string]string {
	c := lab.Config(directoryPort)
	atPorts(c, p)
	return c
}

func addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
