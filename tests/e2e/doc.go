// Package e2e shows what the whole does: tests over clusters of real nodes and
// gateways, in one process with real sockets between them or as the programs
// themselves, through the public API and the nodes' own operations endpoints.
//
// The sizes are small by default. DYAD_E2E_USERS=100000 loads that many users (of
// less than 10,000 the fixed size of three stores is too large a part),
// DYAD_E2E_OPERATIONS=10000 counts the messages of that many operations of each
// kind.
package e2e
