package sim_test

// plant is a bug: a rule of the protocol left out of the code that it stands in.
type plant struct {
	name  string
	what  string
	edits []edit
	slow  bool // takes too many runs to be looked for by default
}

// edit replaces old, which must stand in the file exactly once. Every plant goes
// into one build; an environment variable picks the one that is in force.
type edit struct{ file, old, new string }

const (
	acceptorGo = "pkg/register/acceptor.go"
	clockGo    = "pkg/register/clock.go"
	handoffGo  = "pkg/register/handoff.go"
	messageGo  = "pkg/register/message.go"
	roundGo    = "pkg/register/round.go"
	readGo     = "pkg/register/round_read.go"
	writeGo    = "pkg/register/round_write.go"
	replicaGo  = "dbnode/replica/replica.go"
	hintsGo    = "dbnode/replica/hints.go"
	nodeGo     = "tests/sim/node.go"
	gatewayGo  = "tests/sim/gateway.go"
	simGo      = "tests/sim/sim.go"
	identityGo = "dbnode/replica/identity.go"
	decideGo   = "dbnode/membership/decide.go"
	rebuildGo  = "dbnode/repair/rebuild.go"
	collectGo  = "dbnode/repair/collect.go"
	entropyGo  = "dbnode/repair/entropy.go"
)

