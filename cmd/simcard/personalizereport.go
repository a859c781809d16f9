package main

import (
	"encoding/json"
	"fmt"
	"io"

	"tokenwright/tms/coolkey/content"
)

// made says what was made. A PIN that the caller chose is not in it.
type made struct {
	State   string    `json:"state"`
	Stock   string    `json:"stock"`
	CUID    string    `json:"cuid"`
	Applet  string    `json:"applet"`
	User    string    `json:"user"`
	PIN     string    `json:"defaultPin,omitempty"`
	Objects string    `json:"objects"`
	Version *uint16   `json:"objectVersion,omitempty"`
	Issuer  string    `json:"issuer"`
	CA      string    `json:"ca,omitempty"`
	Keys    []madeKey `json:"keys"`
}

// madeKey is one key pair on the card.
type madeKey struct {
	Purpose     string `json:"purpose"`
	Kind        string `json:"kind"`
	OnCard      bool   `json:"onCard"`
	Container   int    `json:"container"`
	PrivateSlot int    `json:"privateSlot"`
	PublicSlot  int    `json:"publicSlot"`
	Label       string `json:"label"`
	Certificate string `json:"certificate,omitempty"`

	der []byte
}

func (p *personalization) made() *made {
	m := &made{
		State: p.state, Stock: p.stock.Name, CUID: p.card.CUID().String(), Applet: p.appletVersion(),
		User: p.user, Objects: "combined", Version: &p.content.Version, Issuer: issuerURL,
	}
	if p.separate {
		m.Objects, m.Version = "separate", nil
	}
	if p.defaultPIN {
		m.PIN = defaultPIN
	}
	for i, spec := range p.keys {
		slots := content.PairSlots(spec.container)
		m.Keys = append(m.Keys, madeKey{
			Purpose: spec.purpose.name, Kind: spec.keyKind.name, OnCard: !p.imported,
			Container: spec.container, PrivateSlot: int(slots.Private), PublicSlot: int(slots.Public),
			Label: spec.label(p.user), der: p.content.Certificates[i].DER,
		})
	}
	return m
}

func (m *made) json(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(m)
}

func (m *made) text(out io.Writer) error {
	pin := "as you gave it"
	login := "-l"
	if m.PIN != "" {
		pin, login = m.PIN+" (--pin-file or --pin-stdin for another)", "-l -p "+m.PIN
	}
	w := &printer{out: out}
	w.line("%s: %s's token, CUID %s, applet %s", m.Stock, m.User, m.CUID, m.Applet)
	w.line("state  %s", m.State)
	w.line("PIN    %s", pin)
	for _, k := range m.Keys {
		w.line("key    %-14s %-8s slots %d and %d, %q %s", k.Purpose, k.Kind, k.PrivateSlot, k.PublicSlot,
			k.Label, k.Certificate)
	}
	if m.CA != "" {
		w.line("CA     %s", m.CA)
	} else {
		w.line("CA     thrown away with its certificate (--cert-out DIR keeps the certificate)")
	}
	w.line("\nNext:")
	w.line("  simcard run --state %s", m.State)
	w.line("and in another terminal:")
	w.line("  pkcs11-tool --module /usr/lib/pkcs11/libcoolkeypk11.so %s -O", login)
	return w.err
}

// printer writes lines until one fails.
type printer struct {
	out io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}
