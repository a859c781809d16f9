package scp

import (
	"crypto/subtle"
	"fmt"

	"tokenwright/tms/gp/apdu"
)

// Unwrap checks and removes the protection of the response to the last command. The status word
// stays as it came, whatever it is; the data belongs to the caller. A wrong R-MAC or padding gives
// ErrMAC or ErrPadding and ends the session, and so does a refused EXTERNAL AUTHENTICATE, whose
// response passes as it is.
//
// Error status words come unprotected in SCP03 (AMD-D §6.2.5). In SCP02 an error response with its
// R-MAC is checked; one without is passed, since cards differ here, and the R-MAC chain goes on
// over what came (§E.4.5).
func (h *Host) Unwrap(resp apdu.Response) (apdu.Response, error) {
	const op = "unwrapping response"
	if err := h.ready(op, phaseOpen); err != nil {
		return apdu.Response{}, err
	}
	x := h.pending
	h.pending = exchangeNone
	var err error
	switch {
	case x == exchangeNone:
		return apdu.Response{}, fmt.Errorf("%s: no command waits for one: %w", op, ErrSequence)
	case x == exchangeAuth:
		if !resp.SW.OK() {
			h.End()
		}
		return resp, nil
	case h.v.SCP == 2 && x == exchangeEnd:
		resp, err = h.unwrapEnd02(resp)
	case h.v.SCP == 2 && (h.counting || x == exchangeBegin):
		resp, err = h.unwrap02(resp, x)
	case h.v.SCP == 3 && h.level.Has(RMAC):
		resp, err = h.unwrap03(resp)
	}
	if err != nil {
		return apdu.Response{}, h.fail(op, err)
	}
	h.settle(x, resp.SW)
	return resp, nil
}

// settle applies what a successful BEGIN or END R-MAC SESSION changes.
func (h *Host) settle(x exchange, sw apdu.SW) {
	if !sw.OK() {
		return
	}
	switch x {
	case exchangeBegin:
		h.level = h.base | h.next
		h.counting = h.v.SCP == 2
	case exchangeEnd:
		if h.final {
			h.level, h.counting = h.base, false
		}
	}
}

// unwrap02 checks an R-MAC that came, or counts one that is only kept for END R-MAC SESSION. The
// response to BEGIN R-MAC SESSION carries none but is the first that counts (§E.4.5, §E.5.3.3).
func (h *Host) unwrap02(resp apdu.Response, x exchange) (apdu.Response, error) {
	icv := h.rmac
	if x == exchangeBegin && !resp.SW.OK() {
		return resp, nil
	}
	var got []byte
	if h.level.Has(RMAC) && (succeeded(resp.SW) || len(resp.Data) > 0) {
		n := len(resp.Data) - macLen
		if n < 0 || n > 0 && !succeeded(resp.SW) {
			return apdu.Response{}, fmt.Errorf("%d bytes of data: %w", len(resp.Data), ErrMAC)
		}
		resp.Data, got = resp.Data[:n:n], resp.Data[n:]
	}
	want, err := rmac02(h.sk.SRMAC, icv, h.sent, resp.Data, resp.SW)
	if err != nil {
		return apdu.Response{}, err
	}
	if got != nil && subtle.ConstantTimeCompare(got, want[:]) != 1 {
		return apdu.Response{}, ErrMAC
	}
	h.rmac = want
	return resp, nil
}

// unwrapEnd02 checks the R-MAC that END R-MAC SESSION returns; the exchange itself does not count
// (§E.4.5). The R-MAC stays in the data, as the card sent it.
func (h *Host) unwrapEnd02(resp apdu.Response) (apdu.Response, error) {
	if !resp.SW.OK() {
		return resp, nil
	}
	if subtle.ConstantTimeCompare(resp.Data, h.rmac[:]) != 1 {
		return apdu.Response{}, ErrMAC
	}
	return resp, nil
}

// unwrap03 checks SCP03's R-MAC and decrypts (AMD-D §6.2.5, §6.2.7).
func (h *Host) unwrap03(resp apdu.Response) (apdu.Response, error) {
	if !succeeded(resp.SW) {
		if len(resp.Data) > 0 {
			return apdu.Response{}, fmt.Errorf("error response with %d bytes of data: %w",
				len(resp.Data), ErrMAC)
		}
		return resp, nil
	}
	n := len(resp.Data) - macLen
	if n < 0 {
		return apdu.Response{}, fmt.Errorf("%d bytes of data: %w", len(resp.Data), ErrMAC)
	}
	data, got := resp.Data[:n:n], resp.Data[n:]
	want, err := rmac03(h.sk.SRMAC, h.chain, data, resp.SW)
	if err != nil {
		return apdu.Response{}, err
	}
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return apdu.Response{}, ErrMAC
	}
	if h.level.Has(RENC) && n > 0 {
		if data, err = h.decrypt03(data); err != nil {
			return apdu.Response{}, err
		}
	}
	resp.Data = data
	return resp, nil
}

func (h *Host) decrypt03(data []byte) ([]byte, error) {
	if len(data)%16 != 0 {
		return nil, fmt.Errorf("%d encrypted bytes: %w", len(data), ErrPadding)
	}
	iv, err := counterICV(h.sk.SENC, h.counter, true)
	if err != nil {
		return nil, err
	}
	plain, err := h.sk.SENC.DecryptCBC(iv, data)
	if err != nil {
		return nil, err
	}
	out, ok := unpad80(plain, 16)
	if !ok {
		return nil, ErrPadding
	}
	return out, nil
}
