package api

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// Bounds of the streams.
const (
	maxStreams   = 256
	maxUnderWay  = 64      // frames of a stream that are being served
	maxWaiting   = 1 << 20 // bytes of replies to be written, above which nothing more is read
	writeTimeout = 5 * time.Second
	streamBuffer = 64 << 10 // bytes
)

// streams are those that are open.
type streams struct {
	mu      sync.Mutex
	closed  sync.Cond
	open    map[*stream]bool
	leaving bool
}

// stream turns the connection over to frames.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), wire.StreamProtocol) {
		w.Header().Set("Upgrade", wire.StreamProtocol)
		plain(w, http.StatusUpgradeRequired, "frames need an upgrade to "+wire.StreamProtocol)
		return
	}
	partitions, err := strconv.Atoi(r.Header.Get(wire.HeaderPartitions))
	if err != nil {
		plain(w, http.StatusBadRequest, wire.HeaderPartitions+" is no number")
		return
	}
	if why := h.mismatch(r.Context(), r.Header.Get(wire.HeaderTo), partitions); why != "" {
		plain(w, http.StatusConflict, why)
		return
	}
	s := &stream{acceptors: h.Acceptors}
	s.wake.L = &s.mu
	if why := h.streams.add(s); why != "" {
		plain(w, http.StatusServiceUnavailable, why)
		return
	}
	defer h.streams.remove(s)
	if err := s.run(w); err != nil {
		h.Logger.DebugContext(r.Context(), "stream ended", slog.String("peer", r.RemoteAddr), slog.Any("error", err))
	}
}

func (t *streams) add(s *stream) (refused string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.leaving {
		return "the node is stopping"
	}
	if len(t.open) == maxStreams {
		return "too many streams"
	}
	t.open[s] = true
	return ""
}

func (t *streams) remove(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, s)
	t.closed.Broadcast()
}

// Farewell asks the clients to send nothing more, and takes no new stream. Who
// has got all replies then closes its stream.
func (h *Handler) Farewell() {
	h.streams.mu.Lock()
	defer h.streams.mu.Unlock()
	h.streams.leaving = true
	for s := range h.streams.open {
		s.reply(wire.Farewell, nil)
	}
}

// Wait returns when no stream is open, or after most.
func (h *Handler) Wait(most time.Duration) {
	t := &h.streams
	over := false
	defer time.AfterFunc(most, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		over = true
		t.closed.Broadcast()
	}).Stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.open) > 0 && !over {
		t.closed.Wait()
	}
}

// Close ends the streams that are left, and returns when nothing is read from
// them any more. It comes after Farewell.
func (h *Handler) Close() {
	t := &h.streams
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.open {
		s.end()
	}
	for len(t.open) > 0 {
		t.closed.Wait()
	}
}

// stream is a connection that carries frames. One goroutine reads and serves,
// and writes what replies there are by then; another writes those that come
// later.
//
// Invariant: out holds whole frames; one goroutine at a time writes.
type stream struct {
	acceptors Acceptors
	conn      net.Conn
	in        *bufio.Reader

	mu       sync.Mutex
	wake     sync.Cond
	out      []byte // replies to be written
	spare    []byte // what out was before
	underWay int    // frames being served
	serving  uint32 // the frame that the reader has handed to the acceptors, or 0
	writing  bool
	ended    bool
}

// switched is the answer that turns a connection over.
const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + wire.StreamProtocol + "\r\n\r\n"

// take has the server give up the connection.
func (s *stream) take(w http.ResponseWriter) error {
	conn, early, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.in = conn, bufio.NewReaderSize(conn, streamBuffer)
	if early.Reader.Buffered() > 0 {
		return errors.New("frames came before the upgrade was agreed to")
	}
	if err := conn.SetDeadline(time.Time{}); err != nil { // the server's was for a request
		return err
	}
	_, err = io.WriteString(conn, switched)
	return err
}

func (s *stream) run(w http.ResponseWriter) error {
	defer s.end()
	if err := s.take(w); err != nil {
		return err
	}
	var writer sync.WaitGroup
	writer.Go(s.write)
	defer writer.Wait()
	defer s.end() // which ends the writer
	for {
		if err := s.serve(); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
	}
}

// serve reads a frame and hands it to the acceptors.
func (s *stream) serve() error {
	var head [wire.HeadSize]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return err
	}
	number, size, err := wire.Head(head)
	if err != nil {
		return err
	}
	body := make([]byte, size) // documents share it
	if _, err := io.ReadFull(s.in, body); err != nil {
		return err
	}
	requests, err := wire.DecodeRequests(body)
	if err != nil {
		return err
	}
	s.begin(number)
	s.acceptors.Serve(requests, func(replies []register.Reply) {
		if replies == nil {
			s.end() // the node stops: nothing is answered any more
			return
		}
		s.answer(number, replies)
	})
	return s.flush()
}

// begin waits until another frame may be served.
func (s *stream) begin(number uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended && (s.underWay == maxUnderWay || len(s.out) > maxWaiting) {
		s.wake.Wait()
	}
	s.underWay++
	s.serving = number
}

func (s *stream) answer(number uint32, replies []register.Reply) {
	s.mu.Lock()
	s.underWay--
	s.mu.Unlock()
	s.reply(number, replies)
}

// reply queues a frame. It doesn't block.
func (s *stream) reply(number uint32, replies []register.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	start := len(s.out)
	s.out = wire.AppendHead(s.out)
	if number != wire.Farewell {
		s.out = wire.AppendReplies(s.out, replies)
	}
	wire.SetHead(s.out[start:], number)
	if number == wire.Farewell || number != s.serving { // else the reader sees to it
		s.wake.Broadcast()
	}
}

// flush writes what has been answered, unless that is being done.
func (s *stream) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving = 0
	if s.writing {
		return nil
	}
	return s.drain()
}

// drain writes until nothing is left. s.mu is held, but not while it writes.
func (s *stream) drain() error {
	s.writing = true
	defer func() { s.writing = false; s.wake.Broadcast() }()
	for len(s.out) > 0 && !s.ended {
		full := s.out
		s.out, s.spare = s.spare[:0], nil
		s.mu.Unlock()
		err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err == nil {
			_, err = s.conn.Write(full)
		}
		s.mu.Lock()
		s.spare = full
		s.wake.Broadcast()
		if err != nil {
			return err
		}
	}
	return nil
}

// write writes what the reader does not.
func (s *stream) write() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended {
		if s.writing || len(s.out) == 0 {
			s.wake.Wait()
			continue
		}
		if s.drain() != nil {
			s.close()
		}
	}
}

// end closes the connection, so that the reader and the writer end.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close()
}

func (s *stream) close() {
	if !s.ended {
		s.ended = true
		if s.conn != nil {
			_ = s.conn.Close() // there is nobody to tell
		}
		s.wake.Broadcast()
	}
}
