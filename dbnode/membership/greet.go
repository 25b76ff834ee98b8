package membership

import "github.com/dyad-db/dyad/dbnode/replica"

// Host is what answers a peer's hello; *replica.Replica does.
type Host interface {
	Hear(node int, life replica.Life, done func(replica.Heard, error))
	Votes() bool // admitted, and not about to give up its disk
}

// Greet takes in the life that a peer shows, and calls done with the answer when
// that is durable.
func Greet(h Host, node int, life replica.Life, done func(Welcome, error)) {
	votes := h.Votes()
	h.Hear(node, life, func(heard replica.Heard, err error) {
		w := Welcome{Life: heard.Own, Voting: votes && !heard.Own.Joining, Before: heard.Before}
		if life.Joining {
			w.Fences = heard.Fences
		}
		done(w, err)
	})
}
