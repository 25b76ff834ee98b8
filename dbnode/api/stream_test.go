package api_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/api"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// patience bounds the wait for what must happen; nothing is expected to take it.
const patience = 20 * time.Second

// client is the other end of a stream, on a real socket.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func start(t *testing.T, a acceptors) (*api.Handler, string) {
	t.Helper()
	h, _ := handler(t, a)
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		h.Farewell()
		h.Close()
		server.Close()
	})
	return h, server.Listener.Addr().String()
}

// answer is what came of asking for a stream.
type answer struct {
	status int
	header http.Header
	body   string
}

// upgrade asks for a stream and returns the answer.
func upgrade(t *testing.T, address string, change func(http.Header)) (*client, answer) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+wire.PathStream, nil)
	require.NoError(t, err)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", wire.StreamProtocol)
	r.Header.Set(wire.HeaderTo, "db-1")
	r.Header.Set(wire.HeaderPartitions, "64")
	if change != nil {
		change(r.Header)
	}
	require.NoError(t, r.Write(conn))
	c := &client{t, conn, bufio.NewReader(conn)}
	resp, err := http.ReadResponse(c.in, r)
	require.NoError(t, err)
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.status != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		a.body = string(body)
	}
	return c, a
}

func open(t *testing.T, address string) *client {
	t.Helper()
	c, a := upgrade(t, address, nil)
	require.Equal(t, http.StatusSwitchingProtocols, a.status)
	require.Equal(t, wire.StreamProtocol, a.header.Get("Upgrade"))
	return c
}

func reads(n int) []register.Request {
	requests := make([]register.Request, n)
	for i := range requests {
		requests[i] = register.Request{Kind: register.KindRead, Key: strings.Repeat("k", i%9+1)}
	}
	return requests
}

func frame(number uint32, requests []register.Request) []byte {
	f := wire.AppendRequests(wire.AppendHead(nil), requests)
	wire.SetHead(f, number)
	return f
}

func (c *client) send(frames ...[]byte) {
	c.t.Helper()
	_, err := c.conn.Write(bytes.Join(frames, nil))
	require.NoError(c.t, err)
}

// next returns the next frame, or an error at the end of the stream.
func (c *client) next() (number uint32, body []byte, err error) {
	var head [wire.HeadSize]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	number, size, err := wire.Head(head)
	require.NoError(c.t, err)
	body = make([]byte, size)
	_, err = io.ReadFull(c.in, body)
	return number, body, err
}

// replies returns the next frame, which answers want requests.
func (c *client) replies(want int) (number uint32, replies []register.Reply) {
	c.t.Helper()
	number, body, err := c.next()
	require.NoError(c.t, err)
	replies, err = wire.DecodeReplies(body, want)
	require.NoError(c.t, err)
	return number, replies
}

func (c *client) requireEnd() {
	c.t.Helper()
	_, _, err := c.next()
	require.Error(c.t, err)
	require.NotErrorIs(c.t, err, os.ErrDeadlineExceeded, "the stream must end")
}

func TestFramesAreAnswered(t *testing.T) {
	_, address := start(t, yes)
	c := open(t, address)
	for i, n := range []int{0, 1, 100, wire.MaxMessages} {
		requests := reads(n)
		c.send(frame(uint32(i+1), requests))
		number, replies := c.replies(n)
		require.EqualValues(t, i+1, number)
		for i, r := range replies {
			require.EqualValues(t, len(requests[i].Key), r.Epoch)
		}
	}
}

// TestAFrameThatMustWaitHoldsUpNone: its reply comes when it can be given.
func TestAFrameThatMustWaitHoldsUpNone(t *testing.T) {
	var waiting func([]register.Reply)
	_, address := start(t, func(requests []register.Request, done func([]register.Reply)) {
		if requests[0].Key == "kk" {
			waiting = done
			return
		}
		yes(requests, done)
	})
	c := open(t, address)
	c.send(frame(7, reads(2)[1:]), frame(8, reads(1)))
	number, _ := c.replies(1)
	require.EqualValues(t, 8, number)
	waiting([]register.Reply{{Verdict: register.VerdictUnable}})
	number, replies := c.replies(1)
	require.EqualValues(t, 7, number)
	require.Equal(t, register.VerdictUnable, replies[0].Verdict)
}

