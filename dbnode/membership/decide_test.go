package membership

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/replica"
	"github.com/dyad-db/dyad/pkg/register"
)

// TestDecide: what a node that is not yet admitted makes of what its peers said.
func TestDecide(t *testing.T) {
	at := func(time int64) register.Ballot { return register.Ballot{Time: time} }
	life := func(incarnation uint32, boots, start uint64) replica.Life {
		l := replica.Life{Incarnation: incarnation, Boots: boots, Beat: 10 * boots, Recognized: true}
		for n := range boots { // each start has a number of its own; the last one is given
			l.Starts[(n+1)%16] = 11 * (n + 1)
		}
		if boots > 0 {
			l.Starts[boots%16] = start
		}
		return l
	}
	blank, own, joining := replica.Life{}, life(1, 4, 44), life(2, 1, 9)
	joining.Joining = true
	beaten, copied := own, life(1, 5, 55)
	beaten.Beat++
	copied.Beat = own.Beat - 1
	fresh, freshJoining := own, joining
	fresh.Recognized, freshJoining.Recognized = false, false
	knew := func(l replica.Life) Welcome { return Welcome{Before: l, Voting: true} }
	fence := func(b ...register.Ballot) Welcome { return Welcome{Before: joining, Voting: true, Fences: b} }
	mute := fence(at(1), at(2))
	mute.Voting = false
	for name, c := range map[string]struct {
		own   replica.Life
		peers []Welcome
		want  action
	}{
		"blank, alone":                         {blank, nil, action{kind: wait}},
		"blank, one peer":                      {blank, []Welcome{knew(blank)}, action{kind: wait}},
		"blank, new to both":                   {blank, []Welcome{knew(blank), knew(blank)}, action{kind: form}},
		"blank, known to one":                  {blank, []Welcome{knew(blank), knew(life(3, 7, 1))}, action{kind: rejoin, incarnation: 4}},
		"blank, the higher incarnation":        {blank, []Welcome{knew(life(5, 1, 1)), knew(life(3, 7, 1))}, action{kind: rejoin, incarnation: 6}},
		"no peer":                              {own, nil, action{kind: wait}},
		"known as it is":                       {own, []Welcome{knew(own)}, action{kind: admit}},
		"known as it was":                      {own, []Welcome{knew(life(1, 3, 33))}, action{kind: admit}},
		"recorded for the first time":          {fresh, []Welcome{knew(life(1, 3, 33))}, action{kind: recognize}},
		"recorded before, unheard":             {fresh, []Welcome{knew(fresh)}, action{kind: recognize}},
		"recorded, joining":                    {freshJoining, []Welcome{fence(at(1), at(7)), fence(at(3), at(2))}, action{kind: recognize}},
		"not recorded, but another start":      {fresh, []Welcome{knew(life(1, 4, 45))}, action{kind: setAside}},
		"not recorded, but another recognized": {fresh, []Welcome{knew(beaten)}, action{kind: setAside}},
		"a later start is known":               {own, []Welcome{knew(own), knew(life(1, 5, 55))}, action{kind: setAside}},
		"another start of that number":         {own, []Welcome{knew(life(1, 3, 33)), knew(life(1, 4, 45))}, action{kind: setAside}},
		"an earlier start of another copy":     {own, []Welcome{knew(life(1, 3, 34))}, action{kind: setAside}},
		"more was written since":               {own, []Welcome{knew(beaten)}, action{kind: setAside}},
		"less was written before":              {beaten, []Welcome{knew(own)}, action{kind: admit}},
		"a later start, but less was written":  {copied, []Welcome{knew(own)}, action{kind: setAside}},
		"a later disk is known":                {own, []Welcome{knew(life(2, 1, 1))}, action{kind: setAside}},
		"joining, one peer":                    {joining, []Welcome{fence(at(1), at(2))}, action{kind: wait}},
		"joining, and so is a peer":            {joining, []Welcome{fence(at(1), at(2)), mute}, action{kind: wait}},
		"joining, no fence":                    {joining, []Welcome{fence(at(1), at(2)), fence()}, action{kind: wait}},
		"joining behind the fences of both":    {joining, []Welcome{fence(at(1), at(7)), fence(at(3), at(2))}, action{kind: raise, fences: []register.Ballot{at(3), at(7)}}},
		"joining, and rebuilt while it asked":  {joining, []Welcome{knew(life(2, 1, 9)), knew(joining)}, action{kind: wait}},
	} {
		require.Equal(t, c.want, decide(c.own, false, c.peers), name)
	}
	rebuilt := joining
	rebuilt.Joining, rebuilt.Beat = false, joining.Beat+1
	require.Equal(t, action{}, decide(rebuilt, true, []Welcome{knew(rebuilt)}), "a peer heard of the end of its rebuild first")
	require.Equal(t, action{}, decide(own, true, []Welcome{knew(own)}))
	require.Equal(t, action{kind: setAside}, decide(own, true, []Welcome{knew(life(1, 5, 55))}), "even once it is admitted")
}
