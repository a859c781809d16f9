package tear

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"tokenwright/features/steps/bench"
	"tokenwright/features/steps/content"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
)

// operations by the words of the features.
var operations = map[string]operation{
	"putting keys":              {openISD, putKeys, keyState},
	"replacing keys":            {withTestKeys, replaceKeys, keyState},
	"deleting an application":   {withInstance, deleteInstance, contentState},
	"deleting a load file":      {withInstance, deleteFile, contentState},
	"loading a file":            {openISD, load, contentState},
	"installing an application": {withFile, install, contentState},
	"locking an application":    {withInstance, lock, contentState},
	"changing the life cycle":   {openISD, initialized, contentState},
	"a handshake":               {nothing, begun, counterState},
	"a wrong PIN":               {inApplet, wrongPIN, appletState},
	"storing data":              {openISD, store, contentState},
	"authenticating":            {begun, authenticate, counterState},
	"creating an object":        {inApplet, createObject, appletState},
	"writing an object":         {withObject, writeObject, appletState},
	"setting a PIN":             {inApplet, setPIN, appletState},
	"making a key pair":         {inApplet, makeKeys, appletState},
}

func openISD(ctx context.Context, j *job) (err error) {
	if _, err = j.SelectISD(ctx); err == nil {
		j.channel, err = j.Open(ctx, 0, scp.CMAC)
	}
	return err
}

// send sends a command that has to succeed.
func send(ctx context.Context, j *job, cmd apdu.Command) error {
	a, err := j.channel.Send(ctx, cmd)
	if err == nil {
		err = errors.Join(a.Protection, a.Resp.Err())
	}
	return err
}

func put(ctx context.Context, j *job, old, kvn keys.KVN) error {
	set, err := j.TestSet(kvn)
	if err != nil {
		return err
	}
	cmd, err := j.channel.PutKey(old, set)
	if err != nil {
		return err
	}
	return send(ctx, j, cmd)
}

func putKeys(ctx context.Context, j *job) error { return put(ctx, j, 0, bench.TestKVN) }

func withTestKeys(ctx context.Context, j *job) error {
	if err := openISD(ctx, j); err != nil {
		return err
	}
	if err := putKeys(ctx, j); err != nil {
		return err
	}
	if _, err := j.SelectISD(ctx); err != nil {
		return err
	}
	var err error
	j.channel, err = j.Open(ctx, bench.TestKVN, scp.CMAC)
	return err
}

func replaceKeys(ctx context.Context, j *job) error {
	return put(ctx, j, bench.TestKVN, bench.OtherKVN)
}

// keyState tries each version that there may be by a whole handshake: a mixed set would open nothing,
// or answer another cryptogram.
func keyState(ctx context.Context, j *job) ([]string, error) {
	var out []string
	for _, kvn := range []keys.KVN{j.Base.KVN, bench.TestKVN, bench.OtherKVN} {
		if _, err := j.SelectISD(ctx); err != nil {
			return nil, err
		}
		c, err := j.Open(ctx, kvn, scp.CMAC|scp.CDEC)
		switch {
		case errors.Is(err, apdu.SW6A88):
			out = append(out, kvn.String()+" absent")
			continue
		case err != nil:
			return nil, fmt.Errorf("key version %s: %w", kvn, err)
		}
		if _, err := c.Registry(ctx, gp.ScopeISD); err != nil {
			return nil, fmt.Errorf("key version %s: %w", kvn, err)
		}
		out = append(out, kvn.String()+" opens")
	}
	rest, err := contentState(ctx, j)
	return append(out, rest...), err
}

func contentState(ctx context.Context, j *job) ([]string, error) {
	out, err := j.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if j.Facts["resources"] == "true" {
		resp, err := j.Do(ctx, gp.GetData{Tag: 0xFF21, Ne: apdu.MaxShortNe}.Command())
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("memory %X", resp.Data))
	}
	return out, nil
}

func withFile(ctx context.Context, j *job) error {
	if err := openISD(ctx, j); err != nil {
		return err
	}
	return load(ctx, j)
}

func load(ctx context.Context, j *job) error { return content.Load(ctx, j.Bench, j.channel) }

func install(ctx context.Context, j *job) error {
	return content.InstallApplet(ctx, j.Bench, j.channel)
}

func withInstance(ctx context.Context, j *job) error {
	if err := withFile(ctx, j); err != nil {
		return err
	}
	return install(ctx, j)
}

func deleteInstance(ctx context.Context, j *job) error {
	return send(ctx, j, gp.Delete{AID: coolkey.AppletAID, Ne: apdu.MaxShortNe}.Command())
}

func deleteFile(ctx context.Context, j *job) error {
	return send(ctx, j, gp.Delete{AID: coolkey.PackageAID, Related: true, Ne: apdu.MaxShortNe}.Command())
}

func lock(ctx context.Context, j *job) error {
	return send(ctx, j, gp.SetStatus{
		Scope: gp.ScopeApplications, State: byte(gp.AppLocked), AID: coolkey.AppletAID,
	}.Command())
}

// initialized takes the next state of a card that is not secured yet, and locks one that is.
func initialized(ctx context.Context, j *job) error {
	state := gp.CardInitialized
	if j.Facts["life"] == "15" {
		state = gp.CardLocked
	}
	return send(ctx, j, gp.SetStatus{Scope: gp.ScopeISD, State: byte(state)}.Command())
}

