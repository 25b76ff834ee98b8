package service_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/service"
)

// forever is a time that a test does not live to see.
const forever = time.Hour

// get makes a request on a connection of the client's pool, if it has one, and
// reports whether the reply ended it.
func get(t *testing.T, client *http.Client, address string) (last bool) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, http.NoBody)
	require.NoError(t, err)
	reply, err := client.Do(request)
	require.NoError(t, err)
	defer reply.Body.Close()
	_, err = io.Copy(io.Discard, reply.Body)
	require.NoError(t, err)
	return reply.Close
}

// stopping starts a server, connects two clients to it, and begins to stop it.
func stopping(t *testing.T, linger service.Linger) (address string, one, other *http.Client, served <-chan error) {
	t.Helper()
	l := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })
	ended := make(chan error, 1)
	go func() { ended <- service.Serve(ctx, l, handler, linger, discard()) }()
	address = l.Addr().String()
	one, other = &http.Client{Transport: &http.Transport{}}, &http.Client{Transport: &http.Transport{}}
	require.False(t, get(t, one, address))
	require.False(t, get(t, other, address))
	cancel()
	return address, one, other, ended
}

// TestFarewell: a server that stops takes no new connection, answers on those
// that it has, each for the last time, and ends when none is left.
func TestFarewell(t *testing.T) {
	address, one, other, served := stopping(t, service.Linger{Farewell: forever})
	awaitRefusal(t, address)
	for !get(t, one, address) { // the listener goes just before
	}
	select {
	case err := <-served:
		require.Fail(t, "it ended while a client did not know", err)
	default:
	}
	require.True(t, get(t, other, address))
	require.NoError(t, <-served)
}

// TestUnready: before that it serves on as if nothing were, new connections too,
// while anybody is there to notice that it is not ready.
func TestUnready(t *testing.T) {
	address, one, other, served := stopping(t, service.Linger{Unready: forever, Farewell: forever})
	require.False(t, get(t, one, address))
	one.CloseIdleConnections()
	require.False(t, get(t, one, address))
	one.CloseIdleConnections()
	other.CloseIdleConnections()
	require.NoError(t, <-served)
}

// TestNobodyIsWaitedForLonger than told to.
func TestNobodyIsWaitedForLonger(t *testing.T) {
	_, _, _, served := stopping(t, service.Linger{})
	require.NoError(t, <-served)
}
