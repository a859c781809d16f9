package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"tokenwright/fixtures/applets"
	"tokenwright/tms/instance"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
)

// caName is the certificate authority of the development server.
const caName = "ca1"

// agents are its recovery agents; two must approve what is recovered for anybody but the owner.
var agents = []string{"ann", "bob"}

// quick opens key stores at once: their passphrases are long and random, and lie beside them.
var quick = soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}

// ports are where the parts listen, beside one another from that of the TPS on.
type ports struct{ tps, tks, kra, ca, public int }

// lastPort leaves room for the others.
const lastPort = 65535 - 4

func portsFrom(tps int) ports { return ports{tps, tps + 1, tps + 2, tps + 3, tps + 4} }

// completeInstance adds what an instance lacks, because it is new, or was made by an earlier tmsdev,
// or because making it was cut off: load files, the authorities, and that TPS and TKS know of them.
func completeInstance(ctx context.Context, dir string, p ports) error {
	if err := writeApplets(filepath.Join(dir, instance.TPS, "applets")); err != nil {
		return err
	}
	_, err := instance.CreateCA(ctx, dir, instance.CAOptions{Name: caName, Key: keystore.P256,
		Host: "127.0.0.1", Listen: addr(p.ca), PublicListen: addr(p.public), Cost: quick})
	if err != nil && !errors.Is(err, instance.ErrExists) {
		return err
	}
	_, err = instance.CreateKRA(ctx, dir, instance.KRAOptions{Host: "127.0.0.1", Listen: addr(p.kra),
		Agents: agents, Approvals: len(agents), Cost: quick})
	if err != nil && !errors.Is(err, instance.ErrExists) {
		return err
	}
	return errors.Join(instance.ConnectCA(dir, caName), instance.ConnectKRA(dir))
}

// writeApplets writes the load files that are missing or torn.
func writeApplets(dir string) error {
	for _, v := range applets.Versions() {
		want, err := applets.File(v)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, v+".ijc")
		if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, want) {
			continue
		}
		if err := os.WriteFile(path, want, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// atPorts puts the parts where this run has them, whatever ports the instance was made for, and lets
// people try all operations: encryption keys come from the KRA and are archived, certificates may be
// renewed, and PINs reset.
func atPorts(c map[string]map[string]string, p ports) {
	tps := c[instance.TPS]
	tps["service.listen"] = addr(p.tps)
	for id, port := range map[string]int{"tks1": p.tks, caName: p.ca, "kra1": p.kra} {
		tps["tps.connector."+id+".host"] = "127.0.0.1"
		tps["tps.connector."+id+".port"] = strconv.Itoa(port)
	}
	for _, typ := range []string{"userKey", "userKeyTemporary", "soKey", "soKeyTemporary"} {
		tps["op.enroll."+typ+".keyGen.encryption.serverKeygen.enable"] = "true"
	}
	tps["tokendb.defaultPolicy"] = "RE_ENROLL=YES;RENEW=YES;FORCE_FORMAT=NO;PIN_RESET=YES;" +
		"RESET_PIN_RESET_TO_NO=NO"
	c[instance.TKS] = map[string]string{"service.listen": addr(p.tks)}
	c[instance.KRA] = map[string]string{"service.listen": addr(p.kra)}
	c[caName] = map[string]string{"service.listen": addr(p.ca), "publish.listen": addr(p.public),
		"ca.url": publicURL(p)}
}

// publicURL is where everybody gets certificates, lists, and OCSP answers.
func publicURL(p ports) string { return "http://" + addr(p.public) }
