package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/dyad-db/dyad/pkg/wire"
)

// routes serves the users API, and beside it health and status.
func (g *Gateway) routes(users http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+wire.PathLive, func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "live") })
	mux.HandleFunc("GET "+wire.PathReady, g.ready)
	mux.HandleFunc("GET "+wire.PathStatus, g.status)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case wire.PathLive, wire.PathReady, wire.PathStatus:
			mux.ServeHTTP(w, r)
		default: // not through the mux, which redirects paths that it finds unclean
			users.ServeHTTP(w, r)
		}
	})
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // a client that is gone needs no answer
}

// readyTimeout bounds the wait for a node: who asks whether the gateway is ready
// must not wait for one that is frozen.
const readyTimeout = 500 * time.Millisecond

// ready says whether two nodes serve: enough for every user.
func (g *Gateway) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	text, ready := wire.ReadyText(g.checks(g.ask(ctx)), r.URL.Query().Has("verbose"))
	if !ready {
		plain(w, http.StatusServiceUnavailable, text)
		return
	}
	plain(w, http.StatusOK, text)
}

func (g *Gateway) checks(reports []wire.NodeReport) []wire.Check {
	running := wire.Check{Name: "running"}
	if g.stopping.Load() {
		running.Problem = "the gateway is stopping"
	}
	var serving, not []string
	for _, n := range reports {
		switch {
		case !n.Up:
			not = append(not, n.ID+" is down: "+n.Error)
		case !n.Status.Serving:
			not = append(not, n.ID+" waits for another node before it serves")
		default:
			serving = append(serving, n.ID)
		}
	}
	nodes := wire.Check{Name: "nodes", Note: strings.Join(append(serving, not...), "; ")}
	if len(serving) < quorum {
		nodes.Problem = "fewer than two nodes serve: " + strings.Join(not, "; ")
	}
	return []wire.Check{running, nodes}
}

// quorum is how many nodes make every user readable and writable.
const quorum = 2

func (g *Gateway) status(w http.ResponseWriter, r *http.Request) {
	counts := g.coordinator.Counts()
	s := wire.ClusterStatus{Nodes: g.ask(r.Context()), Operations: wire.Operations(counts)}
	s.Judge()
	w.Header().Set("Content-Type", "application/json")
	if err := json.MarshalWrite(w, s); err != nil {
		g.cfg.Logger.DebugContext(r.Context(), "status not delivered", slog.Any("error", err))
	}
}

// ask asks every node for its status, all at once.
func (g *Gateway) ask(ctx context.Context) []wire.NodeReport {
	reports := make([]wire.NodeReport, len(g.nodes))
	var wg sync.WaitGroup
	for i, c := range g.nodes {
		wg.Go(func() {
			report := wire.NodeReport{ID: g.cfg.Nodes[i].ID, URL: g.cfg.Nodes[i].URL}
			status, err := c.Status(ctx)
			if err == nil {
				err = g.fits(report.ID, status)
			}
			if err != nil {
				report.Error = err.Error()
			} else {
				report.Up, report.Status = true, &status
				report.ReplyMillis = float64(c.Reply().Microseconds()) / 1000
			}
			reports[i] = report
		})
	}
	wg.Wait()
	return reports
}

// fits returns why a node that answered isn't the one that this gateway was told
// of. It will refuse this gateway's frames, so it is as good as down.
func (g *Gateway) fits(id string, s wire.NodeStatus) error {
	switch {
	case s.ID != id:
		return fmt.Errorf("%s answers at this address: check the gateway's --nodes", s.ID)
	case s.Partitions != g.cfg.Partitions:
		return fmt.Errorf("its cluster has %d partitions, not %d: check the gateway's --partitions", s.Partitions, g.cfg.Partitions)
	}
	return nil
}
