package nodeclient_test

import (
	"net/http"
	"strings"
	"sync/atomic"
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
	n.onFrame(func(_ http.ResponseWriter, f wire.RequestFrame) bool {
		if f.Requests[0].Kind == register.KindAccept {
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
// called unsent, not even when the second attempt found nobody.
func TestCutAfterReadingIsLost(t *testing.T) {
	t.Run("both attempts", func(t *testing.T) {
		n := startNode(t)
		c := n.client()
		n.onFrame(func(w http.ResponseWriter, _ wire.RequestFrame) bool { cut(w); return true })
		require.Equal(t, register.VerdictLost, await(t, send(c, accept("a"))).Verdict)
		require.Len(t, n.frames(), 2, "tried twice, and no more")
	})
	t.Run("then nobody listens", func(t *testing.T) {
		n := startNode(t)
		c := n.client()
		n.onFrame(func(http.ResponseWriter, wire.RequestFrame) bool {
			n.stop()
			return true
		})
		require.Equal(t, register.VerdictLost, await(t, send(c, accept("a"))).Verdict)
		require.Len(t, n.frames(), 1)
	})
}

// TestSecondAttemptIsNotSole: the first copy may have been taken, or may be yet.
func TestSecondAttemptIsNotSole(t *testing.T) {
	n := startNode(t)
	c := n.client()
	var cuts atomic.Int64
	n.onFrame(func(w http.ResponseWriter, _ wire.RequestFrame) bool {
		first := cuts.Add(1) == 1
		if first {
			cut(w)
		}
		return first
	})
	r := await(t, send(c, accept("a")))
	require.Equal(t, register.VerdictYes, r.Verdict)
	require.False(t, r.Sole)
	require.True(t, await(t, send(c, accept("a"))).Sole)
}

func TestRefusedFrames(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   register.Verdict
	}{
		"for another node": {http.StatusConflict, "this is db-1", register.VerdictUnsent},
		"stopping":         {http.StatusServiceUnavailable, "the node is stopping", register.VerdictLost},
		"malformed":        {http.StatusBadRequest, "malformed frame", register.VerdictLost},
		"no replies":       {http.StatusOK, "hello", register.VerdictLost},
		"too few replies":  {http.StatusOK, string(wire.AppendReplies(nil, nil)), register.VerdictLost},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t)
			client := n.client()
			n.notReady.Store(true)
			n.onFrame(func(w http.ResponseWriter, _ wire.RequestFrame) bool {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
				return true
			})
			require.Equal(t, c.want, await(t, send(client, accept("a"))).Verdict)
			require.Len(t, n.frames(), 1, "an answer, even a bad one, is not asked for again")
			require.False(t, client.Up())
			if c.status != http.StatusOK {
				require.ErrorContains(t, client.Err(), c.body)
			}
		})
	}
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
	require.Len(t, n.frames(), 1, "there is no time for a second attempt")
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
