package lab

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"tokenwright/features/loopback"
	"tokenwright/tms/ca/profile"
	"tokenwright/tms/instance"
	"tokenwright/tms/keystore"
	"tokenwright/tms/keystore/soft"
)

// makeTemplate makes an instance with a CA and a KRA.
func makeTemplate(ctx context.Context, dir string) error {
	ports := map[string]int{}
	for _, name := range []string{instance.TPS, instance.TKS, instance.KRA, instance.CA, "public"} {
		port, err := loopback.Port()
		if err != nil {
			return err
		}
		ports[name] = port
	}
	if err := MakeInstance(ctx, dir, ports[instance.TPS], ports[instance.TKS]); err != nil {
		return err
	}
	quick := soft.Cost{Time: 1, Memory: 8 << 10, Threads: 1}
	_, err := instance.CreateCA(ctx, dir, instance.CAOptions{
		Name: "ca1", Key: keystore.P256, Host: "127.0.0.1", Cost: quick,
		Listen: loopback.Addr(ports[instance.CA]), PublicListen: loopback.Addr(ports["public"]),
	})
	if err != nil {
		return err
	}
	if err := fewProfiles(filepath.Join(dir, "ca1", "profiles")); err != nil {
		return err
	}
	_, err = instance.CreateKRA(ctx, dir, instance.KRAOptions{
		Host: "127.0.0.1", Listen: loopback.Addr(ports[instance.KRA]), Cost: quick,
	})
	if err != nil {
		return err
	}
	return keysIn(dir).make()
}

// fewProfiles leaves a CA with what a person's token needs: it tries out each profile with each kind of
// key whenever it starts.
func fewProfiles(dir string) error {
	all, err := profile.Defaults()
	if err != nil {
		return err
	}
	for _, id := range all.IDs() {
		more := "enable=false"
		switch {
		case strings.HasPrefix(id, "caTokenUserSigningKey"), strings.HasPrefix(id, "caTokenUserEncryptionKey"):
			if strings.HasSuffix(id, "Renewal") {
				continue
			}
			more = "key.types=p256, rsa2048"
		}
		text, err := os.ReadFile(filepath.Join(dir, "examples", id+".cfg"))
		if err != nil {
			return err
		}
		text = append(text, "\n"+more+"\n"...)
		if err := os.WriteFile(filepath.Join(dir, id+".cfg"), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func keysIn(dir string) keyStock { return keyStock{filepath.Join(dir, "primes.json")} }
