package isd

import (
	"errors"

	"tokenwright/simcard/applet"
	"tokenwright/simcard/nvm"
	"tokenwright/simcard/registry"
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/apdu"
)

// done is the answer of content management without receipts: a confirmation of length 00.
var done = []byte{0x00}

// install answers INSTALL in all its forms (GPCS 2.3.1 §11.5).
func (d *Domain) install(cmd apdu.Command) ([]byte, error) {
	if cmd.P2 != 0 || cmd.P1&0x80 != 0 {
		return nil, apdu.SW6A86 // Neither a combined process nor a chain of commands.
	}
	switch cmd.P1 {
	case gp.InstallLoad:
		return d.installForLoad(cmd)
	case gp.InstallInstall, gp.InstallInstall | gp.InstallMakeSelectable:
		return d.installForInstall(cmd)
	case gp.InstallMakeSelectable, gp.InstallExtradition, gp.InstallPersonalization,
		gp.InstallRegistryUpdate:
		return d.installFor(cmd)
	}
	return nil, apdu.SW6A86
}

func (d *Domain) installForInstall(cmd apdu.Command) ([]byte, error) {
	in, err := gp.ParseInstallForInstall(cmd)
	if err != nil {
		return nil, applet.Refusal(err)
	}
	if len(in.Token) > 0 {
		return nil, apdu.SW6985 // No token where none is called for.
	}
	if _, err := in.Params.Nodes(); err != nil {
		return nil, apdu.SW6A80
	}
	params, ok := in.Params.App()
	if !ok {
		return nil, apdu.SW6A80 // C9 is mandatory (GPCS 2.3.1 Table 11-43).
	}
	app := registry.App{
		AID: in.Instance.Clone(), File: in.File.Clone(), Module: in.Module.Clone(),
		State: gp.AppInstalled,
	}
	if app.AID == nil {
		app.AID = app.Module
	}
	if in.MakeSelectable {
		app.State = gp.AppSelectable
	}
	copy(app.Privileges[:], in.Privileges)
	if err := d.checkPrivileges(in.Privileges); err != nil {
		return nil, err
	}
	return d.addInstance(app, in.Params, params)
}

// grantable are the privileges that an application which is no security domain may ask for (GPCS
// 2.3.1 §6.6.1). There are no further security domains on this card.
const grantable = gp.PrivCardLock | gp.PrivCardTerminate | gp.PrivCardReset | gp.PrivCVMManagement

// checkPrivileges: one application at most is selected by default after a reset.
func (d *Domain) checkPrivileges(p gp.Privileges) error {
	if p.Mask()&^grantable != 0 {
		return apdu.SW6A80
	}
	if !p.Has(gp.PrivCardReset) {
		return nil
	}
	for _, a := range d.Registry.Apps() {
		if gp.Privileges(a.Privileges[:]).Has(gp.PrivCardReset) {
			return apdu.SW6985
		}
	}
	return nil
}

func (d *Domain) addInstance(app registry.App, all gp.InstallParams, params []byte) ([]byte, error) {
	file, ok := d.Registry.File(app.File)
	if !ok {
		return nil, apdu.SW6A88
	}
	model := d.Model(file, app.Module)
	app.Size = model.Size(params)
	if n, ok := all.Size(gp.TagDataSize); ok {
		if int64(n) > int64(d.Stock.Memory.Persistent) {
			return nil, apdu.SW6A84
		}
		app.Size = max(app.Size, int(n))
	}
	if d.Stock.Quirks.InstallFails {
		return nil, apdu.SW6F00
	}
	if d.Named(app.AID) && len(app.AID) >= len(d.AID()) {
		return nil, apdu.SW6985
	}
	err := d.Registry.AddApp(app, func(tx *nvm.Tx) error {
		env := d.Env(app)
		return model.Install(env, env.Memory.In(tx), params)
	})
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, apdu.SW6A88
	case errors.Is(err, registry.ErrExists):
		return nil, apdu.SW6985
	case errors.Is(err, registry.ErrNoMemory):
		return nil, apdu.SW6A84
	case err != nil:
		return nil, err
	}
	return done, nil
}

// installFor handles the purposes that change an instance. Extradition and personalization have
// nothing to work on: there is one security domain, and no application takes STORE DATA.
func (d *Domain) installFor(cmd apdu.Command) ([]byte, error) {
	in, err := gp.ParseInstallFor(cmd)
	if err != nil {
		return nil, applet.Refusal(err)
	}
	app, ok := d.Registry.App(in.App)
	if !ok {
		return nil, apdu.SW6A88
	}
	if in.Purpose != gp.InstallMakeSelectable || len(in.Token) > 0 || app.State != gp.AppInstalled {
		return nil, apdu.SW6985
	}
	if err := d.checkPrivileges(in.Privileges); err != nil {
		return nil, err
	}
	return done, d.Registry.SetState(app.AID, gp.AppSelectable)
}

// delete answers DELETE (GPCS 2.3.1 §11.2).
func (d *Domain) delete(cmd apdu.Command) ([]byte, error) {
	del, err := gp.ParseDelete(cmd)
	if err != nil {
		return nil, applet.Refusal(err)
	}
	if del.More {
		return nil, apdu.SW6A86
	}
	if del.AID == nil {
		return done, d.channel.DeleteKeys(del.KeyID, del.KVN)
	}
	if del.AID.Equal(d.AID()) {
		return nil, apdu.SW6985
	}
	err = d.Registry.RemoveApp(del.AID)
	if errors.Is(err, registry.ErrNotFound) {
		err = d.Registry.RemoveFile(del.AID, del.Related)
	}
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, apdu.SW6A88
	case errors.Is(err, registry.ErrInUse):
		return nil, apdu.SW6985
	case err != nil:
		return nil, err
	}
	return done, nil
}
