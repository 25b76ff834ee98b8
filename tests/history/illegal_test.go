package history_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dyad-db/dyad/tests/history"
)

func TestIllegal(t *testing.T) {
	for title, ops := range map[string][]history.Operation{
		"stale read": {
			created,
			at(1, 2, 3, group(2), history.Done(ann(2))),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(1))),
		},
		"read of a value nobody wrote": {
			created,
			at(2, 2, 3, history.Get("ann"), history.Done(ann(7))),
		},
		"acknowledged create not found": {
			created,
			at(2, 2, 3, history.Get("ann"), notFound),
		},
		"lost update": {
			created,
			at(1, 2, 9, group(2), history.Done(ann(2))),
			at(2, 2, 9, group(3), history.Done(ann(3))),
			at(0, 10, 11, history.Get("ann"), history.Done(ann(1))),
		},
		"of two updates of different fields one is lost": {
			created,
			at(1, 2, 9, group(2), history.Done(ann(2))),
			at(2, 2, 9, name("Anna"), history.Done(called("Anna", ann(1)))),
			at(0, 10, 11, history.Get("ann"), history.Done(called("Anna", ann(1)))),
		},
		"two updates at once answered as if each were the first": {
			created,
			at(1, 2, 9, group(2), history.Done(ann(2))),
			at(2, 2, 9, name("Anna"), history.Done(called("Anna", ann(1)))),
		},
		"stale read after a delete": {
			created,
			at(1, 2, 3, history.Delete("ann"), done),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(1))),
		},
		"resurrected with an older content": {
			created,
			at(1, 2, 3, group(2), history.Done(ann(2))),
			at(1, 4, 5, history.Delete("ann"), done),
			at(2, 6, 7, history.Get("ann"), notFound),
			at(2, 8, 9, history.Create(ann(3)), exists),
		},
		"refused create that shows": {
			created,
			at(1, 2, 3, history.Create(ann(2)), exists),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(2))),
		},
		"refused update that shows": {
			at(1, 0, 1, group(2), notFound),
			at(2, 2, 3, history.Create(ann(1)), history.Done(ann(1))),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(2))),
		},
		"new, then old, by two clients": {
			created,
			at(1, 2, 30, group(2), unknown),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(2))),
			at(3, 6, 7, history.Get("ann"), history.Done(ann(1))),
			at(2, 8, 9, history.Get("ann"), history.Done(ann(2))),
		},
		"two clients see two writes in different orders": {
			created,
			at(1, 2, 20, group(2), history.Done(ann(2))),
			at(2, 2, 20, group(3), history.Done(ann(3))),
			at(3, 3, 4, history.Get("ann"), history.Done(ann(2))),
			at(3, 5, 6, history.Get("ann"), history.Done(ann(3))),
			at(4, 7, 8, history.Get("ann"), history.Done(ann(2))),
		},
		"acknowledged update gone after a second creation was refused": {
			created,
			at(1, 2, 3, group(2), history.Done(ann(2))),
			at(2, 4, 5, history.Create(ann(3)), exists),
			at(2, 6, 7, name("Anna"), history.Done(called("Anna", ann(1)))),
		},
		"resurrected after a delete": {
			created,
			at(1, 2, 3, history.Delete("ann"), done),
			at(2, 4, 5, history.Get("ann"), notFound),
			at(2, 6, 7, history.Get("ann"), history.Done(ann(1))),
		},
		"update of a deleted user": {
			created,
			at(1, 2, 3, history.Delete("ann"), done),
			at(2, 4, 5, group(2), history.Done(ann(2))),
		},
		"deleted twice": {
			created,
			at(1, 2, 9, history.Delete("ann"), done),
			at(2, 2, 9, history.Delete("ann"), done),
		},
		"reads go backwards beside a write": {
			created,
			at(1, 2, 20, group(2), history.Done(ann(2))),
			at(2, 3, 4, history.Get("ann"), history.Done(ann(2))),
			at(3, 5, 6, history.Get("ann"), history.Done(ann(1))),
		},
		"created twice without a delete": {
			at(1, 0, 5, history.Create(ann(1)), history.Done(ann(1))),
			at(2, 0, 5, history.Create(ann(2)), history.Done(ann(2))),
		},
		"refused create of an absent user": {
			at(1, 0, 5, history.Create(ann(1)), exists),
		},
		"create answered with another user": {
			at(1, 0, 5, history.Create(ann(1)), history.Done(ann(2))),
		},
		"open write visible, then gone": {
			created,
			at(1, 2, 3, group(2), unknown),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(2))),
			at(2, 6, 7, history.Get("ann"), history.Done(ann(1))),
		},
		"open write took effect twice": {
			created,
			at(1, 2, 3, group(2), unknown),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(2))),
			at(2, 6, 7, group(3), history.Done(ann(3))),
			at(2, 8, 9, history.Get("ann"), history.Done(ann(2))),
		},
		"open delete took effect twice": {
			created,
			at(1, 2, 3, history.Delete("ann"), unknown),
			at(2, 4, 5, history.Get("ann"), notFound),
			at(2, 6, 7, history.Create(ann(2)), history.Done(ann(2))),
			at(2, 8, 9, history.Get("ann"), notFound),
		},
		"open create took effect twice": {
			at(1, 0, 1, history.Create(ann(1)), unknown),
			at(2, 2, 3, history.Get("ann"), history.Done(ann(1))),
			at(2, 4, 5, history.Delete("ann"), done),
			at(2, 6, 7, history.Get("ann"), history.Done(ann(1))),
		},
		"open write took effect before its call": {
			created,
			at(2, 2, 3, history.Get("ann"), history.Done(ann(2))),
			at(1, 4, 5, group(2), unknown),
		},
		"unavailable create left a trace": {
			at(1, 0, 1, history.Create(ann(1)), down),
			at(2, 2, 3, history.Create(ann(2)), exists),
		},
		"unavailable delete left a trace": {
			created,
			at(1, 2, 3, history.Delete("ann"), down),
			at(2, 4, 5, history.Get("ann"), notFound),
		},
		"unavailable write left a trace": {
			created,
			at(1, 2, 3, group(2), down),
			at(2, 4, 5, history.Get("ann"), history.Done(ann(2))),
		},
	} {
		t.Run(title, func(t *testing.T) {
			bystander := history.User{ID: "bob", Name: "Bob", Email: "bob@example.com"}
			ops = append(ops, at(0, 0, 1, history.Create(bystander), history.Done(bystander)))
			verdict, info := history.Check(logged(t, ops), limit)
			assert.Equal(t, history.Illegal, verdict, info.String())
			assert.Equal(t, []string{"ann"}, info.Bad)
		})
	}
}
