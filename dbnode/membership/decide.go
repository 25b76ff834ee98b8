package membership

import (
	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

type kind uint8

const (
	nothing   kind = iota // all is as it should be
	wait                  // for a peer
	form                  // the first disk of a brand-new cluster
	rejoin                // on a blank disk that replaces a lost one
	setAside              // an old copy of the disk
	recognize             // this start, which a peer has recorded
	raise                 // take the fences and take part, joining
	admit                 // vote
)

type action struct {
	kind        kind
	incarnation uint32            // rejoin
	fences      []register.Ballot // raise
}

// decide says what to do next, given the own life and what the peers that
// answered said. Each of these has durably recorded the own life, unless it
// knew a later one.
func decide(own replica.Life, admitted bool, peers []Welcome) action {
	both := len(peers) == placement.Nodes-1
	var known replica.Life // the latest that a peer knew of this node
	old := false
	for _, p := range peers {
		old = old || own.OlderThan(p.Before) || own.Contradicts(p.Before)
		if known.OlderThan(p.Before) {
			known = p.Before
		}
	}
	switch {
	case old && own.Incarnation > 0:
		return action{kind: setAside}
	case own.Incarnation == 0 && !both:
		return action{kind: wait}
	case own.Incarnation == 0 && known.Incarnation == 0:
		return action{kind: form}
	case own.Incarnation == 0:
		return action{kind: rejoin, incarnation: known.Incarnation + 1}
	case admitted:
		return action{kind: nothing}
	case len(peers) == 0:
		return action{kind: wait}
	case !own.Recognized:
		return action{kind: recognize}
	case own.Joining:
		return fenced(peers, both)
	}
	return action{kind: admit}
}

// fenced waits until both peers, able to vote, have recorded the new disk, and
// takes the higher of their fences in each partition.
func fenced(peers []Welcome, both bool) action {
	if !both {
		return action{kind: wait}
	}
	var fences []register.Ballot
	for _, p := range peers {
		if !p.Voting || len(p.Fences) == 0 {
			return action{kind: wait}
		}
		if fences == nil {
			fences = append(fences, p.Fences...)
			continue
		}
		for i := range min(len(fences), len(p.Fences)) {
			fences[i] = register.Max(fences[i], p.Fences[i])
		}
	}
	return action{kind: raise, fences: fences}
}
