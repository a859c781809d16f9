package enrollment

import (
	"bytes"
	"context"
	"encoding/asn1"
	"fmt"
	"slices"

	"github.com/cucumber/godog"

	"tokenwright/tms/ca/der"
)

func addNameSteps(sc *godog.ScenarioContext) {
	sc.Step(`^the "([^"]*)" certificate is for "([^"]*)"$`, isFor)
	sc.Step(`^the "([^"]*)" certificate has the mail address "([^"]*)"$`, hasMail)
	sc.Step(`^the "([^"]*)" certificate has the user principal name "([^"]*)"$`, hasPrincipal)
}

func isFor(ctx context.Context, keyType, want string) error {
	cert, err := mine(ctx, keyType)
	if err != nil {
		return err
	}
	name, err := der.DecodeName(cert.RawSubject)
	if err == nil && name.String() != want {
		err = fmt.Errorf("it is for %q", name)
	}
	return err
}

func hasMail(ctx context.Context, keyType, want string) error {
	cert, err := mine(ctx, keyType)
	if err == nil && !slices.Equal(cert.EmailAddresses, []string{want}) {
		err = fmt.Errorf("it has %q", cert.EmailAddresses)
	}
	return err
}

// principalName is the kind of name that logs in to a directory. // [MS-WCCE] §2.2.2.7.7.4
var principalName = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}

// hasPrincipal wants a certificate to have the name as the only alternative one.
func hasPrincipal(ctx context.Context, keyType, want string) error {
	cert, err := mine(ctx, keyType)
	if err != nil {
		return err
	}
	type otherName struct {
		Kind  asn1.ObjectIdentifier
		Value string `asn1:"utf8,explicit,tag:0"`
	}
	kind, err := asn1.MarshalWithParams(otherName{principalName, want}, "tag:0")
	if err != nil {
		return err
	}
	list, err := asn1.Marshal([]asn1.RawValue{{FullBytes: kind}})
	if err != nil {
		return err
	}
	for _, e := range cert.Extensions {
		if e.Id.Equal(der.OIDSubjectAltName) && bytes.Equal(e.Value, list) {
			return nil
		}
	}
	return fmt.Errorf("it does not have that name, and no other")
}