var plants = []plant{
	{
		name: "handoff-to-one", what: "the witness forgets a hint that one data replica has",
		edits: []edit{{handoffGo, `if s == [2]delivery{deliveryHeld, deliveryHeld} {`,
			`if s == [2]delivery{deliveryHeld, deliveryHeld} || Planted("handoff-to-one") && (s[0] == deliveryHeld || s[1] == deliveryHeld) {`}},
	},
	{
		name: "copy-below-promise", what: "a forwarded hint is stored although a higher ballot is promised",
		edits: []edit{
			{handoffGo, `			sends = append(`, "			if Planted(\"copy-below-promise\") {\n				q.Ballot = q.Record.Ballot\n			}\n			sends = append("},
			{acceptorGo, `if b.Less(bar) ||`, `if b.Less(bar) && !(Planted("copy-below-promise") && q.Ballot == b) && !Planted("accept-below-promise") ||`},
		},
	},
	{
		name: "read-without-repair", what: "a read answers the higher record, unchosen",
		edits: []edit{{readGo, "	default:\n		r.forward(", "	case Planted(\"read-without-repair\"):\n		r.finishRead(hi)\n	default:\n		r.forward("}},
	},
	{
		name: "read-ignores-epochs", what: "a read doesn't look again after a blank that moved",
		edits: []edit{{readGo, `switch again, moved := r.moved(); moved {`,
			"again, moved := r.moved()\n	if Planted(\"read-ignores-epochs\") {\n		moved = 0\n	}\n	switch moved {"}},
	},
	{
		name: "one-of-two-looked-at-again", what: "of two blanks that moved, only one is looked at again",
		edits: []edit{{readGo, `		r.retry() // neither`, "		if Planted(\"one-of-two-looked-at-again\") {\n			r.reread(again)\n			return\n		}\n		r.retry() // neither"}},
	},
	{
		name: "no-horizon", what: "a restart doesn't raise the floor to the horizon",
		edits: []edit{{acceptorGo, "	d.Floor = Max(d.Floor, Ballot{Time: d.Horizon})\n",
			"	if !Planted(\"no-horizon\") {\n		d.Floor = Max(d.Floor, Ballot{Time: d.Horizon})\n	}\n"}},
	},
	{
		name: "evicted-promise", what: "a promise is evicted and the floor left",
		edits: []edit{
			// The others are looked for with as few promises, so that evictions come often.
			{acceptorGo, `MaxPromises = 1024`, `MaxPromises = 8`},
			{acceptorGo, `!evicted.IsZero() {`, `!evicted.IsZero() && !Planted("evicted-promise") {`},
		},
	},
	{
		name: "refused-is-proof", what: "a refusal is taken as proof of not applied though another copy may have been taken",
		edits: []edit{{messageGo, `		return r.Sole
`, "		return r.Sole || Planted(\"refused-is-proof\") || Planted(\"blank-is-proof\") && r.Held.IsZero()\n"}},
	},
	{
		name: "blank-is-proof", what: "a refusal by one that holds nothing is taken as proof of not applied, though a copy may have been handed off",
	},
	{
		name: "lost-is-proof", what: "an accept without an answer is taken as proof of not applied",
		edits: []edit{{messageGo, "	case VerdictYes, VerdictLost:\n", "	case VerdictLost:\n		return Planted(\"lost-is-proof\")\n	case VerdictYes:\n"}},
	},
	{
		name: "ballot-reused", what: "a ballot is used again after an attempt that timed out",
		edits: []edit{
			{roundGo, `	r.ballot = r.proposer.Next()`, "	if r.ballot.IsZero() || r.noQuorum == 0 || !Planted(\"ballot-reused\") {\n		r.ballot = r.proposer.Next()\n	}"},
			{acceptorGo, `if !highest.Less(q.Ballot) {`, `if !highest.Less(q.Ballot) && !(Planted("ballot-reused") && held.Ballot.Less(q.Ballot) && q.Ballot == a.bar(q.Key)) {`},
			{writeGo, "	if r.poll.yes == 2 {\n		rec := r.proposal", "	if r.poll.outstanding() == 0 && r.poll.yes == 0 && Planted(\"ballot-reused\") {\n		r.noQuorum++\n		r.begin()\n		return\n	}\n	if r.poll.yes == 2 {\n		rec := r.proposal"},
		},
	},
	{
		name: "reply-before-sync", what: "a reply leaves before what it says is synced",
		edits: []edit{{replicaGo, `	b.left.Add(1)
	key, put`, `	if register.Planted("reply-before-sync") {
		r.store.Write(ops, func(err error) { r.landed(p, q.Key, effects.Put || effects.Drop, effects.State, err) })
		return effects.Drop
	}
	b.left.Add(1)
	key, put`}},
	},
	{
		name: "reply-before-earlier-sync", what: "a reply doesn't wait for an earlier write of the key",
		edits: []edit{{replicaGo, `!pending && p.states == 0 {`, `(!pending || register.Planted("reply-before-earlier-sync")) && (p.states == 0 || register.Planted("reply-before-state")) {`}},
	},
	{
		name: "reply-before-state", what: "a reply doesn't wait for an earlier write of the horizon",
	},
	{
		name: "accept-below-promise", what: "an acceptor stores below its promise",
	},
	{
		name: "accept-below-floor", what: "an acceptor stores below its floor",
		edits: []edit{{acceptorGo, `!a.durable.Floor.Less(b) ||`, `!a.durable.Floor.Less(b) && !Planted("accept-below-floor") ||`}},
	},
	{
		name: "accept-below-held", what: "an acceptor replaces a record by an older one",
		edits: []edit{{acceptorGo, `|| !held.Ballot.Less(b) {`, `|| !held.Ballot.Less(b) && !Planted("accept-below-held") {`}},
	},
	{
		name: "prepare-below-held", what: "an acceptor promises a ballot below that of its record",
		edits: []edit{{acceptorGo, `highest := Max(a.bar(q.Key), held.Ballot)`,
			"highest := Max(a.bar(q.Key), held.Ballot)\n	if Planted(\"prepare-below-held\") {\n		highest = a.bar(q.Key)\n	}"}},
	},
	{
		name: "forget-without-compare", what: "the witness forgets whatever it holds of a key that was handed off",
		edits: []edit{{acceptorGo, `if held.Blank() || held.Ballot != b || a.group.Disks != disks || a.group.AnyJoining() {`,
			`if held.Blank() || held.Ballot != b && !Planted("forget-without-compare") || a.group.Disks != disks || a.group.AnyJoining() {`}},
	},
	{
		name: "forget-drops-promise", what: "the promise for a key goes with its hint",
		edits: []edit{{acceptorGo, `	a.chosen.drop(key)
	if a.bar`, "	a.chosen.drop(key)\n	if Planted(\"forget-drops-promise\") {\n		a.promised.drop(key)\n		return true\n	}\n	if a.bar"}},
	},
	{
		name: "forget-keeps-epoch", what: "the epoch stays when hints are forgotten",
		edits: []edit{{acceptorGo, `func (a *Acceptor) Forgot() { a.epoch++ }`, "func (a *Acceptor) Forgot() {\n	if !Planted(\"forget-keeps-epoch\") {\n		a.epoch++\n	}\n}"}},
	},
	{
		name: "refused-is-delivered", what: "a hint that a replica refuses to take counts as delivered",
		edits: []edit{{handoffGo, "	case reply.Held.Less(h.hints[tag].Record.Ballot):", "	case reply.Held.Less(h.hints[tag].Record.Ballot) && !Planted(\"refused-is-delivered\"):"}},
	},
	{
		name: "chosen-without-compare", what: "a chosen mark goes on whatever record is held",
		edits: []edit{{acceptorGo, "		if !held.Blank() && held.Ballot == q.Ballot {\n			a.chosen.put(q.Key, q.Ballot)\n		}",
			"		if Planted(\"chosen-without-compare\") {\n			a.chosen.put(q.Key, held.Ballot)\n		} else if !held.Blank() && held.Ballot == q.Ballot {\n			a.chosen.put(q.Key, q.Ballot)\n		}"}},
	},
	{
		name: "chosen-for-ever", what: "a chosen mark outlives the record that it was for",
		edits: []edit{{acceptorGo, `r.Chosen = ok && mark == held.Ballot`, `r.Chosen = ok && (mark == held.Ballot || Planted("chosen-for-ever"))`}},
	},
	{
		name: "write-back-takes-new-op", what: "writing back what is there gives it a new op id",
		edits: []edit{{writeGo, "	cur.Ballot = r.ballot\n", "	cur.Ballot = r.ballot\n	if Planted(\"write-back-takes-new-op\") {\n		cur.Op = r.ballot\n	}\n"}},
	},
	{
		name: "resolve-believes", what: "a change of unknown outcome counts as done whatever is read",
		edits: []edit{{readGo, `if r.resolving && rec.Op != r.op {`, `if r.resolving && rec.Op != r.op && !Planted("resolve-believes") {`}},
	},
	{
		name: "refusal-without-read-rule", what: "a refusal is given for a record that isn't chosen",
		edits: []edit{{writeGo, "	case settled:\n", "	case settled || Planted(\"refusal-without-read-rule\"):\n"}},
	},
	{
		name: "late-replies-count", what: "replies to earlier requests of the operation count",
		edits: []edit{{roundGo, `if tag == r.tag && !r.poll.answered[seat] {`, `if (tag == r.tag || Planted("late-replies-count") && r.poll.asked[seat] && r.phase != phasePause) && !r.poll.answered[seat] {`}},
	},
	{
		name: "expired-is-not-applied", what: "an operation that expires while its accepts are under way says not applied",
		edits: []edit{{roundGo, `(r.phase == phaseAccept && r.own) {`, `(r.phase == phaseAccept && r.own && !Planted("expired-is-not-applied")) {`}},
	},
	{
		name: "hints-dropped", what: "hints are forgotten undelivered when there are too many",
		edits: []edit{{nodeGo, `	delivered := h.Delivered()
`, "	delivered := h.Delivered()\n	if hints, _ := n.replica.Hints(h.partition, \"\", handoffBatch); register.Planted(\"hints-dropped\") && len(hints) > 1 {\n		delivered = hints\n	}\n"}},
	},
	{
		name: "same-epoch-at-each-start", what: "every start of a node has the same first epoch",
		edits: []edit{{nodeGo, "	n.store = st\n", "	n.store = st\n	epoch := n.boots << 32\n	if register.Planted(\"same-epoch-at-each-start\") {\n		epoch = 1\n	}\n"},
			{nodeGo, `Epoch:  n.boots << 32,`, `Epoch:  epoch,`}},
		slow: true,
	},
	{
		name: "proposer-id-kept", what: "a gateway keeps its proposer id over a restart",
		edits: []edit{{gatewayGo, `	g.proposer = g.sim.newProposer(&g.clock)
	open`, "	old := g.proposer.ballots\n	g.proposer = g.sim.newProposer(&g.clock)\n	if register.Planted(\"proposer-id-kept\") {\n		g.proposer.ballots = register.NewClock(old.Next(0).Proposer)\n	}\n	open"}},
	},
	{
		name: "follows-astray", what: "a proposer follows a ballot that is out of the others' reach",
		edits: []edit{{roundGo, `if !r.poll.astray && highest`, `if !Planted("follows-astray") && !r.poll.astray && highest`}},
	},
	{
		name: "horizon-from-ballot", what: "each restart pushes the ballots seconds ahead",
		edits: []edit{{acceptorGo, `a.durable.Horizon = max(now+HorizonStep, b.Time+HorizonSlack)`,
			"a.durable.Horizon = max(now+HorizonStep, b.Time+HorizonSlack)\n	if Planted(\"horizon-from-ballot\") {\n		a.durable.Horizon = b.Time + HorizonStep\n	}"}},
	},
	{
		name: "clean-stop-forgets", what: "an orderly stop leaves a horizon below what was promised",
		edits: []edit{{acceptorGo, `d.Horizon = max(a.top.Time, d.Floor.Time) + 1`, "d.Horizon = max(a.top.Time, d.Floor.Time) + 1\n	if Planted(\"clean-stop-forgets\") {\n		d.Horizon = d.Floor.Time\n	}"}},
	},
	{
		name: "wiped-votes", what: "a node whose disk was lost votes at once",
		edits: []edit{{identityGo, `Boots: 1, Start: r.cfg.Epoch, Joining: true}`, `Boots: 1, Start: r.cfg.Epoch, Joining: !register.Planted("wiped-votes")}`}},
	},
	{
		name: "rebuild-without-fence", what: "a lost disk's floor does not start at what the others promised",
		edits: []edit{{acceptorGo, `func (a *Acceptor) Join(floor Ballot) { a.durable.Floor = Max(a.durable.Floor, floor) }`,
			"func (a *Acceptor) Join(floor Ballot) {\n	if !Planted(\"rebuild-without-fence\") {\n		a.durable.Floor = Max(a.durable.Floor, floor)\n	}\n}"}},
	},
	{
		name: "messages-without-incarnations", what: "an acceptor takes messages for an older disk of the group",
		edits: []edit{{acceptorGo, `if q.Disks.olderThan(a.group.Disks) {`, `if q.Disks.olderThan(a.group.Disks) && !Planted("messages-without-incarnations") {`}},
		slow:  true,
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
		edits: []edit{{acceptorGo, `held.Ballot != q.Ballot || !held.Tombstone || a.group.AnyJoining() {`,
			`(held.Ballot != q.Ballot || !held.Tombstone) && !Planted("collect-without-compare") || a.group.AnyJoining() {`}},
	},
	{
		name: "rolled-back-votes", what: "a node goes on with an old copy of its disk",
		edits: []edit{{decideGo, `case old && own.Incarnation > 0:`, `case old && own.Incarnation > 0 && !register.Planted("rolled-back-votes"):`}},
	},
	{
		name: "starts-look-alike", what: "a copy made before the last start is not told from the disk",
		edits: []edit{{identityGo, `l.Boots == o.Boots && l.Start != o.Start
`, `l.Boots == o.Boots && l.Start != o.Start && !register.Planted("starts-look-alike")
`}},
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
		name: "difference-read", what: "anti-entropy reads what differs instead of rewriting it",
		edits: []edit{{entropyGo, `Key: key, Rewrite: true, Above`, `Key: key, Rewrite: !register.Planted("difference-read"), Above`}},
	},
}
