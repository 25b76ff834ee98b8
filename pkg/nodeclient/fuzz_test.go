package nodeclient_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/placement"
)

// FuzzParseNodes: what is taken are three nodes in order, with ids of their own and
// addresses that can be asked; written again it says the same.
func FuzzParseNodes(f *testing.F) {
	f.Add("db-0=http://10.0.0.1:7100,db-1=http://10.0.0.2:7100,db-2=http://10.0.0.3:7100")
	f.Add(" c=http://[::1]:1/, b=http://b , a=http://a:1")
	f.Add("a=http://a%25b:1,b=http://u:p@b:1,c=http://c:1?q=1")
	f.Add("")
	f.Fuzz(func(t *testing.T, list string) {
		nodes, err := nodeclient.ParseNodes(list)
		if err != nil {
			require.Nil(t, nodes)
			return
		}
		require.Len(t, nodes, placement.Nodes)
		again := ""
		for i, n := range nodes {
			require.NotEmpty(t, n.ID)
			require.True(t, i == 0 || nodes[i-1].ID < n.ID)
			u, err := url.Parse(n.URL + "/status")
			require.NoError(t, err)
			require.Equal(t, "/status", u.Path)
			require.NotEmpty(t, u.Host)
			again += "," + n.ID + "=" + n.URL
		}
		twice, err := nodeclient.ParseNodes(again[1:])
		require.NoError(t, err)
		require.Equal(t, nodes, twice)
	})
}
