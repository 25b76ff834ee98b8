package sim

import "github.com/dyad-db/dyad/pkg/register"

// vow is what a node has told others of a key. It stands by that over all its starts,
// for as long as it has its disk: a promise that a crash breaks, or a record that
// goes, is seen here at once, and in a history only if just the right messages follow.
type vow struct {
	bar    register.Ballot // it promised, accepted or held this: what is lower it may not take any more
	held   register.Ballot // it holds this, or something later
	freed  register.Ballot // unless it is this at most: it may have been let go
	copied register.Ballot // a rebuild brought it this
	epoch  uint64          // in which it last said that it holds something
}

// vows is all that a node has told.
type vows struct {
	byKey  map[string]vow
	epochs map[epochOf]uint64 // the boot in which each was given; no disk outlives that
}

type epochOf struct {
	partition uint16
	epoch     uint64
}

func newVows() vows { return vows{map[string]vow{}, map[epochOf]uint64{}} }

// end forgets what was told: it rested on a disk that is gone.
func (v *vows) end() { clear(v.byKey) }

// free says that the node may let go what it holds of a key, up to b.
func (v *vows) free(key string, b register.Ballot) {
	vow := v.byKey[key]
	vow.freed = register.Max(vow.freed, b)
	v.byKey[key] = vow
}

// copy takes down what a rebuild brings, without a word to others and below whatever
// was promised.
func (v *vows) copy(records []register.Hint) {
	for i := range records {
		vow := v.byKey[records[i].Key]
		vow.copied = register.Max(vow.copied, records[i].Record.Ballot)
		v.byKey[records[i].Key] = vow
	}
}

// take takes down what the node tells in boot. It returns what breaks the vow that
// stood when it took the request up; replies may overtake each other after that.
func (v *vows) take(q *register.Request, r *register.Reply, stood vow, boot uint64) (broken string) {
	yes := r.Verdict == register.VerdictYes
	var bar, held register.Ballot
	epoch := uint64(0)
	switch {
	case q.Kind == register.KindAccept && yes:
		bar, held = q.Record.Ballot, q.Record.Ballot
		broken = stood.accepts(held)
	case q.Kind == register.KindAccept:
		held = r.Held
	case q.Kind == register.KindPrepare && yes:
		bar = q.Ballot
		broken = stood.promises(bar)
		fallthrough
	case q.Kind == register.KindRead && yes:
		held, epoch = r.Record.Ballot, r.Epoch
		if broken == "" {
			broken = stood.holds(r)
		}
		if broken == "" && v.givenBefore(q.Partition, epoch, boot) {
			broken = "gives the epoch of an earlier start"
		}
	}
	vow := v.byKey[q.Key]
	vow.bar = register.Max(vow.bar, register.Max(bar, held))
	vow.held = register.Max(vow.held, held)
	if !held.IsZero() && epoch > 0 {
		vow.epoch = epoch
	}
	v.byKey[q.Key] = vow
	return broken
}

func (v vow) accepts(b register.Ballot) string {
	if b.Less(v.bar) && b != v.held && b != v.copied { // what it holds it says yes to, whatever it promised since
		return "accepts " + describeBallot(b) + " below its promise " + describeBallot(v.bar)
	}
	return ""
}

func (v vow) promises(b register.Ballot) string {
	if !v.bar.Less(b) {
		return "promises " + describeBallot(b) + " after " + describeBallot(v.bar)
	}
	return ""
}

func (v vow) holds(r *register.Reply) string {
	switch held := r.Record.Ballot; {
	case held.Less(v.held) && v.freed.Less(v.held):
		return "holds " + describeRecord(r.Record) + " after " + describeBallot(v.held)
	case held.IsZero() && r.Epoch == v.epoch:
		return "forgot a record, and its epoch is the same"
	}
	return ""
}

// givenBefore reports whether the epoch was given in an earlier boot.
func (v *vows) givenBefore(partition uint16, epoch, boot uint64) bool {
	e := epochOf{partition, epoch}
	in, given := v.epochs[e]
	v.epochs[e] = boot
	return given && in != boot
}

// tell takes down replies that leave the node now.
func (n *node) tell(requests []register.Request, replies []register.Reply, noted []noted) {
	for i := range replies {
		q, r := &requests[i], &replies[i]
		if noted[i].barred != "" && r.Verdict == register.VerdictYes {
			n.sim.oracle.violate("n%d %s: %s", n.id, noted[i].barred, describe(q))
		}
		if broken := n.vows.take(q, r, noted[i].vow, n.boots); broken != "" {
			n.sim.oracle.violate("n%d %s: %s", n.id, broken, describe(q))
		}
	}
}

// probe asks the node once more for what it has promised, and for what it holds: it
// must refuse the one and know the other. That changes nothing.
func (n *node) probe() {
	var requests []register.Request
	for i := range n.sim.keys {
		k := &n.sim.keys[i]
		v, told := n.vows.byKey[k.name]
		if !told || v.bar.IsZero() {
			continue
		}
		q := register.Request{Kind: register.KindPrepare, Partition: k.partition, Key: k.name, Ballot: v.bar, Disks: n.replica.Disks(k.partition)}
		requests = append(requests, q)
		q.Kind, q.Ballot = register.KindRead, register.Ballot{}
		requests = append(requests, q)
	}
	boots, noted := n.boots, n.note(requests)
	n.replica.Serve(requests, func(replies []register.Reply) {
		if n.up && n.boots == boots {
			n.tell(requests, replies, noted)
		}
	})
	n.planSync()
}

// toldByPeers returns, for each key, the highest ballot that a peer has told of by now.
func (n *node) toldByPeers() []register.Ballot {
	told := make([]register.Ballot, len(n.sim.keys))
	for i := range told {
		for _, peer := range n.sim.nodes {
			if peer != n {
				told[i] = register.Max(told[i], peer.vows.byKey[n.sim.keys[i].name].bar)
			}
		}
	}
	return told
}

// probeFence asks a node whose disk was lost, and which takes part again, to accept
// what the peers had told of before they heard of its new disk. It must refuse that.
func (n *node) probeFence(told []register.Ballot) {
	var requests []register.Request
	for i, b := range told {
		below := register.Ballot{Time: b.Time} // of no proposer: it can't hold that already
		if k := &n.sim.keys[i]; !b.IsZero() {
			requests = append(requests, register.Request{
				Kind: register.KindAccept, Partition: k.partition, Key: k.name,
				Record: register.Record{Ballot: below, Op: below, Tombstone: true}, Disks: n.replica.Disks(k.partition),
			})
		}
	}
	n.replica.Serve(requests, func(replies []register.Reply) {
		for i := range replies {
			if replies[i].Verdict == register.VerdictYes {
				n.sim.oracle.violate("n%d took part below the fence: %s", n.id, describe(&requests[i]))
			}
		}
	})
	n.planSync()
}
