// Package nodeclient is the client of one dbnode: protocol messages in frames
// that hold many of them, on one long-lived stream, and plain HTTP for all else.
//
// Invariants:
//   - Send calls its reply function exactly once: with the node's answer, with
//     VerdictUnsent if the message certainly never left, else VerdictLost.
//   - A message leaves once at most.
//   - Every queue, frame, retry and wait is bounded; what waited past its
//     deadline is not sent.
package nodeclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// DefaultFrameTimeout bounds the wait for the reply to a frame. It is nearly as long
// as an operation may take: the third node is asked long before, and a reply that
// a disk holds up is better late than lost.
const DefaultFrameTimeout = 190 * time.Millisecond

// Bounds.
const (
	dialTimeout   = 100 * time.Millisecond
	probeInterval = 100 * time.Millisecond // while the node is down
	probeTimeout  = 100 * time.Millisecond
	statusTimeout = 2 * time.Second
	maxStatus     = 1 << 20             // bytes
	lanes         = 2                   // messages that need no sync don't wait behind those that do
	laneSlots     = 2                   // frames of a lane under way at once
	maxFlights    = lanes*laneSlots + 1 // more than a stream ever has under way
	maxAtOnce     = 4 << 10             // bytes of a message that may leave on its sender's goroutine
	maxReason     = 200                 // bytes of a refusal that are shown
	spareHTTP     = 2                   // idle connections kept for what is not sent in frames
	maxHTTP       = 16                  // connections for that
)

// Node is a member of the cluster.
type Node struct {
	ID  string
	URL string // http://host:port, without a trailing slash
}

// Config of a client.
type Config struct {
	Node       Node
	Partitions int // of the cluster; a node with another number refuses
	// FrameTimeout bounds the wait for the reply to a frame; 0 means DefaultFrameTimeout.
	FrameTimeout time.Duration
}

// Client talks to one node. Close it when done.
type Client struct {
	cfg      Config
	http     *retryablehttp.Client
	lanes    [lanes]*lane
	took     typical
	down     atomic.Bool
	stopping atomic.Bool // its last reply ended the connection: it drains
	lastErr  atomic.Pointer[error]
	probe    chan struct{}   // has a token while the node is to be probed
	ctx      context.Context //nolint:containedctx // the lifetime of the client's own goroutines, which Close ends
	stop     context.CancelFunc
	wg       sync.WaitGroup

	connecting sync.Mutex             // held to store a stream
	stream     atomic.Pointer[stream] // the latest; nil before there was one
}

// New starts a client.
func New(cfg Config) *Client {
	if cfg.FrameTimeout == 0 {
		cfg.FrameTimeout = DefaultFrameTimeout
	}
	c := &Client{cfg: cfg, http: newHTTP(), probe: make(chan struct{}, 1)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	for i := range c.lanes {
		c.lanes[i] = newLane()
		c.wg.Go(func() { c.runLane(c.lanes[i]) })
	}
	c.wg.Go(c.runProbe)
	return c
}

func newHTTP() *retryablehttp.Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	c := retryablehttp.NewClient()
	c.Logger = nil
	c.RetryMax = 1
	c.RetryWaitMin, c.RetryWaitMax = time.Millisecond, 2*time.Millisecond
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	// Only a connection that broke is tried again, once: a keep-alive connection
	// may have been closed by a restart. Answers, even bad ones, are answers.
	c.CheckRetry = func(ctx context.Context, _ *http.Response, err error) (bool, error) {
		return err != nil && !dialFailed(err) && ctx.Err() == nil, nil
	}
	c.HTTPClient = &http.Client{
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			MaxIdleConnsPerHost: spareHTTP,
			MaxConnsPerHost:     maxHTTP,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
		},
	}
	return c
}

func dialFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// Close ends the client. Messages that wait are answered as unsent.
func (c *Client) Close() {
	c.stop()
	for _, l := range c.lanes {
		l.close()
	}
	c.connecting.Lock()
	s := c.stream.Load()
	c.connecting.Unlock()
	if s != nil {
		c.end(s, errClosed)
	}
	c.wg.Wait()
	c.http.HTTPClient.CloseIdleConnections()
}

// Up reports whether the node answered last time. A node that is down is still
// sent what is asked for, and probed until it answers.
func (c *Client) Up() bool { return !c.down.Load() }

// Reply returns how long the node's replies took of late.
func (c *Client) Reply() time.Duration { return c.took.get() }

// Err returns why the node is thought to be down, if it is.
func (c *Client) Err() error {
	if e := c.lastErr.Load(); e != nil && c.down.Load() {
		return *e
	}
	return nil
}

// Send sends q or queues it, and calls reply once. reply must not block. Nothing is
// sent after deadline.
func (c *Client) Send(q register.Request, deadline time.Time, reply func(register.Reply)) {
	m := message{q, deadline, reply}
	if l := c.lanes[laneOf(q.Kind)]; !c.sendAtOnce(l, m) && !l.push(m) {
		reply(register.Reply{Verdict: register.VerdictUnsent})
	}
}

