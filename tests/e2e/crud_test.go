package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/deployments/local"
	"github.com/dyad-db/dyad/tests/badrequests"
	"github.com/dyad-db/dyad/tests/restclient"
)

const ada = `{"id":"ada","name":"Ada Lovelace","email":"ada@example.com","group":7}`

// exchange is one request with a JSON body, if any, and the reply it must get.
type exchange struct {
	method, path, body string
	status             int
	reply              string // "" for a problem or no body
}

func (c *cluster) exchange(e exchange) *http.Response {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), e.method, c.Gateway(0)+e.path, strings.NewReader(e.body))
	require.NoError(c.t, err)
	request.Header.Set("Content-Type", "application/json")
	reply, body := send(c.t, request)
	what := fmt.Sprintf("%s %s %s: %s", e.method, e.path, e.body, body)
	require.Equal(c.t, e.status, reply.StatusCode, what)
	switch {
	case e.method == http.MethodHead || e.status == http.StatusNoContent:
		require.Empty(c.t, body, what)
	case e.status < 400:
		require.Equal(c.t, "application/json; charset=utf-8", reply.Header.Get("Content-Type"), what)
		require.Equal(c.t, e.reply, string(body), what) // byte for byte
	default:
		require.Equal(c.t, "application/problem+json", reply.Header.Get("Content-Type"), what)
	}
	return reply
}

func TestCreateReadUpdateDelete(t *testing.T) {
	onBothEngines(t, func(t *testing.T, cfg local.Config) {
		cfg.Gateway = unhurried
		c := start(t, cfg)
		for _, slash := range []string{"", "/"} {
			all, one := "/api/users"+slash, "/api/users/ada"+slash
			c.exchange(exchange{"GET", one, "", 404, ""})
			c.exchange(exchange{"HEAD", one, "", 404, ""})
			c.exchange(exchange{"PUT", one, `{"group":1}`, 404, ""})
			c.exchange(exchange{"DELETE", one, "", 404, ""})
			created := c.exchange(exchange{"POST", all, ada, 201, ada})
			require.Equal(t, "/api/users/ada", created.Header.Get("Location"))
			c.exchange(exchange{"POST", all, ada, 409, ""})
			c.exchange(exchange{"GET", one, "", 200, ada})
			head := c.exchange(exchange{"HEAD", one, "", 200, ""})
			require.EqualValues(t, len(ada), head.ContentLength)

			renamed := strings.Replace(ada, "Ada Lovelace", "Augusta Ada King", 1)
			c.exchange(exchange{"PUT", all, `{"id":"ada","name":"Augusta Ada King"}`, 200, renamed})
			moved := strings.Replace(renamed, `"group":7`, `"group":2147483647`, 1)
			c.exchange(exchange{"PUT", one, `{"group":2147483647}`, 200, moved})
			c.exchange(exchange{"PUT", one, `{}`, 200, moved})
			c.exchange(exchange{"GET", one, "", 200, moved})
			c.exchange(exchange{"DELETE", one, "", 204, ""})
			c.exchange(exchange{"GET", one, "", 404, ""})
			c.exchange(exchange{"DELETE", one, "", 404, ""})
		}
	})
}

func TestTheServerMakesAnID(t *testing.T) {
	c := start(t, local.Config{Gateway: unhurried})
	client := c.client()
	created := client.Create(t.Context(), restclient.User{Name: "Grace Hopper", Email: "grace@example.com"})
	require.NoError(t, created.Err)
	require.Equal(t, restclient.OK, created.Outcome, created)
	id, err := uuid.Parse(created.User.ID)
	require.NoError(t, err)
	require.EqualValues(t, 7, id.Version())
	require.Equal(t, "/api/users/"+created.User.ID, created.Location)
	require.Equal(t, created.User, client.Get(t.Context(), created.User.ID).User)
}

