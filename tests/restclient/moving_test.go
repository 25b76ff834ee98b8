package restclient_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/dyad-db/dyad/tests/restclient"
	"github.com/dyad-db/dyad/tests/restclient/resttest"
)

// moves returns a client that moves, of a gateway that answers by bad and of a
// good one, and how often bad was asked.
func moves(t *testing.T, bad http.HandlerFunc) (c *restclient.Client, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		bad(w, r)
	}))
	t.Cleanup(server.Close)
	c = restclient.NewMoving(patience, resttest.Start(t, &resttest.Gateway{}), server.URL) // the second has the first turn
	t.Cleanup(c.Close)
	return c, asked
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestAnUnansweredRequestMovesOnce(t *testing.T) {
	c, asked := moves(t, hangUp)
	var moved int
	for range 20 {
		got := c.Create(t.Context(), zoe)
		assert.Contains(t, []restclient.Outcome{restclient.OK, restclient.Exists}, got.Outcome)
		assert.Equal(t, got.Moved, got.Doubt, "its body had left")
		if got.Moved {
			moved++
		}
	}
	assert.Equal(t, 1, moved, "then the gateway is left alone")
	assert.EqualValues(t, 1, asked.Load())
}

func TestNoPatienceWithAGatewayThatHangs(t *testing.T) {
	release := make(chan struct{})
	c, _ := moves(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	c.SetPatience(time.Nanosecond) // but the last one that answers is waited for
	for i := range 3 {
		got := c.Delete(t.Context(), zoe.ID)
		assert.Equal(t, restclient.NotFound, got.Outcome)
		assert.True(t, got.Moved || i > 0)
	}
}

func TestAnAnswerDoesNotMove(t *testing.T) {
	c, asked := moves(t, func(w http.ResponseWriter, _ *http.Request) { resttest.Refuse(w, http.StatusServiceUnavailable) })
	refused := 0
	for range 10 {
		got := c.Create(t.Context(), zoe)
		assert.False(t, got.Moved)
		if got.Outcome == restclient.Unavailable {
			refused++
		}
	}
	assert.Equal(t, 5, refused)
	assert.EqualValues(t, 5, asked.Load())
}

func TestWhatNeverLeftIsNotInDoubt(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c := restclient.NewMoving(patience, server.URL, resttest.Start(t, &resttest.Gateway{}))
	defer c.Close()
	for range 2 {
		got := c.Delete(t.Context(), zoe.ID)
		assert.Equal(t, restclient.NotFound, got.Outcome)
		assert.False(t, got.Doubt)
	}
}

func TestBothGatewaysGone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(hangUp))
	defer server.Close()
	c := restclient.NewMoving(patience, server.URL, server.URL)
	defer c.Close()
	assert.Equal(t, restclient.Unknown, c.Create(t.Context(), zoe).Outcome)
	assert.Equal(t, restclient.Unknown, c.Create(t.Context(), zoe).Outcome, "and it is asked again")
}
