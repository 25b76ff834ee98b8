package people_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/people"
)

func TestCSVRoundTrip(t *testing.T) {
	rows := slices.Collect(people.Generate(5, 5000))
	var file bytes.Buffer
	require.NoError(t, people.WriteCSV(&file, slices.Values(rows)))
	assert.True(t, strings.HasPrefix(file.String(), "id,name,email,group\nnull,Null,null@example.com,0\n"))
	assert.Contains(t, file.String(), "\nquoting-1,\"Smith, Jr.\",smith.jr@example.com,3\n")
	assert.Contains(t, file.String(), "\nquoting-2,\"Dwayne \"\"The Rock\"\" Johnson\",")
	var back []people.Person
	for p, err := range people.ReadCSV(&file) {
		require.NoError(t, err)
		back = append(back, p)
	}
	assert.Equal(t, rows, back)
}

func TestReadCSVNamesWhatIsWrong(t *testing.T) {
	for title, c := range map[string]struct{ file, says string }{
		"empty file":      {"", "EOF"},
		"no header":       {"a,A,a@example.com,1\n", "header"},
		"missing column":  {"id,name,email,group\na,A,a@example.com\n", "line 2"},
		"group no number": {"id,name,email,group\na,A,a@example.com,1\nb,B,b@example.com,many\n", "line 3"},
		"open quote":      {"id,name,email,group\na,\"A,a@example.com,1\n", "line 2"},
	} {
		t.Run(title, func(t *testing.T) {
			var last error
			for _, err := range people.ReadCSV(strings.NewReader(c.file)) {
				require.NoError(t, last, "nothing may come after an error")
				last = err
			}
			assert.ErrorContains(t, last, c.says)
		})
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteCSVReportsAFailedWrite(t *testing.T) {
	assert.ErrorContains(t, people.WriteCSV(fullDisk{}, people.Generate(1, 3)), "no space left")
	assert.ErrorContains(t, people.WriteCSV(fullDisk{}, people.Generate(1, 5000)), "no space left")
	assert.NoError(t, people.WriteCSV(io.Discard, people.Generate(1, 3)))
}
