package nodeclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// streamBuffer holds some replies that came together, in bytes.
const streamBuffer = 64 << 10

// Why a stream, or a frame on it, came to nothing.
var (
	errStopping = errors.New("the node is stopping")
	errLate     = errors.New("a reply did not come in time")
	errSilent   = errors.New("nothing came in time")
	errClosed   = errors.New("the client was closed")
)

// stream is a connection that carries frames.
//
// Invariant: whoever takes a flight out of flights answers its messages.
type stream struct {
	conn    net.Conn
	in      *bufio.Reader
	timeout time.Duration // of a flight
	expiry  *time.Timer   // runs while there are flights; fires when the oldest is due

	writing sync.Mutex // held while a frame is written

	mu      sync.Mutex
	flights map[uint32]flight // by number
	last    uint32            // number given
	heard   time.Time         // when something last came
	leaving bool              // the node said farewell: no new frame leaves
	ended   bool
}

// flight is a frame whose reply has not come yet.
type flight struct {
	lane  *lane
	batch []message
	sent  time.Time
}

// frame encodes the batch behind room for a head, into buf.
func (f flight) frame(buf []byte) []byte {
	frame := wire.AppendRequestCount(wire.AppendHead(buf), len(f.batch))
	for i := range f.batch {
		frame = wire.AppendRequest(frame, &f.batch[i].request)
	}
	return frame
}

// land gives the slot back and answers each message, with the reply to it or
// else with verdict.
func (f flight) land(replies []register.Reply, verdict register.Verdict) {
	f.lane.landed()
	for i := range f.batch {
		r := register.Reply{Verdict: verdict}
		if replies != nil {
			r = replies[i]
			r.Sole = true
		}
		f.batch[i].answer(r)
	}
}

// dial connects and has the node turn the connection over to frames.
func dial(ctx context.Context, cfg Config) (_ *stream, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	u, err := url.Parse(cfg.Node.URL + wire.PathStream)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close() // it carried nothing
		}
	}()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	s := &stream{conn: conn, in: bufio.NewReaderSize(conn, streamBuffer), timeout: cfg.FrameTimeout, flights: map[uint32]flight{}}
	if err := upgrade(ctx, s, u, cfg); err != nil {
		return nil, err
	}
	return s, conn.SetDeadline(time.Time{})
}

func upgrade(ctx context.Context, s *stream, u *url.URL, cfg Config) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", wire.StreamProtocol)
	req.Header.Set(wire.HeaderTo, cfg.Node.ID)
	req.Header.Set(wire.HeaderPartitions, strconv.Itoa(cfg.Partitions))
	if err := req.Write(s.conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(s.in, req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		defer resp.Body.Close()
		why, _ := io.ReadAll(io.LimitReader(resp.Body, maxReason)) // what came of it says enough
		return statusError{resp.StatusCode, string(bytes.TrimSpace(why))}
	}
	return nil
}

// send writes a frame that begins with room for its head; false if it certainly
// did not leave, since the stream takes no more.
func (s *stream) send(frame []byte, f flight) (taken bool, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.write(frame, f, maxFlights)
}

// sendAlone is send for a frame that leaves only if no other is under way: then
// there is room for it in the buffers of the connection, and nothing is waited for.
func (s *stream) sendAlone(frame []byte, f flight) (taken bool, err error) {
	if !s.writing.TryLock() {
		return false, nil
	}
	defer s.writing.Unlock()
	return s.write(frame, f, 1)
}

// write sends a frame if fewer than most are under way. s.writing is held.
func (s *stream) write(frame []byte, f flight, most int) (taken bool, err error) {
	number, ok := s.depart(f, most)
	if !ok {
		return false, nil
	}
	wire.SetHead(frame, number)
	if err := s.conn.SetWriteDeadline(f.sent.Add(s.timeout)); err != nil {
		return true, err
	}
	_, err = s.conn.Write(frame)
	return true, err
}

