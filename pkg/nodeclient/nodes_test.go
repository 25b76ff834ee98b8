package nodeclient_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/nodeclient"
)

func TestParseNodesSortsByID(t *testing.T) {
	nodes, err := nodeclient.ParseNodes(" db-2=http://c:3 ,db-0=http://a:1/,db-1=http://[::1]:2")
	require.NoError(t, err)
	require.Equal(t, []nodeclient.Node{
		{ID: "db-0", URL: "http://a:1"}, {ID: "db-1", URL: "http://[::1]:2"}, {ID: "db-2", URL: "http://c:3"},
	}, nodes)
}

func TestParseNodesRefuses(t *testing.T) {
	for list, why := range map[string]string{
		"":                                  "no nodes given",
		" ":                                 "no nodes given",
		"db-0=http://a:1":                   "1 nodes given",
		"a=http://a,b=http://b,c=http://c,": `node ""`,
		"a=http://a,b=http://b,c=http://c,d=http://d": "4 nodes given",
		"a=http://a,b=http://b,a=http://c":            "node a is given twice",
		"a=http://a,b=http://b,http://c":              "want id=http://host:port",
		"a=http://a,b=http://b,=http://c":             "want id=http://host:port",
		"a=http://a,b=http://b,c=https://c":           "node c",
		"a=http://a,b=http://b,c=c:7100":              "node c",
		"a=http://a,b=http://b,c=http://":             "node c",
		"a=http://a,b=http://b,c=http://c/path":       "node c",
		"a=http://a,b=http://b,c=http://c:x":          "node c",
		"a=http://a,b=http://b,c=http://u:p@c:1":      "node c",
		"a=http://a,b=http://b,c=http://c:1?x=1":      "node c",
		"a=http://a,b=http://b,c=http://c%25d:1":      "node c",
	} {
		_, err := nodeclient.ParseNodes(list)
		require.ErrorContains(t, err, why, list)
	}
}
