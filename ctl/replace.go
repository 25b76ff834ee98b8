package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dyad-db/dyad/pkg/wire"
)

const (
	defaultReplaceTimeout = time.Hour
	replacePoll           = 500 * time.Millisecond
)

func nodeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "Look after one node"}
	cmd.AddCommand(replaceCommand())
	return cmd
}

func replaceCommand() *cobra.Command {
	var gateway string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "replace NODE",
		Short: "See a new machine under an old node's name through until it has its data",
		Long: `See a new, blank machine under an old node's name through until it has its data.

A blank node finds by itself that its disk was lost and rebuilds it from the two
others, which go on serving. It can't do so without them, and must not be given the
old disk. So this checks first that both others can rebuild it, waits for the node,
and shows how far it is, until the cluster is whole again:

  1. stop the old machine, if it still runs (dyad status --can-stop NODE)
  2. dyad node replace NODE
  3. meanwhile start the new one: the same --id and address, a blank --data

Exit code: 0 the node is rebuilt and the cluster whole; 1 it can't be rebuilt now, it
came back on its old disk, or the time is over, and it goes on by itself; 2 the
gateway can't be asked, or there is no such node.`,
		Example: `  dyad node replace db-1
  dyad node replace db-1 --timeout 10m`,
		Args: cobra.ExactArgs(1),
		PreRunE: func(*cobra.Command, []string) error {
			if timeout <= 0 {
				return errors.New("--timeout must be positive")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			progress := newProgress(os.Stderr)
			err := replaceNode(cmd.Context(), gatewayOf(cmd, gateway), args[0], timeout, cmd.OutOrStdout(), progress.say)
			progress.clear()
			return err
		},
	}
	gatewayFlag(cmd, &gateway)
	cmd.Flags().DurationVar(&timeout, "timeout", defaultReplaceTimeout, "give up watching after this `time`")
	return cmd
}

// replaceNode checks that a node can be rebuilt, and returns when it is, or after
// timeout. say is told how far it is.
func replaceNode(ctx context.Context, gateway, id string, timeout time.Duration, out io.Writer, say func(string)) error {
	_, status, err := ask(ctx, gateway)
	if err != nil {
		return exitError{2, err}
	}
	r, err := newReplacement(status, id)
	if err != nil {
		return err
	}
	watched, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	poll := time.NewTicker(replacePoll)
	defer poll.Stop()
	told := ""
	for {
		text, done, err := r.look(status)
		if err != nil {
			return exitError{1, err}
		}
		if done {
			fmt.Fprintln(out, text)
			return nil
		}
		if told == "" {
			fmt.Fprintln(out, text)
		}
		told = text
		say(text)
		select {
		case <-watched.Done():
			return exitError{1, fmt.Errorf("no longer watched, %w; what is under way goes on by itself. Last seen: %s", watched.Err(), told)}
		case <-poll.C:
		}
		if _, next, err := ask(ctx, gateway); err == nil { // a gateway may be away for a while
			status = next
		}
	}
}

// replacement is a node that gets, or got, a blank disk.
type replacement struct {
	id  string
	old uint32 // incarnation of the disk that is replaced
}

// newReplacement returns an exitError if the node is unknown, or can't be rebuilt
// now, or still runs on the disk that is to be replaced.
func newReplacement(s wire.ClusterStatus, id string) (replacement, error) {
	r := replacement{id: id}
	if _, err := s.CanStop(id); err != nil {
		return r, exitError{2, err}
	}
	var own wire.NodeReport
	var trouble []string
	for _, n := range s.Nodes {
		if n.ID == id {
			own = n
			continue
		}
		trouble = append(trouble, n.Trouble()...)
		if n.Status != nil {
			r.old = max(r.old, n.Status.Incarnations[id])
		}
	}
	if len(trouble) > 0 {
		return r, exitError{1, fmt.Errorf("%s can't be rebuilt now, which takes both other nodes: %s", id, strings.Join(trouble, "; "))}
	}
	if own.Status == nil || own.State == wire.StateWaiting {
		return r, nil
	}
	// The first start of a disk that is not the node's first: a blank one that
	// took, or is taking, the place of another.
	if st := own.Status; st.Joining || st.Incarnation > 1 && st.Boots == 1 {
		r.old = st.Incarnation - 1
		return r, nil
	}
	return r, exitError{1, fmt.Errorf(`%[1]s still serves from the disk that it had (incarnation %[2]d).
To replace its machine: see that `+"`dyad status --can-stop %[1]s`"+` agrees, stop it, and start the new one with the
same --id and address and a blank --data directory; then run this again`, id, own.Status.Incarnation)}
}

// look says how far the rebuilding is. The error says why it won't come about.
func (r replacement) look(s wire.ClusterStatus) (text string, done bool, err error) {
	for _, n := range s.Nodes {
		if n.ID != r.id {
			continue
		}
		switch {
		case n.Status == nil:
			return fmt.Sprintf("waiting for %s: start the new machine so that it answers at %s", r.id, n.URL), false, nil
		case n.State == wire.StateJoining && n.Status.Rebuild != nil:
			p := n.Status.Rebuild
			return fmt.Sprintf("%s is being rebuilt: %d of %d partitions, %d records copied", r.id, p.Done, p.Of, p.Records), false, nil
		case n.State == wire.StateWaiting, n.State == wire.StateJoining:
			return r.id + " has started and waits for the others", false, nil
		case n.Status.Incarnation <= r.old:
			return "", false, fmt.Errorf("%s came back on the disk that it had (incarnation %d): start it with a blank --data directory", r.id, n.Status.Incarnation)
		case !s.Whole:
			return r.id + " is rebuilt; still missing: " + strings.Join(s.Missing, "; "), false, nil
		}
		return fmt.Sprintf("%s is rebuilt on a new disk (incarnation %d), and the cluster is whole: it holds %d records",
			r.id, n.Status.Incarnation, n.Status.Data.Records), true, nil
	}
	return "", false, fmt.Errorf("%s is no longer a node of this cluster", r.id)
}
