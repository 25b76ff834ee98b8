package sim_test

// In one piece because it is a list: one entry for each bug.

// plant is a bug: a rule of the protocol left out of the code that it stands in.
type plant struct {
	name  string
	what  string
	edits []edit
	slow  bool // takes too many runs to be looked for by default
}

// edit replaces old, which must stand in the file exactly once, after the edits of
// the plants before. All go into one build: PLANTED in new is true only when this
// plant is the one in force.
type edit struct{ file, old, new string }

const (
	acceptorGo = "pkg/register/acceptor.go"
	handoffGo  = "pkg/register/handoff.go"
	messageGo  = "pkg/register/message.go"
	roundGo    = "pkg/register/round.go"
	readGo     = "pkg/register/round_read.go"
	writeGo    = "pkg/register/round_write.go"
	replicaGo  = "dbnode/replica/replica.go"
	nodeGo     = "tests/sim/node.go"
	gatewayGo  = "tests/sim/gateway.go"
	simGo      = "tests/sim/sim.go"
	identityGo = "dbnode/replica/identity.go"
	decideGo   = "dbnode/membership/decide.go"
	rebuildGo  = "dbnode/repair/rebuild.go"
	collectGo  = "dbnode/repair/collect.go"
	entropyGo  = "dbnode/repair/entropy.go"
	damageGo   = "pkg/register/damage.go"
	mendGo     = "dbnode/repair/damage.go"
	rotGo      = "dbnode/replica/damage.go"
)

