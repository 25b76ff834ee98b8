package nodeclient

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/dyad-db/dyad/pkg/digest"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

// Time-outs of what nodes ask of one another, apart from frames.
const (
	helloTimeout = 500 * time.Millisecond
	pageTimeout  = 5 * time.Second
)

// Hello shows the node which life another one lives, and returns its answer when
// that is durably known to it.
func (c *Client) Hello(ctx context.Context, from string, life wire.Life) (wire.Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	var w wire.Welcome
	hello, err := json.Marshal(wire.Hello{From: from, To: c.cfg.Node.ID, Partitions: c.cfg.Partitions, Life: life})
	if err != nil {
		return w, err
	}
	body, err := c.roundTrip(ctx, http.MethodPost, wire.PathHello, hello, maxStatus)
	if err != nil && dialFailed(err) {
		c.note(err) // who has nothing else to ask learns it here
	}
	if err != nil {
		return w, err
	}
	return w, json.Unmarshal(body, &w)
}

// Digest asks for the digest of what the node holds of a partition.
func (c *Client) Digest(ctx context.Context, partition uint16) (digest.Tree, error) {
	body, err := c.ask(ctx, wire.PathDigest, wire.PartitionQuery{Partition: partition}.Values(), digest.Size+1)
	if err != nil {
		return digest.Tree{}, err
	}
	return digest.Decode(body)
}

// Page asks for records of a partition, from keys after the given one; more says
// that others follow.
func (c *Client) Page(ctx context.Context, partition uint16, after string) (records []register.Hint, more bool, err error) {
	q := wire.PartitionQuery{Partition: partition, After: after}
	body, err := c.ask(ctx, wire.PathPage, q.Values(), wire.MaxFrameBytes)
	if err != nil {
		return nil, false, err
	}
	return wire.DecodePage(body)
}

func (c *Client) ask(ctx context.Context, path string, query url.Values, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	return c.roundTrip(ctx, http.MethodGet, path+"?"+query.Encode(), nil, limit)
}
