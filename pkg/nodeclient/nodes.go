package nodeclient

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/dyad-db/dyad/pkg/placement"
)

// ParseNodes reads a list such as
// "db-0=http://10.0.0.1:7100,db-1=http://10.0.0.2:7100,db-2=http://10.0.0.3:7100"
// and returns the nodes sorted by id, so that every program numbers them alike.
func ParseNodes(list string) ([]Node, error) {
	if strings.TrimSpace(list) == "" {
		return nil, errors.New("no nodes given: name all three, as db-0=http://host:port,db-1=…,db-2=…")
	}
	var nodes []Node
	for item := range strings.SplitSeq(list, ",") {
		id, address, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok || id == "" {
			return nil, fmt.Errorf("node %q: want id=http://host:port", item)
		}
		u, err := url.Parse(address)
		address = strings.TrimRight(address, "/")
		if err != nil || u.Host == "" || address != "http://"+u.Host { // all else would be dropped unsaid
			return nil, fmt.Errorf("node %s: %q is no address of the form http://host:port", id, address)
		}
		nodes = append(nodes, Node{ID: id, URL: address})
	}
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
	if len(nodes) != placement.Nodes {
		return nil, fmt.Errorf("%d nodes given: a cluster has %d", len(nodes), placement.Nodes)
	}
	for i := 1; i < len(nodes); i++ {
		if nodes[i].ID == nodes[i-1].ID {
			return nil, fmt.Errorf("node %s is given twice", nodes[i].ID)
		}
	}
	return nodes, nil
}