var plants = []plant{
	{
		name: "handoff-to-one",
		what: "the witness forgets a hint that one data replica has",
		edits: []edit{{
			handoffGo, `if s == [2]delivery{deliveryHeld, deliveryHeld} {`,
			`if s == [2]delivery{deliveryHeld, deliveryHeld} || PLANTED && (s[0] == deliveryHeld || s[1] == deliveryHeld) {`,
		}},
	},
	{
		name: "copy-below-promise",
		what: "a forwarded hint is stored although a higher ballot is promised",
		edits: []edit{
			{handoffGo, `			sends = append(`, `			if PLANTED {
				q.Ballot = q.Record.Ballot
			}
			sends = append(`},
			{acceptorGo, `if b.Less(bar) ||`, `if b.Less(bar) && !(PLANTED && q.Ballot == b) ||`},
		},
	},
	{
		name: "read-without-repair",
		what: "a read answers the higher record, unchosen",
		edits: []edit{{readGo, `	default:
		r.forward(`, `	case PLANTED:
		r.finishRead(hi)
	default:
		r.forward(`}},
	},
	{
		name: "read-ignores-epochs",
		what: "a read doesn't look again after a blank that moved",
		edits: []edit{{
			readGo, `switch again, moved := r.moved(); moved {`,
			`again, moved := r.moved()
	if PLANTED {
		moved = 0
	}
	switch moved {`,
		}},
	},
	{
		name: "one-of-two-looked-at-again",
		what: "of two blanks that moved, only one is looked at again",
		slow: true,
		edits: []edit{{readGo, `		r.retry() // neither`, `		if PLANTED {
			r.reread(again)
			return
		}
		r.retry() // neither`}},
	},
	{
		name: "no-horizon",
		what: "a restart doesn't raise the floor to the horizon",
		edits: []edit{{
			acceptorGo, `	d.Floor = Max(d.Floor, Ballot{Time: d.Horizon})
`,
			`	if !PLANTED {
		d.Floor = Max(d.Floor, Ballot{Time: d.Horizon})
	}
`,
		}},
	},
	{
		name: "evicted-promise",
		what: "a promise is evicted and the floor left",
		slow: true,
		edits: []edit{
			// The others are looked for with as few promises, so that evictions come often.
			{acceptorGo, `MaxPromises = 1024`, `MaxPromises = 8`},
			{acceptorGo, `!evicted.IsZero() {`, `!evicted.IsZero() && !PLANTED {`},
		},
	},
	{
		name: "refused-is-proof",
		what: "a refusal is taken as proof of not applied though another copy may have been taken",
		edits: []edit{{messageGo, `		return r.Sole
`, `		return r.Sole || PLANTED
`}},
	},
	{
		name:  "blank-is-proof",
		what:  "a refusal by one that holds nothing is taken as proof of not applied, though a copy may have been handed off",
		edits: []edit{{messageGo, `		return r.Sole ||`, `		return r.Sole || PLANTED && r.Held.IsZero() ||`}},
	},
	{
		name: "lost-is-proof",
		what: "an accept without an answer is taken as proof of not applied",
		edits: []edit{{messageGo, `	case VerdictYes, VerdictLost:
`, `	case VerdictLost:
		return PLANTED
	case VerdictYes:
`}},
	},
	{
		name: "ballot-reused",
		what: "a ballot is used again after an attempt that timed out",
		edits: []edit{
			{roundGo, `	r.ballot = r.proposer.Next()`, `	if r.ballot.IsZero() || r.noQuorum == 0 || !PLANTED {
		r.ballot = r.proposer.Next()
	}`},
			{acceptorGo, `if !highest.Less(q.Ballot) {`, `if !highest.Less(q.Ballot) && !(PLANTED && held.Ballot.Less(q.Ballot) && q.Ballot == a.bar(q.Key)) {`},
			{writeGo, `	if r.poll.yes == 2 {
		rec := r.proposal`, `	if r.poll.outstanding() == 0 && r.poll.yes == 0 && PLANTED {
		r.noQuorum++
		r.begin()
		return
	}
	if r.poll.yes == 2 {
		rec := r.proposal`},
		},
	},
	{
		name: "reply-before-sync",
		what: "a reply leaves before what it says is synced",
		edits: []edit{{replicaGo, `	b.left.Add(1)
	key, put`, `	if PLANTED {
		r.store.Write(ops, func(err error) { r.landed(p, q.Key, effects.Put || effects.Drop, effects.State, err) })
		return effects.Drop
	}
	b.left.Add(1)
	key, put`}},
	},
	{
		name:  "reply-before-earlier-sync",
		what:  "a reply doesn't wait for an earlier write of the key",
		edits: []edit{{replicaGo, `!pending && p.states == 0 {`, `(!pending || PLANTED) && p.states == 0 {`}},
	},
	{
		name:  "reply-before-state",
		what:  "a reply doesn't wait for an earlier write of the horizon",
		slow:  true,
		edits: []edit{{replicaGo, `&& p.states == 0 {`, `&& (p.states == 0 || PLANTED) {`}},
	},
	{
		name:  "accept-below-promise",
		what:  "an acceptor stores below its promise",
		edits: []edit{{acceptorGo, `if b.Less(bar) &&`, `if b.Less(bar) && !PLANTED &&`}},
	},
	{
		name:  "accept-below-floor",
		what:  "an acceptor stores below its floor",
		edits: []edit{{acceptorGo, `!a.durable.Floor.Less(b) ||`, `!a.durable.Floor.Less(b) && !PLANTED ||`}},
	},
	{
		name:  "accept-below-held",
		what:  "an acceptor replaces a record by an older one",
		edits: []edit{{acceptorGo, `|| !held.Ballot.Less(b) {`, `|| !held.Ballot.Less(b) && !PLANTED {`}},
	},
	{
		name: "prepare-below-held",
		what: "an acceptor promises a ballot below that of its record",
		edits: []edit{{
			acceptorGo, `highest := Max(a.bar(q.Key), held.Ballot)`,
			`highest := Max(a.bar(q.Key), held.Ballot)
	if PLANTED {
		highest = a.bar(q.Key)
	}`,
		}},
	},
	{
		name:  "forget-without-compare",
		what:  "the witness forgets whatever it holds of a key that was handed off",
		edits: []edit{{acceptorGo, `if held.Blank() || held.Ballot != b || a`, `if held.Blank() || held.Ballot != b && !PLANTED || a`}},
	},
	{
		name: "forget-drops-promise",
		what: "the promise for a key goes with its hint",
		edits: []edit{{acceptorGo, `	a.chosen.drop(key)
`, `	a.chosen.drop(key)
	if PLANTED {
		a.promised.drop(key)
		return true
	}
`}},
	},
	{
		name: "forget-keeps-epoch",
		what: "the epoch stays when hints are forgotten",
		edits: []edit{{acceptorGo, `func (a *Acceptor) Forgot() { a.epoch++ }`, `func (a *Acceptor) Forgot() {
	if !PLANTED {
		a.epoch++
	}
}`}},
	},
	{
		name:  "refused-is-delivered",
		what:  "a hint that a replica refuses to take counts as delivered",
		edits: []edit{{handoffGo, "	case reply.Held.Less(h.hints[tag].Record.Ballot):", "	case reply.Held.Less(h.hints[tag].Record.Ballot) && !PLANTED:"}},
	},
	{
		name: "chosen-without-compare",
		what: "a chosen mark goes on whatever record is held",
		edits: []edit{{
			acceptorGo, `		if !held.Blank() && held.Ballot == q.Ballot {
			a.chosen.put(q.Key, q.Ballot)
		}`,
			`		if PLANTED {
			a.chosen.put(q.Key, held.Ballot)
		} else if !held.Blank() && held.Ballot == q.Ballot {
			a.chosen.put(q.Key, q.Ballot)
		}`,
		}},
	},
	{
		name:  "chosen-for-ever",
		what:  "a chosen mark outlives the record that it was for",
		edits: []edit{{acceptorGo, `r.Chosen = ok && mark == held.Ballot`, `r.Chosen = ok && (mark == held.Ballot || PLANTED)`}},
	},
	{
		name: "write-back-takes-new-op",
		what: "writing back what is there gives it a new op id",
		edits: []edit{{writeGo, `	cur.Ballot = r.ballot
`, `	cur.Ballot = r.ballot
	if PLANTED {
		cur.Op = r.ballot
	}
`}},
	},
	{
		name:  "resolve-believes",
		what:  "a change of unknown outcome counts as done whatever is read",
		edits: []edit{{readGo, `if !r.resolving || rec.Op == r.op {`, `if !r.resolving || rec.Op == r.op || PLANTED {`}},
	},
	{
		name:  "passed-over-from-below",
		what:  "a change counts as passed over although what was read may be older than it",
		edits: []edit{{readGo, `rec.Op == r.base && r.op.Less(rec.Ballot)`, `rec.Op == r.base && (r.op.Less(rec.Ballot) || PLANTED)`}},
	},
	{
		name: "refusal-without-read-rule",
		what: "a refusal is given for a record that isn't chosen",
		edits: []edit{{writeGo, `	case settled:
`, `	case settled || PLANTED:
`}},
	},
	{
		name:  "late-replies-count",
		what:  "replies to earlier requests of the operation count",
		edits: []edit{{roundGo, `if tag == r.tag && !r.poll.answered[seat] {`, `if (tag == r.tag || PLANTED && r.poll.asked[seat] && r.phase != phasePause) && !r.poll.answered[seat] {`}},
	},
	{
		name:  "expired-is-not-applied",
		what:  "an operation that expires while its accepts are under way says not applied",
		edits: []edit{{roundGo, `(r.phase == phaseAccept && r.own) {`, `(r.phase == phaseAccept && r.own && !PLANTED) {`}},
	},
	{
		name: "hints-dropped",
		what: "hints are forgotten undelivered when there are too many",
		edits: []edit{{nodeGo, `	delivered := h.Delivered()
`, `	delivered := h.Delivered()
	if hints, _ := n.replica.Hints(h.partition, "", handoffBatch); PLANTED && len(hints) > 1 {
		delivered = hints
	}
`}},
	},
	{
		name: "same-epoch-at-each-start",
		what: "every start of a node has the same first epoch",
		slow: true,
		edits: []edit{
			{nodeGo, `	n.store = st
`, `	n.store = st
	epoch := n.boots << 32
	if PLANTED {
		epoch = 1
	}
`},
			{nodeGo, `Epoch:  n.boots << 32,`, `Epoch:  epoch,`},
		},
	},
	{
		name: "proposer-id-kept",
		what: "a gateway keeps its proposer id over a restart",
		edits: []edit{{gatewayGo, `	g.proposer = g.sim.newProposer(&g.clock)
	open`, `	old := g.proposer.ballots
	g.proposer = g.sim.newProposer(&g.clock)
	if PLANTED {
		g.proposer.ballots = register.NewClock(old.Next(0).Proposer)
	}
	open`}},
	},
	{
		name:  "follows-astray",
		what:  "a proposer follows a ballot that is out of the others' reach",
		edits: []edit{{roundGo, `if !r.poll.astray && highest`, `if !PLANTED && !r.poll.astray && highest`}},
	},
	{
		name: "horizon-from-ballot",
		what: "each restart pushes the ballots seconds ahead",
		slow: true,
		edits: []edit{{
			acceptorGo, `a.durable.Horizon = max(now+HorizonStep, b.Time+HorizonSlack)`,
			`a.durable.Horizon = max(now+HorizonStep, b.Time+HorizonSlack)
	if PLANTED {
		a.durable.Horizon = b.Time + HorizonStep
	}`,
		}},
	},
	{
		name: "clean-stop-forgets",
		what: "an orderly stop leaves a horizon below what was promised",
		edits: []edit{{acceptorGo, `d.Horizon = max(a.top.Time, d.Floor.Time) + 1`, `d.Horizon = max(a.top.Time, d.Floor.Time) + 1
	if PLANTED {
		d.Horizon = d.Floor.Time
	}`}},
	},
	{
		name: "wiped-votes", what: "a node whose disk was lost votes at once",
		edits: []edit{{identityGo, `Life{Incarnation: incarnation, Joining: true}`, `Life{Incarnation: incarnation, Joining: !register.Planted("wiped-votes")}`}},
	},
	{
		name: "copy-untold", what: "a copy of the disk made since its last start is not told from it",
		edits: []edit{{identityGo, `l.Beat < o.Beat`, `l.Beat < o.Beat && !PLANTED`}},
	},
	{ // Either alone is seldom seen: each covers for the other.
		name: "rebuild-without-fence", what: "neither floors nor incarnations keep out what was meant for a lost disk",
		edits: []edit{
			{acceptorGo, `func (a *Acceptor) Join(floor Ballot) { a.durable.Floor = Max(a.durable.Floor, floor) }`, `func (a *Acceptor) Join(floor Ballot) {
	if !PLANTED {
		a.durable.Floor = Max(a.durable.Floor, floor)
	}
}`},
			{acceptorGo, `if q.Disks.olderThan(a.group.Disks) {`, `if q.Disks.olderThan(a.group.Disks) && !PLANTED {`},
		},
		slow: true,
	},
	{
		name: "witness-votes-unsettled", what: "a lost witness votes before the data replicas agree",
		edits: []edit{{rebuildGo, `		err = r.settle(ctx, partition)
`, "		if register.Planted(\"witness-votes-unsettled\") {\n			r.joiner.PartitionRebuilt(partition)\n			return true, nil\n		}\n		err = r.settle(ctx, partition)\n"}},
	},
	{
		name: "collect-without-witness", what: "a tombstone is collected without asking the witness",
		edits: []edit{{collectGo, `	dropped, lacking, err :=`, "	if register.Planted(\"collect-without-witness\") {\n		barred = page\n	}\n	dropped, lacking, err :="}},
	},
	{
		name: "collect-leaves-floors", what: "collecting leaves the floors alone",
		edits: []edit{{acceptorGo, `	if !a.durable.Floor.Less(b) {
		return false`, "	if !a.durable.Floor.Less(b) || Planted(\"collect-leaves-floors\") {\n		return false"}},
	},
	{
		name: "collect-without-compare", what: "a data replica drops whatever it holds of a key whose tombstone is collected",
		edits: []edit{{
			acceptorGo, `held.Ballot != q.Ballot || !held.Tombstone || a.group.AnyJoining() {`,
			`(held.Ballot != q.Ballot || !held.Tombstone) && !Planted("collect-without-compare") || a.group.AnyJoining() {`,
		}},
	},
	{
		name: "rolled-back-votes", what: "a node goes on with an old copy of its disk",
		edits: []edit{{decideGo, `case old && own.Incarnation > 0:`, `case old && own.Incarnation > 0 && !register.Planted("rolled-back-votes"):`}},
	},
	{
		name: "starts-look-alike", what: "a copy made before the last start is not told from the disk",
		edits: []edit{{identityGo, `l.Boots-o.Boots < n &&`, `l.Boots-o.Boots < n && !register.Planted("starts-look-alike") &&`}},
	},
	{
		name:  "only-last-start-compared",
		what:  "an old copy of a disk that was started often enough looks like the disk",
		slow:  true,
		edits: []edit{{identityGo, `o.Boots <= l.Boots && l`, `(o.Boots == l.Boots || !PLANTED) && o.Boots <= l.Boots && l`}},
	},
	{
		name: "rebuild-skips-hints", what: "a data replica is rebuilt without the hints of the witness",
		edits: []edit{{rebuildGo, `if r.source == len(sources) {`, `if r.source == len(sources) || register.Planted("rebuild-skips-hints") {`}},
	},
	{
		name: "rebuild-obeys-floor", what: "the floor bars the copies of a rebuild",
		edits: []edit{{acceptorGo, `if !a.Joining() || !held.Ballot.Less(rec.Ballot) {`, `if !a.Joining() || !held.Ballot.Less(rec.Ballot) || Planted("rebuild-obeys-floor") && !a.durable.Floor.Less(rec.Ballot) {`}},
	},
	{
		name: "joining-votes", what: "an acceptor answers reads and prepares while it is being rebuilt",
		edits: []edit{{acceptorGo, `	if a.Joining() {
		return Reply{Verdict: VerdictUnable}`, "	if a.Joining() && !Planted(\"joining-votes\") {\n		return Reply{Verdict: VerdictUnable}"}},
	},
	{
		name: "full-accept-not-applied", what: "a change whose accept a full node refuses is called not applied, whatever the other said",
		edits: []edit{
			{roundGo, `	case phaseAccept: // for which room was promised
`, `	case phaseAccept: // for which room was promised
		q.Grows = PLANTED && r.own
`},
			{writeGo, `	if r.thirdCanHelp() {
		r.askThird()`, `	if PLANTED && r.own && r.poll.full() > 0 {
		r.finish(Record{}, ErrNoSpace)
		return
	}
	if r.thirdCanHelp() {
		r.askThird()`},
		},
	},
	{
		name: "full-counts-as-held", what: "the witness forgets a hint for which a data replica has no room",
		edits: []edit{{handoffGo, `	case reply.Verdict == VerdictYes:`, `	case reply.Verdict == VerdictYes, PLANTED && reply.Verdict == VerdictFull:`}},
	},
	{
		name: "full-takes-prepares", what: "a full node promises room",
		edits: []edit{{messageGo, `(q.Kind == KindPrepare ||`, `(q.Kind == KindPrepare && !PLANTED ||`}},
	},
	{
		name: "difference-read", what: "anti-entropy reads what differs instead of rewriting it",
		edits: []edit{{entropyGo, `Key: key, Rewrite: true, Above`, `Key: key, Rewrite: !register.Planted("difference-read"), Above`}},
	},
	{
		name: "damaged-is-blank", what: "an acceptor takes a damaged record for a blank, and votes with it",
		edits: []edit{{damageGo, `	if q.Kind != KindAccept || q.Record.Ballot.Less(bar) {
		return Reply`, `	if (q.Kind != KindAccept || q.Record.Ballot.Less(bar)) && !PLANTED {
		return Reply`}},
	},
	{
		name: "damaged-replaced-below-bar", what: "a damaged record is replaced by an accept below the bar",
		edits: []edit{{damageGo, `q.Record.Ballot.Less(bar)) && !`, `q.Record.Ballot.Less(bar) && !PLANTED) && !`}},
	},
	{
		name: "damaged-copied-below-bar", what: "a rebuild replaces a damaged record by an older copy",
		slow:  true,
		edits: []edit{{damageGo, `	if rec.Ballot.Less(bar) {`, `	if rec.Ballot.Less(bar) && !PLANTED {`}},
	},
	{
		name: "mended-without-filling", what: "where the others hold nothing, a damaged record is left as it is",
		edits: []edit{{mendGo, `Rewrite: true, Fill: true,`, `Rewrite: true, Fill: !register.Planted("mended-without-filling"),`}},
	},
	{
		name: "damage-kept-in-digest", what: "the digest keeps what a damaged record added to it",
		edits: []edit{{rotGo, `	p.uncounted = true // what`, `	p.uncounted = !register.Planted("damage-kept-in-digest") // what`}},
	},
}
