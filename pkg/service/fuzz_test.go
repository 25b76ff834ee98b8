package service_test

import (
	"errors"
	"flag"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/service"
)

// FuzzParseFlags: a flag counts before its environment variable, and that before
// the default; whatever is wrong is called wrong usage.
func FuzzParseFlags(f *testing.F) {
	f.Add("--listen\x00a:1", "a:1", "", "3", "true")
	f.Add("-health-check=maybe", "", "env:1", "many", "")
	f.Add("--\x00word", "x", "y", "0x10", "F")
	f.Add("--help", "", "", "", "")
	f.Add("", "flag:1", "env:1", "3", "true")
	f.Fuzz(func(t *testing.T, words, listen, envListen, envPartitions, envCheck string) {
		env := map[string]string{"DYAD_LISTEN": envListen, "DYAD_PARTITIONS": envPartitions, "DYAD_HEALTH_CHECK": envCheck}
		if _, err := parse(strings.Split(words, "\x00"), env); err != nil {
			require.NotEqual(t, errors.Is(err, service.ErrUsage), errors.Is(err, flag.ErrHelp), err)
		}

		want := settings{listen: "default:1", partitions: 64}
		if envListen != "" {
			want.listen = envListen
		}
		var bad error
		if envPartitions != "" {
			n, err := strconv.ParseInt(envPartitions, 0, strconv.IntSize)
			want.partitions, bad = int(n), errors.Join(bad, err)
		}
		if envCheck != "" {
			on, err := strconv.ParseBool(envCheck)
			want.check, bad = on, errors.Join(bad, err)
		}
		got, err := parse(nil, env)
		require.Equal(t, bad == nil, err == nil, "%v, %v", bad, err)
		if err != nil {
			return
		}
		require.Equal(t, want, got)
		want.listen = listen
		got, err = parse([]string{"--listen=" + listen}, env)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}
