// Package e2e shows what the whole does: tests over clusters of real nodes and
// gateways, in one process with real sockets between them or as the programs
// themselves, through the public API and the nodes' own operations endpoints.
//
// Full disks are small ones that a test mounts, and syncs fail by strace: those
// tests skip, and say so, where the one or the other is not allowed.
//
// The sizes are small by default. DYAD_E2E_USERS=100000 loads that many users (of
// less than 10,000 the fixed size of three stores is too large a part),
// DYAD_E2E_OPERATIONS=10000 counts the messages of that many operations of each
// kind.
package e2e
