package ocsp

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	requestType  = "application/ocsp-request"
	responseType = "application/ocsp-response"
)

// Handler answers POST at a path, and GET with the question in base64 behind it. // RFC 6960 §A.1
// prefix is the path, without a slash at its end.
func (r *Responder) Handler(prefix string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.Method {
		case http.MethodPost:
			r.post(w, req)
		case http.MethodGet, http.MethodHead:
			r.get(w, req, prefix)
		default:
			w.Header().Set("Allow", "GET, HEAD, POST")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		}
	})
}

func (r *Responder) post(w http.ResponseWriter, req *http.Request) {
	kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || kind != requestType {
		http.Error(w, "want "+requestType, http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, MaxRequest))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		}
		return
	}
	a := r.answer(req.Context(), body)
	a.etag = "" // answers to POST are not kept by anybody
	r.write(w, req, a)
}

func (r *Responder) get(w http.ResponseWriter, req *http.Request, prefix string) {
	text := strings.TrimPrefix(strings.TrimPrefix(req.URL.EscapedPath(), prefix), "/")
	if len(text) > 2*MaxRequest {
		http.Error(w, "too large", http.StatusRequestURITooLong)
		return
	}
	text, err := url.PathUnescape(text)
	if err != nil {
		r.write(w, req, reply{body: answerMalformed})
		return
	}
	// Some clients leave out padding, or send '+' as a blank.
	text = strings.TrimRight(strings.ReplaceAll(text, " ", "+"), "=")
	question, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		r.write(w, req, reply{body: answerMalformed})
		return
	}
	r.write(w, req, r.answer(req.Context(), question))
}

// write sends an answer; one with an etag may be kept by others as long as it holds.
// // RFC 5019 §6
func (r *Responder) write(w http.ResponseWriter, req *http.Request, a reply) {
	head := w.Header()
	head.Set("Content-Type", responseType)
	head.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.etag == "" {
		head.Set("Cache-Control", "no-store")
	} else {
		age := max(0, a.next.Sub(r.o.Now())/2).Truncate(time.Second)
		head.Set("Cache-Control", "max-age="+strconv.Itoa(int(age/time.Second))+
			", public, no-transform, must-revalidate")
		head.Set("ETag", a.etag)
		head.Set("Last-Modified", a.this.Format(http.TimeFormat))
		head.Set("Expires", a.next.Format(http.TimeFormat))
		if req.Header.Get("If-None-Match") == a.etag {
			head.Del("Content-Length")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if req.Method != http.MethodHead {
		_, _ = w.Write(a.body) // the peer's absence shows on its side
	}
}