// sendAtOnce spares a message a turn of its lane's goroutine where it would leave
// alone all the same; false if it was not sent. It doesn't wait for anything.
func (c *Client) sendAtOnce(l *lane, m message) bool {
	s := c.stream.Load()
	if s == nil || wire.RequestSize(&m.request) > maxAtOnce {
		return false
	}
	lazy, ok := l.enter()
	if !ok {
		return false
	}
	batch := append(make([]message, 0, 1+len(lazy)), m)
	for _, q := range lazy {
		batch = append(batch, message{request: q})
	}
	f := flight{lane: l, batch: batch, sent: time.Now()}
	taken, err := s.sendAlone(f.frame(nil), f)
	if err != nil {
		c.end(s, err)
	}
	if !taken {
		for _, q := range lazy {
			l.pushLazy(q)
		}
		l.landed()
	}
	return taken
}

// SendLazy queues q to ride along with later messages, or to be lost.
func (c *Client) SendLazy(q register.Request) {
	switch {
	case !c.Up():
	case q.Kind == register.KindAccept: // a repair: the sooner it is there, the fewer reads need it
		c.lanes[laneOf(q.Kind)].push(message{request: q, deadline: time.Now().Add(c.cfg.FrameTimeout)})
	default:
		c.lanes[laneOf(q.Kind)].pushLazy(q)
	}
}

func laneOf(k register.Kind) int {
	if k == register.KindAccept {
		return 1
	}
	return 0
}

func (c *Client) runLane(l *lane) {
	var buf []byte
	for {
		batch, ok := l.take(time.Now())
		if !ok {
			return
		}
		if len(batch) > 0 {
			buf = c.ship(flight{lane: l, batch: batch}, buf[:0])
		}
	}
}

// ship sends the frame of a flight, encoded into buf, which it returns.
func (c *Client) ship(f flight, buf []byte) []byte {
	frame := f.frame(buf)
	for range 2 { // a stream may end at any time, and then another is made
		s, err := c.usable()
		if err != nil {
			c.note(err)
			break
		}
		f.sent = time.Now()
		taken, err := s.send(frame, f)
		if err != nil {
			c.end(s, err)
		}
		if taken {
			return frame
		}
	}
	f.land(nil, register.VerdictUnsent)
	return frame
}

// statusError is an answer that is no reply: the node refused the whole frame.
type statusError struct {
	code int
	text string
}

func (e statusError) Error() string { return fmt.Sprintf("the node answered %d: %s", e.code, e.text) }

func (c *Client) roundTrip(ctx context.Context, method, path string, body []byte, limit int64) ([]byte, error) {
	var payload any
	if body != nil {
		payload = body
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, method, c.cfg.Node.URL+path, payload)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err != nil {
		return nil, err
	}
	if c.stopping.Store(resp.Close); resp.Close {
		c.note(errStopping)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, statusError{resp.StatusCode, string(bytes.TrimSpace(reply[:min(len(reply), maxReason)]))}
	}
	return reply, nil
}

// note takes down whether the node answered, and will.
func (c *Client) note(err error) {
	if err == nil && c.stopping.Load() {
		return
	}
	if err == nil {
		c.down.Store(false)
		return
	}
	c.lastErr.Store(&err)
	c.down.Store(true)
	select {
	case c.probe <- struct{}{}:
	default:
	}
}

// runProbe asks a node that is down whether it serves again.
func (c *Client) runProbe() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.probe:
		}
		for c.down.Load() {
			timer.Reset(probeInterval)
			select {
			case <-c.ctx.Done():
				return
			case <-timer.C:
			}
			ctx, cancel := context.WithTimeout(c.ctx, probeTimeout)
			_, err := c.roundTrip(ctx, http.MethodGet, wire.PathReady, nil, maxStatus)
			cancel()
			if err == nil {
				c.down.Store(false)
			} else {
				c.lastErr.Store(&err)
			}
		}
	}
}

// Status asks the node what it says of itself.
func (c *Client) Status(ctx context.Context) (wire.NodeStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	sent := time.Now()
	body, err := c.roundTrip(ctx, http.MethodGet, wire.PathStatus, nil, maxStatus)
	if errors.Is(err, context.DeadlineExceeded) {
		return wire.NodeStatus{}, fmt.Errorf("no answer: %w", err)
	}
	if err != nil {
		return wire.NodeStatus{}, err
	}
	c.took.note(time.Now(), time.Since(sent))
	var s wire.NodeStatus
	if err := json.Unmarshal(body, &s); err != nil {
		return wire.NodeStatus{}, err
	}
	return s, nil
}

// Compact asks the node to rewrite its store to its smallest form and waits.
func (c *Client) Compact(ctx context.Context) error {
	_, err := c.roundTrip(ctx, http.MethodPost, wire.PathCompact, nil, maxStatus)
	return err
}
