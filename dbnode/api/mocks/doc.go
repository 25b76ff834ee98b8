// Package mocks holds mockery's mocks of the interfaces that dbnode/api
// declares, for tests. Everything but this file is generated (.mockery.yaml).
package mocks