func TestStreamsForOthersAreRefused(t *testing.T) {
	_, address := start(t, untouched(t))
	for name, c := range map[string]struct {
		header, value string
		status        int
		says          string
	}{
		"another node":       {wire.HeaderTo, "db-0", http.StatusConflict, "check --nodes and --partitions"},
		"no node":            {wire.HeaderTo, "", http.StatusConflict, "check --nodes and --partitions"},
		"another partitions": {wire.HeaderPartitions, "128", http.StatusConflict, "check --nodes and --partitions"},
		"no number":          {wire.HeaderPartitions, "x", http.StatusBadRequest, "no number"},
		"no upgrade":         {"Upgrade", "", http.StatusUpgradeRequired, wire.StreamProtocol},
		"another protocol":   {"Upgrade", "websocket", http.StatusUpgradeRequired, wire.StreamProtocol},
	} {
		_, a := upgrade(t, address, func(h http.Header) { h.Set(c.header, c.value) })
		require.Equal(t, c.status, a.status, name)
		require.Contains(t, a.body, c.says, name)
	}
}

func TestMalformedFramesEndTheStream(t *testing.T) {
	_, address := start(t, untouched(t))
	body := wire.AppendRequests(nil, reads(3))
	whole := func(body []byte) []byte {
		f := append(wire.AppendHead(nil), body...)
		wire.SetHead(f, 1)
		return f
	}
	for name, bytes := range map[string][]byte{
		"empty":               whole(nil),
		"another version":     whole(append([]byte{99}, body[1:]...)),
		"cut short":           whole(body[:len(body)-1]),
		"more than a frame":   whole(append(body, 0)),
		"JSON":                whole([]byte(`{"to":"db-1"}`)),
		"larger than a frame": {0xff, 0, 0, 0, 0, 0, 0, 1},
		"too many in a frame": whole(wire.AppendRequests(nil, reads(wire.MaxMessages+1))),
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, address)
			c.send(bytes)
			c.requireEnd()
		})
	}
}

// TestFramesUnderWayAreBounded: no more are read until others were answered.
func TestFramesUnderWayAreBounded(t *testing.T) {
	const bound = 64
	held := make(chan func(), 2*bound)
	_, address := start(t, func(requests []register.Request, done func([]register.Reply)) {
		held <- func() { yes(requests, done) }
	})
	c := open(t, address)
	for i := range bound + 10 {
		c.send(frame(uint32(i+1), reads(1)))
	}
	var first []func()
	for range bound {
		first = append(first, <-held)
	}
	<-time.NewTimer(50 * time.Millisecond).C // in which one too many would have come
	require.Empty(t, held)
	for _, answer := range first {
		answer()
	}
	for range 10 {
		(<-held)()
	}
	for range bound + 10 {
		c.replies(1)
	}
}

func TestStoppingNodeEndsTheStream(t *testing.T) {
	_, address := start(t, func(_ []register.Request, done func([]register.Reply)) { done(nil) })
	c := open(t, address)
	c.send(frame(1, reads(1)))
	c.requireEnd()
}

// TestFarewell: what is under way is answered, and the node waits until its client
// has gone.
func TestFarewell(t *testing.T) {
	held := make(chan func(), 1)
	h, address := start(t, func(requests []register.Request, done func([]register.Reply)) {
		held <- func() { yes(requests, done) }
	})
	c := open(t, address)
	c.send(frame(1, reads(1)))
	answer := <-held
	h.Farewell()
	number, body, err := c.next()
	require.NoError(t, err)
	require.EqualValues(t, wire.Farewell, number)
	require.Empty(t, body)
	_, refused := upgrade(t, address, nil)
	require.Equal(t, http.StatusServiceUnavailable, refused.status, "no new streams")

	h.Wait(time.Millisecond) // in vain
	answer()
	number, _ = c.replies(1)
	require.EqualValues(t, 1, number)
	require.NoError(t, c.conn.Close())
	began := time.Now()
	h.Wait(patience)
	require.Less(t, time.Since(began), patience)
}

func TestCloseEndsStreams(t *testing.T) {
	h, address := start(t, yes)
	c := open(t, address)
	c.send(frame(1, reads(1)))
	c.replies(1)
	h.Farewell()
	h.Close()
	if number, _, err := c.next(); err == nil { // if there was time to say it
		require.EqualValues(t, wire.Farewell, number)
		c.requireEnd()
	}
}

func TestStreamsAreBounded(t *testing.T) {
	const bound = 256
	_, address := start(t, yes)
	for range bound {
		open(t, address)
	}
	_, refused := upgrade(t, address, nil)
	require.Equal(t, http.StatusServiceUnavailable, refused.status)
	require.Contains(t, refused.body, "too many streams")
}