// depart enters a flight and gives it a number, if fewer than most are under way.
func (s *stream) depart(f flight, most int) (number uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.leaving || len(s.flights) >= most {
		return 0, false
	}
	s.last++
	if s.last == wire.Farewell {
		s.last++
	}
	s.flights[s.last] = f
	if len(s.flights) == 1 {
		s.expiry.Reset(s.timeout)
	}
	return s.last, true
}

// arrive takes out the flight of a number, if it was waited for; current says
// that the node did not take its leave.
func (s *stream) arrive(number uint32, now time.Time) (f flight, ok, current bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = now
	f, ok = s.flights[number]
	delete(s.flights, number)
	if len(s.flights) == 0 {
		s.expiry.Stop()
	}
	return f, ok, !s.leaving
}

// next reads a frame. The body is the caller's.
func (s *stream) next() (number uint32, body []byte, err error) {
	var head [wire.HeadSize]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return 0, nil, err
	}
	number, size, err := wire.Head(head)
	if err != nil {
		return 0, nil, err
	}
	body = make([]byte, size)
	_, err = io.ReadFull(s.in, body)
	return number, body, err
}

// leave lets no new frame depart.
func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = true
}

// over reports that the node took its leave and owes no reply.
func (s *stream) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving && len(s.flights) == 0
}

// overdue takes out the flights that were waited for long enough; silent says
// that nothing at all has come since one of them left.
func (s *stream) overdue(now time.Time) (late []flight, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.timeout
	for number, f := range s.flights {
		left := f.sent.Add(s.timeout).Sub(now)
		if left > 0 {
			next = min(next, left)
			continue
		}
		late = append(late, f)
		silent = silent || f.sent.After(s.heard)
		delete(s.flights, number)
	}
	if len(s.flights) > 0 {
		s.expiry.Reset(next)
	}
	return late, silent
}

// end closes the stream and takes out all flights; first is true once.
func (s *stream) end() (flights map[uint32]flight, first, leaving bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first, s.ended = !s.ended, true
	flights, s.flights = s.flights, nil
	s.expiry.Stop()
	if first {
		_ = s.conn.Close() // whatever it says, nothing is sent on it any more
	}
	return flights, first, s.leaving
}

// usable returns the stream to the node, and makes one where there is none.
func (c *Client) usable() (*stream, error) {
	c.connecting.Lock()
	defer c.connecting.Unlock()
	if c.ctx.Err() != nil {
		return nil, errClosed
	}
	if s := c.stream.Load(); s != nil && s.open() {
		return s, nil
	}
	s, err := dial(c.ctx, c.cfg)
	if err != nil {
		return nil, err
	}
	s.expiry = time.AfterFunc(s.timeout, func() { c.expire(s) })
	s.expiry.Stop()
	c.stream.Store(s)
	c.wg.Go(func() { c.end(s, c.receive(s)) })
	return s, nil
}

func (s *stream) open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended && !s.leaving
}

// receive hands out replies until the stream ends, and says why it did.
func (c *Client) receive(s *stream) error {
	for !s.over() {
		number, body, err := s.next()
		if err != nil {
			return err
		}
		if number == wire.Farewell {
			s.leave()
			c.note(errStopping)
			continue
		}
		now := time.Now()
		f, ok, current := s.arrive(number, now)
		if !ok {
			continue // too late
		}
		replies, err := wire.DecodeReplies(body, len(f.batch))
		if err != nil {
			c.end(s, err) // before it is known by its flight
			f.land(nil, register.VerdictLost)
			return err
		}
		c.took.note(now, now.Sub(f.sent))
		if current {
			c.note(nil)
		}
		f.land(replies, register.VerdictLost)
	}
	return errStopping
}

// expire gives up what was waited for long enough, and the stream if it is dead.
func (c *Client) expire(s *stream) {
	late, silent := s.overdue(time.Now())
	switch {
	case silent:
		c.end(s, errSilent)
	case len(late) > 0:
		c.note(errLate)
	}
	for _, f := range late {
		f.land(nil, register.VerdictLost)
	}
}

// end gives up a stream.
func (c *Client) end(s *stream, why error) {
	flights, first, leaving := s.end()
	if first && !leaving {
		c.note(why)
	}
	for _, f := range flights {
		f.land(nil, register.VerdictLost)
	}
}