// TestTextComesBackByteForByte: what is stored is the NFC of what was sent, and
// nothing else is done to it.
func TestTextComesBackByteForByte(t *testing.T) {
	c := start(t, local.Config{Gateway: unhurried})
	for id, name := range map[string][2]string{ // as sent, as it must come back
		"decomposed": {"Zoe\u0308 A\u030angstro\u0308m", "Zo\u00eb \u00c5ngstr\u00f6m"},
		"scripts":    {"مُحَمَّد 山田太郎 Ωμέγα", "مُحَمَّد 山田太郎 Ωμέγα"},
		"quotes":     {`O'Brien \"Bob\" <b>&\/ \u2028`, `O'Brien \"Bob\" <b>&/ ` + "\u2028"},
		"emoji":      {"👩‍👩‍👧‍👦 \\ud83d\\ude00", "👩‍👩‍👧‍👦 😀"},
	} {
		doc := func(name string) string {
			return fmt.Sprintf(`{"id":%q,"name":"%s","email":"a+b@example.com","group":0}`, id, name)
		}
		c.exchange(exchange{"POST", "/api/users/", doc(name[0]), 201, doc(name[1])})
		c.exchange(exchange{"GET", "/api/users/" + id, "", 200, doc(name[1])})
	}
}

func TestIntegersStayExact(t *testing.T) {
	c := start(t, local.Config{Gateway: unhurried})
	client := c.client()
	for i, group := range []int{0, 1, 1<<24 + 1, 1<<31 - 2, 1<<31 - 1} {
		u := restclient.User{ID: fmt.Sprint("u", i), Name: "N", Email: "n@example.com", Group: group}
		require.Equal(t, &u, client.Create(t.Context(), u).User)
		require.Equal(t, &u, client.Get(t.Context(), u.ID).User)
	}
}

// TestConcurrentUpdatesOfDifferentFieldsBothSurvive, through one gateway and
// through two.
func TestConcurrentUpdatesOfDifferentFieldsBothSurvive(t *testing.T) {
	c := start(t, local.Config{Gateways: 2, Gateway: unhurried})
	one, other := c.client(0), c.client(1)
	for pair, clients := range map[string][2]*restclient.Client{"one": {one, one}, "two": {one, other}} {
		u := restclient.User{ID: pair, Name: "before", Email: "before@example.com", Group: 1}
		require.Equal(t, restclient.OK, one.Create(t.Context(), u).Outcome)
		for round := range 20 {
			name, group := fmt.Sprint("name ", round), round
			var wg sync.WaitGroup
			wg.Go(func() { requireOK(t, settle(t, clients[0], pair, restclient.Patch{Name: &name})) })
			wg.Go(func() { requireOK(t, settle(t, clients[1], pair, restclient.Patch{Group: &group})) })
			wg.Wait()
			got := other.Get(t.Context(), pair)
			require.Equal(t, &restclient.User{ID: pair, Name: name, Email: u.Email, Group: group}, got.User, got)
		}
	}
}

// settle updates as the API tells a client to: two gateways that compete for one
// user may leave an outcome unknown (504), and setting a field to a value may be
// repeated. Anything else is returned as it came.
func settle(t *testing.T, c *restclient.Client, id string, p restclient.Patch) restclient.Result {
	t.Helper()
	r := c.Update(t.Context(), id, p)
	for range 5 {
		if r.Outcome != restclient.Unknown || r.Status != http.StatusGatewayTimeout {
			break
		}
		t.Log("repeated after an unknown outcome: ", r)
		r = c.Update(t.Context(), id, p)
	}
	return r
}

// requireOK may be called on any goroutine.
func requireOK(t *testing.T, r restclient.Result) {
	t.Helper()
	if r.Outcome != restclient.OK || r.Err != nil {
		t.Error(r)
	}
}

// TestBadRequestsChangeNothing runs the table of bad requests: each gets its
// reply, and afterwards the one user and what the nodes hold are as before.
func TestBadRequestsChangeNothing(t *testing.T) {
	onBothEngines(t, func(t *testing.T, cfg local.Config) {
		cfg.Gateway = unhedged
		c := start(t, cfg)
		c.exchange(exchange{"POST", "/api/users/", badrequests.Stored, 201, badrequests.Stored})
		before := c.nodes()
		cases := badrequests.Cases()
		for _, bad := range cases {
			request, err := bad.Request(t.Context(), c.Gateway(0))
			require.NoError(t, err)
			reply, body := send(c.t, request)
			require.NoError(t, bad.Verify(reply.StatusCode, reply.Header, body), bad.Name)
		}
		t.Logf("%d bad requests", len(cases))
		c.exchange(exchange{"GET", "/api/users/ada", "", 200, badrequests.Stored})
		after := c.nodes()
		for i := range before {
			require.Equal(t, before[i].Data, after[i].Data)
			require.Equal(t, before[i].Hints, after[i].Hints)
			require.Equal(t, before[i].AsData.Accept, after[i].AsData.Accept, "not one accept reached a node")
		}
		c.audit([]string{"ada"})
	})
}
