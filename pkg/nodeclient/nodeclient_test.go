package nodeclient_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

func TestWhatWaitsSharesAFrame(t *testing.T) {
	n := startNode(t)
	c := n.client()
	release := n.hold()
	// Two frames of the lane are under way at once; what comes then has to wait.
	first := []<-chan register.Reply{send(c, read("a"))}
	eventually(t, "one frame", func() bool { return len(n.frames()) == 1 })
	first = append(first, send(c, read("b")))
	eventually(t, "two frames", func() bool { return len(n.frames()) == 2 })
	var replies []<-chan register.Reply
	for i := range 1000 {
		replies = append(replies, send(c, read(strings.Repeat("k", i%200+1))))
	}
	release()
	for i, reply := range replies {
		r := await(t, reply)
		require.Equal(t, register.VerdictYes, r.Verdict)
		require.EqualValues(t, i%200+1, r.Epoch, "each has its own reply")
		require.True(t, r.Sole)
	}
	for _, reply := range first {
		await(t, reply)
	}
	frames := n.frames()
	require.Equal(t, []int{1, 1}, frames[:2])
	sum := 0
	for _, size := range frames[2:] {
		require.LessOrEqual(t, size, 512)
		sum += size
	}
	require.Equal(t, 1000, sum)
	require.LessOrEqual(t, len(frames), 2+4, "1000 messages that wait are 2 frames, and few more if they arrive while one is taken")
}

func TestAcceptsDontHoldUpReads(t *testing.T) {
	n := startNode(t)
	c := n.client()
	gate := make(chan struct{})
	n.onFrame(func(_ *served, requests []register.Request) bool {
		if requests[0].Kind == register.KindAccept {
			<-gate
		}
		return false
	})
	var accepts []<-chan register.Reply
	for range 10 {
		accepts = append(accepts, send(c, accept("a")))
	}
	require.Equal(t, register.VerdictYes, await(t, send(c, read("a"))).Verdict)
	close(gate)
	for _, reply := range accepts {
		require.Equal(t, register.VerdictYes, await(t, reply).Verdict)
	}
}

func TestFullQueueAnswersUnsent(t *testing.T) {
	n := startNode(t)
	c := n.client()
	n.hold()
	unsent := 0
	for range 8192 + 2*512 + 100 { // the queue, two frames under way, and some
		select {
		case r := <-send(c, read("a")):
			require.Equal(t, register.VerdictUnsent, r.Verdict)
			unsent++
		default:
		}
	}
	require.GreaterOrEqual(t, unsent, 100)
}

func TestNoConnectionIsUnsent(t *testing.T) {
	n := startNode(t)
	c := n.client()
	n.stop()
	require.Equal(t, register.VerdictUnsent, await(t, send(c, accept("a"))).Verdict)
	require.False(t, c.Up())
	require.Error(t, c.Err())
}

// TestCutAfterReadingIsLost: the node may have taken the message, so it is never
// called unsent; and it is not sent again, so that a later reply says all.
func TestCutAfterReadingIsLost(t *testing.T) {
	n := startNode(t)
	c := n.client()
	n.notReady.Store(true)
	n.onFrame(func(s *served, _ []register.Request) bool { _ = s.conn.Close(); return true })
	require.Equal(t, register.VerdictLost, await(t, send(c, accept("a"))).Verdict)
	require.Len(t, n.frames(), 1)
	require.False(t, c.Up())
	n.onFrame(func(*served, []register.Request) bool { return false })
	r := await(t, send(c, accept("a")))
	require.Equal(t, register.VerdictYes, r.Verdict)
	require.True(t, r.Sole)
	require.Len(t, n.frames(), 2)
}

// TestARestartIsKnownBeforeAnythingIsSent: a stream that ends while nothing is
// under way costs no message.
func TestARestartIsKnownBeforeAnythingIsSent(t *testing.T) {
	n := startNode(t)
	c := n.client()
	await(t, send(c, read("a")))
	n.notReady.Store(true)
	n.stop()
	eventually(t, "it is down", func() bool { return !c.Up() })
	n.serve(n.address)
	require.Equal(t, register.VerdictYes, await(t, send(c, accept("a"))).Verdict)
	require.EqualValues(t, 2, n.upgrades.Load())
}

func TestRefusedUpgradesAreUnsent(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"for another node": {http.StatusConflict, "this is db-1"},
		"stopping":         {http.StatusServiceUnavailable, "the node is stopping"},
		"no such protocol": {http.StatusNotFound, "404 page not found"},
		"no upgrade":       {http.StatusOK, "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t)
			client := n.client()
			n.notReady.Store(true)
			refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			})
			n.upgrade.Store(&refuse)
			require.Equal(t, register.VerdictUnsent, await(t, send(client, accept("a"))).Verdict)
			require.False(t, client.Up())
			require.ErrorContains(t, client.Err(), c.body)
			require.EqualValues(t, 1, n.upgrades.Load(), "an answer, even a bad one, is not asked for again")
		})
	}
}

// TestFrozenBeforeTheUpgradeIsUnsent: a frozen node's connections open all the same.
func TestFrozenBeforeTheUpgradeIsUnsent(t *testing.T) {
	n := startNode(t)
	gate := make(chan struct{})
	hang := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-gate })
	n.upgrade.Store(&hang)
	t.Cleanup(func() { close(gate) })
	n.notReady.Store(true)
	c := n.client()
	require.Equal(t, register.VerdictUnsent, await(t, send(c, accept("a"))).Verdict)
	require.False(t, c.Up())
}

