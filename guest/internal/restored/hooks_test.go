package restored

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nexus/guest/internal/config"
)

func hooks(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestHooksRunByNameAndOneThatFailsHoldsUpNone(t *testing.T) {
	dir := hooks(t, "20-b", "10-a", "30-c~", ".hidden", "40-d.dpkg-old")
	if err := os.WriteFile(filepath.Join(dir, "15-no-program"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var ran []string
	err := runHooks(dir, nil, func(argv, env []string, patience time.Duration) error {
		ran = append(ran, filepath.Base(argv[0]))
		return errors.New(argv[0] + ": ended with 3")
	}, time.Now)
	if !slices.Equal(ran, []string{"10-a", "20-b"}) {
		t.Error(ran)
	}
	if err == nil || strings.Count(err.Error(), "ended with 3") != 2 {
		t.Error(err)
	}
}

func TestHooksShareTheirTime(t *testing.T) {
	dir := hooks(t, "1", "2", "3")
	at := time.Unix(0, 0)
	var given []time.Duration
	err := runHooks(dir, nil, func(argv, env []string, patience time.Duration) error {
		given = append(given, patience)
		at = at.Add(15 * time.Second)
		return nil
	}, func() time.Time { return at })
	if !slices.Equal(given, []time.Duration{hookPatience, 5 * time.Second}) {
		t.Error(given)
	}
	if err == nil || !strings.Contains(err.Error(), "3: not run") {
		t.Error(err)
	}
}

func TestNoHooksAreNoFailure(t *testing.T) {
	if err := runHooks("/nonexistent", nil, nil, time.Now); err != nil {
		t.Error(err)
	}
}

func TestEnvironmentSaysWhoTheMachineWasAndIs(t *testing.T) {
	former, now := &config.Config{Hostname: "old", MachineID: "a"}, &config.Config{Hostname: "new", MachineID: "b"}
	env := environment(Clone, former, now)
	for _, want := range []string{
		"NEXUS_REASON=clone", "NEXUS_HOSTNAME=new", "NEXUS_FORMER_HOSTNAME=old", "NEXUS_MACHINE_ID=b",
		"NEXUS_FORMER_MACHINE_ID=a",
	} {
		if !slices.Contains(env, want) {
			t.Error(want)
		}
	}
}