func store(ctx context.Context, j *job) error {
	return send(ctx, j, apdu.Command{
		CLA: 0x80, INS: gp.INSStoreData, P1: 0x90, Data: []byte{0x42, 0x04, 1, 2, 3, 4, 0x45, 0x04, 5, 6, 7, 8},
	})
}

func nothing(context.Context, *job) error { return nil }

func wrongPIN(ctx context.Context, j *job) error {
	resp, err := j.Do(ctx, apdu.Command{CLA: 0xB0, INS: coolkey.INSVerifyPIN, Data: []byte("0000")})
	if err == nil && resp.SW != apdu.SW9C02 {
		err = fmt.Errorf("VERIFY PIN with a wrong PIN: %w", resp.SW)
	}
	return err
}

func begun(ctx context.Context, j *job) (err error) {
	j.shake, err = j.Initialize(ctx, 0)
	return err
}

func authenticate(ctx context.Context, j *job) error {
	_, err := j.Authenticate(ctx, j.shake, scp.CMAC)
	return err
}

// counterState is the sequence counter of SCP02, which a channel counts up.
func counterState(ctx context.Context, j *job) ([]string, error) {
	resp, err := j.Do(ctx, gp.GetData{Tag: gp.TagSequenceCounter, Ne: apdu.MaxShortNe}.Command())
	return []string{fmt.Sprintf("%X", resp.Data)}, err
}

// inApplet has the applet on the card with PIN 0, and a channel to it.
func inApplet(ctx context.Context, j *job) error {
	if err := withInstance(ctx, j); err != nil {
		return err
	}
	resp, err := j.Do(ctx, gp.Select{AID: coolkey.AppletAID}.Command())
	if err = errors.Join(err, resp.Err()); err != nil {
		return err
	}
	if j.channel, err = j.Open(ctx, 0, scp.CMAC); err != nil {
		return err
	}
	return send(ctx, j, apdu.Command{CLA: 0x80, INS: coolkey.INSCreatePIN, P2: 3, Data: []byte("1234")})
}

var objectID = []byte{'T', 'E', 'A', 'R'}

func createObject(ctx context.Context, j *job) error {
	data := append(bytes.Clone(objectID), 0, 0, 0, 32, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)
	return send(ctx, j, apdu.Command{CLA: 0x80, INS: coolkey.INSCreateObject, Data: data})
}

func withObject(ctx context.Context, j *job) error {
	if err := inApplet(ctx, j); err != nil {
		return err
	}
	return createObject(ctx, j)
}

func writeObject(ctx context.Context, j *job) error {
	data := append(bytes.Clone(objectID), 0, 0, 0, 0, 32)
	data = append(data, bytes.Repeat([]byte{0xA5}, 32)...)
	return send(ctx, j, apdu.Command{CLA: 0x80, INS: coolkey.INSWriteObject, Data: data})
}

func setPIN(ctx context.Context, j *job) error {
	return send(ctx, j, apdu.Command{CLA: 0x80, INS: coolkey.INSSetPIN, Data: []byte("98765432")})
}

func makeKeys(ctx context.Context, j *job) error {
	plain := []byte("sixteen byte(s)!")
	var wrapped []byte
	var err error
	switch h := j.channel.Handshake; h.Variant.SCP {
	case 1:
		wrapped, err = h.Keys.DEK.EncryptECB(plain)
	case 2:
		wrapped, err = h.Session.SDEK.EncryptECB(plain)
	default:
		wrapped, err = h.Keys.DEK.EncryptCBC(nil, plain)
	}
	if err != nil {
		return err
	}
	data := binary.BigEndian.AppendUint16([]byte{coolkey.AlgorithmDES}, 1024)
	data = append(append(append(data, 0, 0, 0x10), wrapped...), 0)
	return send(ctx, j, apdu.Command{
		CLA: 0x80, INS: coolkey.INSStartEnrollment, P1: 0x00, P2: 0x01, Data: data, Ne: apdu.MaxShortNe,
	})
}

// appletState reads what the applet holds: objects with their content, keys, and what each PIN does.
func appletState(ctx context.Context, j *job) ([]string, error) {
	resp, err := j.Do(ctx, gp.Select{AID: coolkey.AppletAID}.Command())
	if err = errors.Join(err, resp.Err()); err != nil {
		return nil, err
	}
	var out []string
	for _, cmd := range []apdu.Command{
		{CLA: 0xB0, INS: coolkey.INSListObjects, Ne: 14}, {CLA: 0xB0, INS: coolkey.INSGetStatus, Ne: 16},
		{CLA: 0xB0, INS: coolkey.INSListKeys, Ne: 11}, {CLA: 0xB0, INS: coolkey.INSListKeys, P1: 1, Ne: 11},
		{CLA: 0xB0, INS: coolkey.INSReadObject, Data: append(append(bytes.Clone(objectID), 0, 0, 0, 0, 32),
			make([]byte, coolkey.NonceLen)...)},
		{CLA: 0xB0, INS: coolkey.INSGetPINTries, Ne: 1},
	} {
		resp, err := j.Do(ctx, cmd)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%02X: %X %s", cmd.INS, resp.Data, bench.SW(resp)))
	}
	for _, pin := range []string{"1234", "98765432"} {
		resp, err := j.Do(ctx, apdu.Command{CLA: 0xB0, INS: coolkey.INSVerifyPIN, Data: []byte(pin)})
		if err != nil {
			return nil, err
		}
		out = append(out, "PIN "+bench.SW(resp))
	}
	return out, nil
}
