package planted

// In one piece because it is a list: one entry for each bug.

const (
	acceptorGo = "pkg/register/acceptor.go"
	handoffGo  = "pkg/register/handoff.go"
	messageGo  = "pkg/register/message.go"
	roundGo    = "pkg/register/round.go"
	readGo     = "pkg/register/round_read.go"
	writeGo    = "pkg/register/round_write.go"
	replicaGo  = "dbnode/replica/replica.go"
	nodeGo     = "tests/sim/node.go"
	handingGo  = "tests/sim/handoff.go"
	gatewayGo  = "tests/sim/gateway.go"
	simGo      = "tests/sim/sim.go"
	identityGo = "dbnode/replica/identity.go"
	peerGo     = "pkg/wire/peer.go"
	decideGo   = "dbnode/membership/decide.go"
	rebuildGo  = "dbnode/repair/rebuild.go"
	collectGo  = "dbnode/repair/collect.go"
	entropyGo  = "dbnode/repair/entropy.go"
	damageGo   = "pkg/register/damage.go"
	mendGo     = "dbnode/repair/damage.go"
	rotGo      = "dbnode/replica/damage.go"
)

// All returns every bug.
//
//nolint:funlen // it is one list
func All() []Plant {
	return []Plant{
		{
			Name: "handoff-to-one", Rule: 1,
			What: "the witness forgets a hint that one data replica has",
			edits: []edit{{
				handoffGo, `if s == [2]delivery{deliveryHeld, deliveryHeld} {`,
				`if s == [2]delivery{deliveryHeld, deliveryHeld} || PLANTED && (s[0] == deliveryHeld || s[1] == deliveryHeld) {`,
			}},
		},
		{
			Name: "copy-below-promise", Rule: 2,
			What: "a forwarded hint is stored although a higher ballot is promised",
			edits: []edit{
				{handoffGo, `			sends = append(`, `			if PLANTED {
				q.Ballot = q.Record.Ballot
			}
			sends = append(`},
				{acceptorGo, `if b.Less(bar) ||`, `if b.Less(bar) && !(PLANTED && q.Ballot == b) ||`},
			},
		},
		{
			Name: "read-without-repair", Rule: 3,
			What: "a read answers the higher record, unchosen",
			edits: []edit{{readGo, `	default:
		r.forward(`, `	case PLANTED:
		r.finishRead(hi)
	default:
		r.forward(`}},
		},
		{
			Name: "read-ignores-epochs", Rule: 4,
			What: "a read doesn't look again after a blank that moved",
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
			Name: "one-of-two-looked-at-again", Slow: true,
			What: "of two blanks that moved, only one is looked at again",
			edits: []edit{{readGo, `		r.retry() // neither`, `		if PLANTED {
			r.reread(again)
			return
		}
		r.retry() // neither`}},
		},
		{
			Name: "no-horizon", Rule: 9,
			What: "a restart doesn't raise the floor to the horizon",
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
			Name: "evicted-promise", Rule: 10,
			What: "a promise is evicted and the floor left",
			edits: []edit{
				// The others are looked for with as few promises, so that evictions come often.
				{acceptorGo, `MaxPromises = 1024`, `MaxPromises = 8`},
				{acceptorGo, `!evicted.IsZero() {`, `!evicted.IsZero() && !PLANTED {`},
			},
		},
		{
			Name: "refused-is-proof", Rule: 13,
			What: "a refusal is taken as proof of not applied though another copy may have been taken",
			edits: []edit{{messageGo, `		return r.Sole
`, `		return r.Sole || PLANTED
`}},
		},
		{
			Name: "blank-is-proof", Rule: 13,
			What:  "a refusal by one that holds nothing is taken as proof of not applied, though a copy may have been handed off",
			edits: []edit{{messageGo, `		return r.Sole ||`, `		return r.Sole || PLANTED && r.Held.IsZero() ||`}},
		},
		{
			Name: "lost-is-proof", Rule: 13,
			What: "an accept without an answer is taken as proof of not applied",
			edits: []edit{{messageGo, `	case VerdictYes, VerdictLost:
`, `	case VerdictLost:
		return PLANTED
	case VerdictYes:
`}},
		},
		{
			Name: "ballot-reused", Rule: 14,
			What: "a ballot is used again after an attempt that timed out",
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
			Name: "reply-before-sync", Rule: 17,
			What: "a reply leaves before what it says is synced",
			edits: []edit{{replicaGo, `	b.left.Add(1)
	key, put`, `	if PLANTED {
		r.store.Write(ops, func(err error) { r.landed(p, q.Key, effects.Put || effects.Drop, effects.State, err) })
		return effects.Drop
	}
	b.left.Add(1)
	key, put`}},
		},
		{
			Name:  "reply-before-earlier-sync",
			What:  "a reply doesn't wait for an earlier write of the key",
			edits: []edit{{replicaGo, `!pending && p.states == 0 {`, `(!pending || PLANTED) && p.states == 0 {`}},
		},
		{
			Name:  "reply-before-state",
			What:  "a reply doesn't wait for an earlier write of the horizon",
			edits: []edit{{replicaGo, `&& p.states == 0 {`, `&& (p.states == 0 || PLANTED) {`}},
		},
		{
			Name:  "accept-below-promise",
			What:  "an acceptor stores below its promise",
			edits: []edit{{acceptorGo, `if b.Less(bar) &&`, `if b.Less(bar) && !PLANTED &&`}},
		},
		{
			Name:  "accept-below-floor",
			What:  "an acceptor stores below its floor",
			edits: []edit{{acceptorGo, `!a.durable.Floor.Less(b) ||`, `!a.durable.Floor.Less(b) && !PLANTED ||`}},
		},
		{
			Name:  "accept-below-held",
			What:  "an acceptor replaces a record by an older one",
			edits: []edit{{acceptorGo, `|| !held.Ballot.Less(b) {`, `|| !held.Ballot.Less(b) && !PLANTED {`}},
		},
		{
			Name: "prepare-below-held",
			What: "an acceptor promises a ballot below that of its record",
			edits: []edit{{
				acceptorGo, `highest := Max(a.bar(q.Key), held.Ballot)`,
				`highest := Max(a.bar(q.Key), held.Ballot)
	if PLANTED {
		highest = a.bar(q.Key)
	}`,
			}},
		},
		{
			Name:  "forget-without-compare",
			What:  "the witness forgets whatever it holds of a key that was handed off",
			edits: []edit{{acceptorGo, `if held.Blank() || held.Ballot != b || a`, `if held.Blank() || held.Ballot != b && !PLANTED || a`}},
		},
		{
			Name: "forget-drops-promise",
			What: "the promise for a key goes with its hint",
			edits: []edit{{acceptorGo, `	a.chosen.drop(key)
`, `	a.chosen.drop(key)
	if PLANTED {
		a.promised.drop(key)
		return true
	}
`}},
		},
		{
			Name: "forget-keeps-epoch",
			What: "the epoch stays when hints are forgotten",
			edits: []edit{{acceptorGo, `func (a *Acceptor) Forgot() { a.epoch++ }`, `func (a *Acceptor) Forgot() {
	if !PLANTED {
		a.epoch++
	}
}`}},
		},
		{
			Name:  "refused-is-delivered",
			What:  "a hint that a replica refuses to take counts as delivered",
			edits: []edit{{handoffGo, "	case reply.Held.Less(h.hints[tag].Record.Ballot):", "	case reply.Held.Less(h.hints[tag].Record.Ballot) && !PLANTED:"}},
		},
		{
			Name: "chosen-without-compare",
			What: "a chosen mark goes on whatever record is held",
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
			Name:  "chosen-for-ever",
			What:  "a chosen mark outlives the record that it was for",
			edits: []edit{{acceptorGo, `r.Chosen = ok && mark == held.Ballot`, `r.Chosen = ok && (mark == held.Ballot || PLANTED)`}},
		},
		{
			Name: "write-back-takes-new-op",
			What: "writing back what is there gives it a new op id",
			edits: []edit{{writeGo, `	cur.Ballot = r.ballot
`, `	cur.Ballot = r.ballot
	if PLANTED {
		cur.Op = r.ballot
	}
`}},
		},
		{
			Name:  "resolve-believes",
			What:  "a change of unknown outcome counts as done whatever is read",
			edits: []edit{{readGo, `if !r.resolving || rec.Op == r.op {`, `if !r.resolving || rec.Op == r.op || PLANTED {`}},
		},
		{
			Name:  "passed-over-from-below",
			What:  "a change counts as passed over although what was read may be older than it",
			edits: []edit{{readGo, `rec.Op == r.base && r.op.Less(rec.Ballot)`, `rec.Op == r.base && (r.op.Less(rec.Ballot) || PLANTED)`}},
		},
		{
			Name: "refusal-without-read-rule",
			What: "a refusal is given for a record that isn't chosen",
			edits: []edit{{writeGo, `	case settled:
`, `	case settled || PLANTED:
`}},
		},
		{
			Name:  "late-replies-count",
			What:  "replies to earlier requests of the operation count",
			edits: []edit{{roundGo, `if tag == r.tag && !r.poll.answered[seat] {`, `if (tag == r.tag || PLANTED && r.poll.asked[seat] && r.phase != phasePause) && !r.poll.answered[seat] {`}},
		},
		{
			Name:  "expired-is-not-applied",
			What:  "an operation that expires while its accepts are under way says not applied",
			edits: []edit{{roundGo, `(r.phase == phaseAccept && r.own) {`, `(r.phase == phaseAccept && r.own && !PLANTED) {`}},
		},
		{
			Name: "hints-dropped",
			What: "hints are forgotten undelivered when there are too many",
			edits: []edit{{handingGo, `	delivered := h.Delivered()
`, `	delivered := h.Delivered()
	if hints, _ := n.replica.Hints(h.partition, "", handoffBatch); PLANTED && len(hints) > 1 {
		delivered = hints
	}
`}},
		},
		{
			Name: "same-epoch-at-each-start",
			What: "every start of a node has the same first epoch",
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
			Name: "proposer-id-kept",
			What: "a gateway keeps its proposer id over a restart",
			edits: []edit{{gatewayGo, `	g.proposer = g.sim.newProposer(&g.clock)
	open`, `	old := g.proposer.ballots
	g.proposer = g.sim.newProposer(&g.clock)
	if PLANTED {
		g.proposer.ballots = register.NewClock(old.Next(0).Proposer)
	}
	open`}},
		},
		{
			Name:  "follows-astray",
			What:  "a proposer follows a ballot that is out of the others' reach",
			edits: []edit{{roundGo, `if !r.poll.astray && highest`, `if !PLANTED && !r.poll.astray && highest`}},
		},
		{
			Name: "horizon-from-ballot",
			What: "each restart pushes the ballots seconds ahead",
			edits: []edit{{
				acceptorGo, `a.durable.Horizon = max(now+HorizonStep, b.Time+HorizonSlack)`,
				`a.durable.Horizon = max(now+HorizonStep, b.Time+HorizonSlack)
	if PLANTED {
		a.durable.Horizon = b.Time + HorizonStep
	}`,
			}},
		},
		{
			Name: "clean-stop-forgets",
			What: "an orderly stop leaves a horizon below what was promised",
			edits: []edit{{acceptorGo, `d.Horizon = max(a.top.Time, d.Floor.Time) + 1`, `d.Horizon = max(a.top.Time, d.Floor.Time) + 1
	if PLANTED {
		d.Horizon = d.Floor.Time
	}`}},
		},
		{
			Name: "wiped-votes", Rule: 6, What: "a node whose disk was lost votes at once",
			edits: []edit{{identityGo, `Life{Incarnation: incarnation, Joining: true}`, `Life{Incarnation: incarnation, Joining: !register.Planted("wiped-votes")}`}},
		},
		{
			Name: "copy-untold", What: "a copy of the disk made since its last start is not told from it",
			edits: []edit{{identityGo, `l.Beat < o.Beat`, `l.Beat < o.Beat && !PLANTED`}},
		},
		{
			Name: "rebuild-without-fence", Rule: 7, What: "a rebuilt node takes what its peers have long refused",
			edits: []edit{{acceptorGo, `func (a *Acceptor) Join(floor Ballot) { a.durable.Floor = Max(a.durable.Floor, floor) }`, `func (a *Acceptor) Join(floor Ballot) {
	if !PLANTED {
		a.durable.Floor = Max(a.durable.Floor, floor)
	}
}`}},
		},
		{
			Name: "fence-of-one-peer", What: "the fence of one peer is enough",
			edits: []edit{{decideGo, `fences[i] = register.Max(fences[i], p.Fences[i])`, `if !PLANTED {
				fences[i] = register.Max(fences[i], p.Fences[i])
			}`}},
		},
		{
			Name: "messages-without-incarnations", Rule: 7, What: "a message that was sent before a disk was lost counts after it",
			edits: []edit{{acceptorGo, `if q.Disks.olderThan(a.group.Disks) {`, `if q.Disks.olderThan(a.group.Disks) && !PLANTED {`}},
		},
		{
			Name: "witness-votes-unsettled", Rule: 8, What: "a lost witness votes before the data replicas agree",
			edits: []edit{{rebuildGo, `		err = r.settle(ctx, partition)
`, "		if register.Planted(\"witness-votes-unsettled\") {\n			r.joiner.PartitionRebuilt(partition)\n			return true, nil\n		}\n		err = r.settle(ctx, partition)\n"}},
		},
		{
			Name: "collect-without-witness", Rule: 11, What: "a tombstone is collected without asking the witness",
			edits: []edit{{collectGo, `	dropped, lacking, err :=`, "	if register.Planted(\"collect-without-witness\") {\n		barred = page\n	}\n	dropped, lacking, err :="}},
		},
		{
			Name: "collect-leaves-floors", Rule: 12, What: "collecting leaves the floors alone",
			edits: []edit{{acceptorGo, `	if !a.durable.Floor.Less(b) {
		return false`, "	if !a.durable.Floor.Less(b) || Planted(\"collect-leaves-floors\") {\n		return false"}},
		},
		{
			Name: "collect-without-compare", What: "a data replica drops whatever it holds of a key whose tombstone is collected",
			edits: []edit{{
				acceptorGo, `held.Ballot != q.Ballot || !held.Tombstone || a.group.AnyJoining() {`,
				`(held.Ballot != q.Ballot || !held.Tombstone) && !Planted("collect-without-compare") || a.group.AnyJoining() {`,
			}},
		},
		{
			Name: "rolled-back-votes", What: "a node goes on with an old copy of its disk",
			edits: []edit{{decideGo, `case old && own.Incarnation > 0:`, `case old && own.Incarnation > 0 && !register.Planted("rolled-back-votes"):`}},
		},
		{
			Name: "starts-look-alike", What: "a copy made before the last start is not told from the disk",
			edits: []edit{{identityGo, `l.Boots-o.Boots < n &&`, `l.Boots-o.Boots < n && !register.Planted("starts-look-alike") &&`}},
		},
		{
			Name: "unrecognized-starts-count",
			What: "an old copy of a disk that is started often, unheard, forgets where it parted from the disk",
			edits: []edit{
				// The others are looked for with as few starts in mind.
				{identityGo, `type Starts = [16]uint64`, `type Starts = [2]uint64`},
				{peerGo, `Starts      [16]uint64`, `Starts      [2]uint64`},
				{identityGo, `if l.Boots > 0 && !l.Recognized {`, `if l.Boots > 0 && !l.Recognized && !PLANTED {`},
			},
		},
		{
			Name: "rebuild-skips-hints", What: "a data replica is rebuilt without the hints of the witness",
			edits: []edit{{rebuildGo, `if r.source == len(sources) {`, `if r.source == len(sources) || register.Planted("rebuild-skips-hints") {`}},
		},
		{
			Name: "rebuild-obeys-floor", What: "the floor bars the copies of a rebuild",
			edits: []edit{{acceptorGo, `if !a.Joining() || !held.Ballot.Less(rec.Ballot) {`, `if !a.Joining() || !held.Ballot.Less(rec.Ballot) || Planted("rebuild-obeys-floor") && !a.durable.Floor.Less(rec.Ballot) {`}},
		},
		{
			Name: "joining-votes", What: "an acceptor answers reads and prepares while it is being rebuilt",
			edits: []edit{{acceptorGo, `	if a.Joining() {
		return Reply{Verdict: VerdictUnable}`, "	if a.Joining() && !Planted(\"joining-votes\") {\n		return Reply{Verdict: VerdictUnable}"}},
		},
		{
			Name: "full-accept-not-applied", What: "a change whose accept a full node refuses is called not applied, whatever the other said",
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
			Name: "full-counts-as-held", What: "the witness forgets a hint for which a data replica has no room",
			edits: []edit{{handoffGo, `	case reply.Verdict == VerdictYes:`, `	case reply.Verdict == VerdictYes, PLANTED && reply.Verdict == VerdictFull:`}},
		},
		{
			Name: "full-takes-prepares", What: "a full node promises room",
			edits: []edit{{messageGo, `(q.Kind == KindPrepare ||`, `(q.Kind == KindPrepare && !PLANTED ||`}},
		},
		{
			Name: "difference-read", What: "anti-entropy reads what differs instead of rewriting it",
			edits: []edit{{entropyGo, `Key: key, Rewrite: true, Above`, `Key: key, Rewrite: !register.Planted("difference-read"), Above`}},
		},
		{
			Name: "damaged-is-blank", What: "an acceptor takes a damaged record for a blank, and votes with it",
			edits: []edit{{damageGo, `	if q.Kind != KindAccept || q.Record.Ballot.Less(bar) {
		return Reply`, `	if (q.Kind != KindAccept || q.Record.Ballot.Less(bar)) && !PLANTED {
		return Reply`}},
		},
		{
			Name: "damaged-replaced-below-bar", What: "a damaged record is replaced by an accept below the bar",
			edits: []edit{{damageGo, `q.Record.Ballot.Less(bar)) && !`, `q.Record.Ballot.Less(bar) && !PLANTED) && !`}},
		},
		{
			Name: "damaged-copied-below-bar", Slow: true, What: "a rebuild replaces a damaged record by an older copy",
			edits: []edit{{damageGo, `	if rec.Ballot.Less(bar) {`, `	if rec.Ballot.Less(bar) && !PLANTED {`}},
		},
		{
			Name: "mended-without-filling", What: "where the others hold nothing, a damaged record is left as it is",
			edits: []edit{{mendGo, `Rewrite: true, Fill: true,`, `Rewrite: true, Fill: !register.Planted("mended-without-filling"),`}},
		},
		{
			Name: "damage-kept-in-digest", What: "the digest keeps what a damaged record added to it",
			edits: []edit{{rotGo, `	p.uncounted = true // what`, `	p.uncounted = !register.Planted("damage-kept-in-digest") // what`}},
		},
		{
			Name: "write-ignores-epochs", Slow: true, Rule: 5, What: "a change or its refusal doesn't start over after a blank that moved",
			edits: []edit{{writeGo, `if _, moved := r.moved(); moved > 0 {`, `if _, moved := r.moved(); moved > 0 && !PLANTED {`}},
		},
		{
			Name: "unadmitted-raises-beat", Slow: true, What: "an old copy of a disk that isn't admitted yet catches up with the disk",
			edits: []edit{{identityGo, `if r.admitted.Load() && r.changed.Swap(false) {`, `if (r.admitted.Load() || own.Incarnation > 0 && PLANTED) && r.changed.Swap(false) {`}},
		},
		{
			Name: "rebuild-one-page", What: "a rebuild copies the first page of each source only",
			edits: []edit{{rebuildGo, `if more && len(page) > 0 {`, `if more && len(page) > 0 && !PLANTED {`}},
		},
		{
			Name: "copy-replaces-newer", What: "a rebuild replaces what was accepted meanwhile by an older copy",
			edits: []edit{{acceptorGo, `if !a.Joining() || !held.Ballot.Less(rec.Ballot) ||`, `if !a.Joining() || !held.Ballot.Less(rec.Ballot) && !PLANTED ||`}},
		},
		{
			Name: "same-incarnation", What: "a lost disk comes back under the incarnation that it had",
			edits: []edit{{decideGo, `incarnation: known.Incarnation + 1}`, `incarnation: func() uint32 {
			if PLANTED {
				return known.Incarnation
			}
			return known.Incarnation + 1
		}()}`}},
		},
		{
			Name: "bar-over-hint", What: "the witness lets a tombstone go while it holds a hint for the key",
			edits: []edit{{acceptorGo, `if a.seat != SeatW || !held.Blank() ||`, `if a.seat != SeatW || !held.Blank() && !PLANTED ||`}},
		},
		{
			Name: "pending-unseen", What: "an acceptor doesn't see what is on its way to disk",
			edits: []edit{{replicaGo, `if w, ok := p.pending[key]; ok {`, `if w, ok := p.pending[key]; ok && !PLANTED {`}},
		},
		{
			Name: "admitted-unheard", What: "a node takes part though no peer has answered its hello",
			edits: []edit{{decideGo, `case len(peers) == 0:`, `case len(peers) == 0 && !PLANTED:`}},
		},
		{
			Name: "hear-unsynced", What: "a peer answers a hello before it has recorded it durably",
			edits: []edit{{identityGo, `	r.store.Write(ops, func(err error) { done(heard, err) })`, `	if PLANTED {
		r.store.Write(ops, func(error) {})
		done(heard, nil)
		return
	}
	r.store.Write(ops, func(err error) { done(heard, err) })`}},
		},
		{
			Name: "show-unsynced", What: "a node shows a life that a crash may yet take back",
			edits: []edit{{identityGo, `	r.store.Write(ops, func(err error) { done(shown, err) })`, `	if PLANTED {
		r.store.Write(ops, func(error) {})
		done(shown, nil)
		return
	}
	r.store.Write(ops, func(err error) { done(shown, err) })`}},
		},
		{
			Name: "settles-all-but-one", What: "a lost witness votes when all buckets but one agree",
			edits: []edit{{rebuildGo, `if len(open) == 0 {`, `if len(open) == 0 || PLANTED && len(open) == 1 {`}},
		},
		{
			Name: "heals-one-way", What: "anti-entropy looks only for what the second data replica lacks",
			edits: []edit{{entropyGo, `	for seat := range held {
		for key,`, `	for seat := range held {
		if PLANTED && seat == 1 {
			break
		}
		for key,`}},
		},
		{
			Name: "mended-below-floor", Slow: true, What: "a damaged record is settled at ballots that the floor, raised since, keeps out",
			edits: []edit{{rotGo, `Bar: register.Max(bar, p.acc.Durable().Floor)})`, `Bar: func() register.Ballot {
				if PLANTED {
					return bar
				}
				return register.Max(bar, p.acc.Durable().Floor)
			}()})`}},
		},
		{
			Name: "quorum-of-one", What: "one acceptor is a quorum for a change: nearly every run must fail",
			edits: []edit{
				{writeGo, `	if r.poll.yes == 2 {
		rec := r.proposal`, `	if r.poll.yes == 2 || PLANTED && r.poll.yes == 1 {
		rec := r.proposal`},
				{writeGo, `	r.send(r.pair[1])
`, `	if !PLANTED {
		r.send(r.pair[1])
	}
`},
			},
		},
	}
}
