package mapping_test

import (
	"fmt"
	"strings"

	"tokenwright/tms/tps/mapping"
)

// byVendor decides by the first digits of the card's unique identifier, which name its maker:
//
//	mappingResolver.vendors.class_id=byVendorResolverImpl
//	mappingResolver.vendors.prefix.4090=vendorA
//	mappingResolver.vendors.default=vendorB
type byVendor struct {
	name, prefix, keySet, rest string
}

func newByVendor(c mapping.Config, instance string) (mapping.Resolver, error) {
	base := "mappingResolver." + instance + "."
	v := byVendor{name: instance, prefix: "4090", keySet: c.String(base + "prefix.4090"),
		rest: c.String(base + "default")}
	if v.keySet == "" || v.rest == "" {
		return nil, &mapping.Error{Kind: mapping.ErrConfig, Resolver: instance,
			Detail: base + "prefix.4090 or " + base + "default is not set"}
	}
	return v, nil
}

func (v byVendor) Resolve(in mapping.Input, target mapping.Target) (mapping.Result, error) {
	if target != mapping.TargetKeySet {
		return mapping.Result{}, &mapping.Error{Kind: mapping.ErrNoMapping, Resolver: v.name,
			Detail: "it decides key sets only"}
	}
	if strings.HasPrefix(in.CUID, v.prefix) {
		return mapping.Result{Value: v.keySet, Mapping: v.prefix}, nil
	}
	return mapping.Result{Value: v.rest, Mapping: "default"}, nil
}

// A plug-in is a Go type, registered by the name that class_id has in configuration.
func ExampleRegister() {
	mapping.Register("byVendorResolverImpl", newByVendor)

	resolver, err := mapping.Builtin().New(configure("class_id=byVendorResolverImpl",
		"prefix.4090=vendorA", "default=vendorB"), "r")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, cuid := range []string{"40906145C76224192D2B", "50106145C76224192D2B"} {
		got, err := resolver.Resolve(mapping.Input{CUID: cuid}, mapping.TargetKeySet)
		fmt.Println(got.Value, err)
	}
	// Output:
	// vendorA <nil>
	// vendorB <nil>
}
