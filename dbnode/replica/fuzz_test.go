package replica

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/dbnode/store"
	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/pkg/register"
)

// unsealed is a stored value without its checksum, which fuzzing would not find.
func unsealed(value []byte) []byte { return value[:len(value)-checksumSize] }

// requireSealed checks that no bit of a stored value, nor its key, can be another.
func requireSealed(t *testing.T, key, value []byte, bit uint16, decode func(key, value []byte) error) {
	t.Helper()
	at := int(bit) % (8 * len(value))
	value[at/8] ^= 1 << (at % 8)
	require.ErrorIs(t, decode(key, value), ErrChecksum)
	value[at/8] ^= 1 << (at % 8)
	require.ErrorIs(t, decode(append(slices.Clip(key), 'x'), value), ErrChecksum)
}

// FuzzDecodeRecord: a value is refused, or says the same when it is written again.
func FuzzDecodeRecord(f *testing.F) {
	key := recordKey(1, "key")
	for _, r := range []register.Record{rec(1, "doc"), rec(1, ""), tombstone(2), {Ballot: ballot(3), Op: ballot(1), Doc: []byte("x")}} {
		f.Add(unsealed(encodeRecord(key, r)), uint16(9))
	}
	f.Add([]byte{}, uint16(0))
	f.Add([]byte{recordVersion}, uint16(1))
	f.Fuzz(func(t *testing.T, plain []byte, bit uint16) {
		if _, err := decodeRecord(key, plain); err == nil {
			t.Log("the fuzzer found a checksum")
		}
		value := seal(key, append([]byte{}, plain...))
		requireSealed(t, key, value, bit, func(key, value []byte) error {
			_, err := decodeRecord(key, value)
			return err
		})
		r, err := decodeRecord(key, value)
		if err != nil {
			require.False(t, errors.Is(err, ErrChecksum))
			require.Zero(t, r)
			return
		}
		require.Equal(t, r.Tombstone, r.Doc == nil)
		encoded := encodeRecord(key, r)
		require.LessOrEqual(t, len(encoded), len(value), "the form is the shortest")
		again, err := decodeRecord(key, encoded)
		require.NoError(t, err)
		require.Equal(t, r, again)
	})
}

// FuzzDecodeState is the same for an acceptor's state, which has one form.
func FuzzDecodeState(f *testing.F) {
	key := stateKey(1)
	f.Add(unsealed(encodeState(key, register.Durable{Floor: ballot(1), Horizon: 5})), uint16(9))
	f.Add([]byte{}, uint16(0))
	f.Fuzz(func(t *testing.T, plain []byte, bit uint16) {
		_, _ = decodeState(key, plain)
		value := seal(key, append([]byte{}, plain...))
		requireSealed(t, key, value, bit, func(key, value []byte) error {
			_, err := decodeState(key, value)
			return err
		})
		d, err := decodeState(key, value)
		if err != nil {
			require.False(t, errors.Is(err, ErrChecksum))
			return
		}
		require.Equal(t, value, encodeState(key, d))
	})
}

// FuzzIdentity opens a replica on a store with any identity: it is refused, or is
// that of this node and this cluster, its start counted.
func FuzzIdentity(f *testing.F) {
	own := Identity{NodeID: "n0", Partitions: 3}
	own.Lives[0] = Life{Incarnation: 1, Boots: 7, Beat: 9, Recognized: true}
	own.Lives[1] = Life{Incarnation: 4, Boots: 1, Joining: true}
	for _, id := range []Identity{own, {NodeID: "n1", Partitions: 3}, {NodeID: "n0", Partitions: 64}} {
		plain, err := json.Marshal(id)
		require.NoError(f, err)
		f.Add(plain)
	}
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		disk := mem.NewDisk()
		s, err := mem.OpenManual(disk)
		require.NoError(t, err)
		s.Write([]store.Op{{Key: metaKey(), Value: seal(metaKey(), append([]byte{}, plain...))}}, func(err error) { require.NoError(t, err) })
		s.Sync()
		r, err := Open(testConfig(t, 1<<32), s)
		if err != nil {
			require.NotErrorIs(t, err, store.ErrDamaged, "its checksum is right")
			return
		}
		var before Identity
		require.NoError(t, json.Unmarshal(plain, &before))
		id := r.Identity()
		require.Equal(t, "n0", id.NodeID)
		require.Equal(t, 3, id.Partitions)
		require.False(t, r.Admitted())
		if life := r.Life(); life.Incarnation > 0 && life.Boots != before.Lives[0].Boots {
			require.False(t, life.Recognized)
			require.Equal(t, uint64(1<<32), life.Starts[life.Boots%uint64(len(life.Starts))])
		}
		encoded, err := unseal(metaKey(), r.identityOp().Value)
		require.NoError(t, err)
		var again Identity
		require.NoError(t, json.Unmarshal(encoded, &again))
		require.Equal(t, id, again)
	})
}
