package restclient

import (
	"context"

	"github.com/dyad-db/dyad/tests/history"
)

// Recorded is one client of the API whose every operation is recorded. Like the
// clients of a history it does one thing at a time.
type Recorded struct {
	client   *Client
	recorder *history.Recorder
	number   int
}

// Recorded returns the client with this number (from 0) in r's history.
func (c *Client) Recorded(r *history.Recorder, number int) *Recorded {
	return &Recorded{client: c, recorder: r, number: number}
}

// Create is Client.Create; the user must have an id.
func (r *Recorded) Create(ctx context.Context, u User) Result {
	return r.record(history.Create(u), func() Result { return r.client.Create(ctx, u) })
}

// Get is Client.Get.
func (r *Recorded) Get(ctx context.Context, id string) Result {
	return r.record(history.Get(id), func() Result { return r.client.Get(ctx, id) })
}

// Update is Client.Update.
func (r *Recorded) Update(ctx context.Context, id string, p Patch) Result {
	return r.record(history.Update(id, p), func() Result { return r.client.Update(ctx, id, p) })
}

// Delete is Client.Delete.
func (r *Recorded) Delete(ctx context.Context, id string) Result {
	return r.record(history.Delete(id), func() Result { return r.client.Delete(ctx, id) })
}

func (r *Recorded) record(in history.Input, send func() Result) Result {
	pending := r.recorder.Call(r.number, in)
	result := send()
	pending.Return(output(result))
	return result
}

// output is what a history makes of a result. A success that broke the contract
// tells nothing certain; the caller sees its Err.
func output(r Result) history.Output {
	switch r.Outcome {
	case OK:
		if r.Err != nil {
			return history.Ended(history.Unknown)
		}
		return history.Output{Outcome: history.OK, User: r.User}
	case Exists:
		return history.Ended(history.Exists)
	case NotFound:
		return history.Ended(history.NotFound)
	case Unavailable, PreconditionFailed, Rejected: // all say that nothing was applied
		return history.Ended(history.Unavailable)
	case Unknown:
	}
	return history.Ended(history.Unknown)
}
