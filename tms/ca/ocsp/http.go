package ocsp

import (
	"context"
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

// answerer is what answers questions.
type answerer interface {
	reply(ctx context.Context, question []byte) reply
}

// Handler answers POST at a path, and GET with the question in base64 behind it. // RFC 6960 §A.1
// prefix is the path, without a slash at its end.
func (r *Responder) Handler(prefix string) http.Handler { return handler(prefix, r, r.o.Now) }

func handler(prefix string, a answerer, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.Method {
		case http.MethodPost:
			post(w, req, a)
		case http.MethodGet, http.MethodHead:
			get(w, req, prefix, a, now())
		default:
			w.Header().Set("Allow", "GET, HEAD, POST")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		}
	})
}

func post(w http.ResponseWriter, req *http.Request, from answerer) {
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
	// Answers to POST are not kept by anybody.
	write(w, req, reply{body: from.reply(req.Context(), body).body}, time.Time{})
}

func get(w http.ResponseWriter, req *http.Request, prefix string, from answerer, now time.Time) {
	text := strings.TrimPrefix(strings.TrimPrefix(req.URL.EscapedPath(), prefix), "/")
	if len(text) > 2*MaxRequest {
		http.Error(w, "too large", http.StatusRequestURITooLong)
		return
	}
	text, err := url.PathUnescape(text)
	if err != nil {
		write(w, req, reply{body: answerMalformed}, now)
		return
	}
	// Some clients leave out padding, or send '+' as a blank.
	text = strings.TrimRight(strings.ReplaceAll(text, " ", "+"), "=")
	question, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		write(w, req, reply{body: answerMalformed}, now)
		return
	}
	write(w, req, from.reply(req.Context(), question), now)
}

// write sends an answer; one that says how long it holds may be kept by others. // RFC 5019 §6
func write(w http.ResponseWriter, req *http.Request, a reply, now time.Time) {
	head := w.Header()
	head.Set("Content-Type", responseType)
	head.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.next.IsZero() {
		head.Set("Cache-Control", "no-store")
	} else {
		age := max(0, a.next.Sub(now)/2).Truncate(time.Second)
		tag := etag(a.body)
		head.Set("Cache-Control", "max-age="+strconv.Itoa(int(age/time.Second))+
			", public, no-transform, must-revalidate")
		head.Set("ETag", tag)
		head.Set("Last-Modified", a.this.Format(http.TimeFormat))
		head.Set("Expires", a.next.Format(http.TimeFormat))
		if req.Header.Get("If-None-Match") == tag {
			head.Del("Content-Length")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if req.Method != http.MethodHead {
		_, _ = w.Write(a.body) // the peer's absence shows on its side
	}
}