func TestBadRepliesAreLost(t *testing.T) {
	for name, body := range map[string][]byte{
		"no replies":      []byte("hello"),
		"too few replies": wire.AppendReplies(nil, nil),
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t)
			c := n.client()
			n.notReady.Store(true)
			n.onFrame(func(s *served, _ []register.Request) bool { s.answer(body); return true })
			require.Equal(t, register.VerdictLost, await(t, send(c, accept("a"))).Verdict)
			require.False(t, c.Up())
			require.ErrorContains(t, c.Err(), "malformed frame")
		})
	}
}

// TestALateReplyIsLost, and nothing else on its stream is.
func TestALateReplyIsLost(t *testing.T) {
	n := startNode(t)
	c := n.client(func(cfg *nodeclient.Config) { cfg.FrameTimeout = 200 * time.Millisecond })
	late := make(chan *served, 1)
	n.onFrame(func(s *served, requests []register.Request) bool {
		if requests[0].Kind != register.KindAccept {
			return false
		}
		late <- s
		return true
	})
	lost := send(c, accept("late"))
	for len(lost) == 0 { // the node is not silent
		require.Equal(t, register.VerdictYes, await(t, send(c, read("a"))).Verdict)
	}
	require.Equal(t, register.VerdictLost, await(t, lost).Verdict)
	(<-late).answer(wire.AppendReplies(nil, []register.Reply{{Verdict: register.VerdictYes}}))
	require.Equal(t, register.VerdictYes, await(t, send(c, read("a"))).Verdict)
	require.Empty(t, lost, "answered once")
	require.EqualValues(t, 1, n.upgrades.Load(), "on the same stream")
}

func TestWhatWaitedPastItsDeadlineIsUnsent(t *testing.T) {
	n := startNode(t)
	c := n.client()
	release := n.hold()
	for i := range 2 {
		send(c, read("a"))
		eventually(t, "a frame", func() bool { return len(n.frames()) == i+1 })
	}
	late := sendUntil(c, read("late"), time.Now().Add(-time.Second))
	inTime := send(c, read("in time"))
	release()
	require.Equal(t, register.VerdictUnsent, await(t, late).Verdict)
	require.Equal(t, register.VerdictYes, await(t, inTime).Verdict)
	sum := 0
	for _, size := range n.frames() {
		sum += size
	}
	require.Equal(t, 3, sum, "the late one never left")
}

func TestFrozenNodeIsLost(t *testing.T) {
	n := startNode(t)
	n.hold()
	c := n.client(func(cfg *nodeclient.Config) { cfg.FrameTimeout = 10 * time.Millisecond })
	require.Equal(t, register.VerdictLost, await(t, send(c, accept("a"))).Verdict)
	require.Len(t, n.frames(), 1)
	require.False(t, c.Up())
}

func TestDownUntilItServesAgain(t *testing.T) {
	n := startNode(t)
	c := n.client()
	require.True(t, c.Up(), "until something is known")
	require.NoError(t, c.Err())
	n.stop()
	await(t, send(c, read("a")))
	require.False(t, c.Up())

	n.notReady.Store(true)
	n.serve(n.address)
	asked := n.probes.Load()
	eventually(t, "it is asked twice whether it serves", func() bool { return n.probes.Load() > asked+1 })
	require.False(t, c.Up(), "it runs, but does not serve")
	n.notReady.Store(false)
	eventually(t, "it is up", c.Up)
	require.NoError(t, c.Err())

	n.stop()
	await(t, send(c, read("a")))
	require.False(t, c.Up())
	n.serve(n.address)
	require.Equal(t, register.VerdictYes, await(t, send(c, read("a"))).Verdict, "a node that is down is still sent what is asked for")
	require.True(t, c.Up(), "and its answer is as good as a probe")
}

func TestLazyMessagesRideAlong(t *testing.T) {
	n := startNode(t)
	c := n.client()
	lazy := register.Request{Kind: register.KindChosen, Key: "a", Ballot: register.Ballot{Time: 1}}
	for range 3 {
		c.SendLazy(lazy)
	}
	await(t, send(c, read("a")))
	require.Equal(t, []int{4}, n.frames())

	for range 64 {
		c.SendLazy(lazy)
	}
	eventually(t, "many have a frame of their own", func() bool {
		sum := 0
		for _, size := range n.frames() {
			sum += size
		}
		return sum == 4+64
	})
	c.SendLazy(accept("repair"))
	eventually(t, "a repair goes at once", func() bool {
		frames := n.frames()
		return frames[len(frames)-1] == 1
	})
}

func TestLazyMessagesToANodeThatIsDownAreLost(t *testing.T) {
	n := startNode(t)
	c := n.client()
	n.notReady.Store(true)
	n.stop()
	await(t, send(c, read("a")))
	for range 100 {
		c.SendLazy(register.Request{Kind: register.KindChosen, Key: "a"})
		c.SendLazy(accept("a"))
	}
	n.serve(n.address)
	await(t, send(c, read("a")))
	await(t, send(c, accept("a")))
	require.Equal(t, []int{1, 1}, n.frames())
}

func TestCloseAnswersWhatWaits(t *testing.T) {
	n := startNode(t)
	c := n.client()
	n.hold()
	var replies []<-chan register.Reply
	for range 2000 {
		replies = append(replies, send(c, accept("a")))
	}
	c.Close()
	for _, reply := range replies {
		v := await(t, reply).Verdict
		require.Contains(t, []register.Verdict{register.VerdictUnsent, register.VerdictLost}, v)
		require.Empty(t, reply, "answered once")
	}
	require.Equal(t, register.VerdictUnsent, await(t, send(c, read("a"))).Verdict)
}
