package ocsp

import (
	"context"
	"net/http"
	"time"
)

// Group answers for several CAs, each with a Responder of its own: a question goes to the first one
// that knows the issuer of a certificate that is asked about.
type Group []*Responder

// Handler is as that of a Responder.
func (g Group) Handler(prefix string) http.Handler { return handler(prefix, g, g.now) }

func (g Group) now() time.Time {
	if len(g) == 0 {
		return time.Now()
	}
	return g[0].o.Now()
}

// reply implements answerer.
func (g Group) reply(ctx context.Context, question []byte) reply {
	q, err := ParseRequest(question)
	if err != nil {
		return reply{body: answerMalformed}
	}
	for _, r := range g {
		if r.knows(q) {
			return r.answer(ctx, q)
		}
	}
	return reply{body: answerUnauthorized}
}
