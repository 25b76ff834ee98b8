package membership

import "github.com/dyad-db/dyad/dbnode/replica"

// Host is what answers a peer's hello; *replica.Replica does.
type Host interface {
	Hear(node int, life replica.Life, done func(replica.Heard, error))
	Admitted() bool
}

// Greet takes in the life that a peer shows, and calls done with the answer when
// that is durable.
func Greet(h Host, node int, life replica.Life, done func(Welcome, error)) {
	admitted := h.Admitted()
	h.Hear(node, life, func(heard replica.Heard, err error) {
		w := Welcome{Life: heard.Own, Voting: admitted && !heard.Own.Joining, Before: heard.Before}
		if life.Joining {
			w.Fences = heard.Fences
		}
		done(w, err)
	})
}
