package dbnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/dyad-db/dyad/dbnode/membership"
	"github.com/dyad-db/dyad/dbnode/store"
)

// Disk is where a node's store lives.
type Disk interface {
	// Open opens the store; the error wraps store.ErrDamaged if it can't be
	// trusted to hold all that was acknowledged.
	Open() (Store, error)
	// SetAside moves what is there out of the way, so that Open finds a blank
	// disk, and says where to.
	SetAside() (where string, err error)
	// Space returns the room there.
	Space() (store.Space, error)
}

// maxSetAside bounds how often one run sets its disk aside: more than once means
// that something else is wrong.
const maxSetAside = 2

// Serve runs a node until ctx ends or its store fails. A disk that can't be
// opened, that turns out to be an old copy, or that is found to be damaged while
// both peers can vote, is a lost disk: it is set aside, and the node joins anew on
// a blank one. A disk that is filled up, so that a write or a sync finds no room,
// ends the service, too, and all that memory holds is dropped; the node starts
// anew when there is room. listen is called for each start.
func Serve(ctx context.Context, cfg Config, disk Disk, listen func(context.Context) (net.Listener, error)) error {
	for lost := 0; ; {
		opened, err := serveOnce(ctx, cfg, disk, listen)
		if errors.Is(err, syscall.ENOSPC) {
			if !awaitRoom(ctx, cfg, disk, err) {
				return nil
			}
			continue
		}
		given := errors.Is(err, membership.ErrLostDisk) || errors.Is(err, membership.ErrDamagedDisk)
		if !given && (opened || !errors.Is(err, store.ErrDamaged)) || lost == maxSetAside {
			return err
		}
		lost++
		where, asideErr := disk.SetAside()
		if asideErr != nil {
			return errors.Join(err, fmt.Errorf("set the lost disk aside: %w", asideErr))
		}
		cfg.Logger.ErrorContext(ctx, "the disk is lost: set aside, and to be rebuilt from the other nodes",
			slog.String("node", cfg.ID), slog.Any("reason", err), slog.String("set_aside_as", where))
	}
}

// roomIdle is how often a node without room looks for some.
const roomIdle = 250 * time.Millisecond

// awaitRoom waits until the disk has as much room as a read-only node needs to
// take writes again; false if ctx ended first.
func awaitRoom(ctx context.Context, cfg Config, disk Disk, why error) bool {
	cfg.Logger.ErrorContext(ctx, "no space is left on the disk: down until there is room; free some space, the node goes on by itself",
		slog.String("node", cfg.ID), slog.Any("error", why))
	look := time.NewTicker(roomIdle)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
		// When the space can't be told, Open will tell what is wrong.
		if space, err := disk.Space(); err != nil || !tooFull(space, true) {
			return true
		}
	}
}

// serveOnce also reports whether the disk could be opened, and so could serve.
func serveOnce(ctx context.Context, cfg Config, disk Disk, listen func(context.Context) (net.Listener, error)) (opened bool, err error) {
	st, err := disk.Open()
	if err != nil {
		return false, err
	}
	n, err := New(cfg, st)
	if err != nil {
		return false, err
	}
	l, err := listen(ctx)
	if err != nil {
		return true, errors.Join(err, n.Close())
	}
	cfg.Logger.InfoContext(ctx, "node serves", slog.String("node", cfg.ID), slog.String("address", l.Addr().String()))
	return true, n.Run(ctx, l)
}
