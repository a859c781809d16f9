package evidence

// Relink makes the chain of a changed transcript whole again, as a forger would.
func (r *Report) Relink() {
	chain := ""
	for i := range r.Transcript {
		rec := &r.Transcript[i]
		rec.N = i + 1
		next, _, err := link(chain, *rec)
		if err != nil {
			panic(err)
		}
		rec.Chain, chain = next, next
	}
	r.Root = chain
}
