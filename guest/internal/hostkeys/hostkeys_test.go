package hostkeys

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRenewRemovesEveryKeyAndMakesTheKindsThatWere(t *testing.T) {
	base := t.TempDir()
	for _, file := range []string{
		"etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub", "etc/ssh/ssh_host_ed25519_key-cert.pub",
		"etc/ssh/ssh_host_odd_key", "etc/ssh/sshd_config", "etc/dropbear/dropbear_rsa_host_key", "usr/bin/ssh-keygen",
	} {
		p := filepath.Join(base, file)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var made []string
	run := func(argv, env []string, patience time.Duration) error {
		made = append(made, strings.Join(argv[:5], " "))
		return nil
	}
	if err := Renew(base, run); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(made, []string{"/usr/bin/ssh-keygen -q -t ed25519 -N"}) {
		t.Error(made)
	}
	left, err := filepath.Glob(filepath.Join(base, "etc/*/*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "sshd_config" {
		t.Error(left, err)
	}
}

func TestParseServerMindsTheOnesThatInitStarted(t *testing.T) {
	for stat, want := range map[string]bool{
		"731 (sshd) S 1 731 731 0 -1": true, "44 (dropbear) S 1 44": true, "733 (sshd) S 731 733": false,
		"9 (a (b) sshd) S 1 9": false, "9 (bash) S 1 9": false, "": false,
	} {
		if s, ok := parseServer(stat); ok != want || ok && s.pid == 0 {
			t.Errorf("%q: %v %v", stat, s, ok)
		}
	}
}

func TestInitsChildrenAreBelievedWhenTheyReadTheSameTwice(t *testing.T) {
	lists := []string{"7 9 ", "9 ", "9 12 ", "9 12 "} // one ended while it was read first
	got := candidates(func() (string, error) {
		list := lists[0]
		lists = lists[1:]
		return list, nil
	})
	if !slices.Equal(got, []string{"9", "12"}) {
		t.Error(got)
	}
}

func TestWithoutAListOfInitsChildrenEveryProcessIsACandidate(t *testing.T) {
	refused := func() (string, error) { return "", errors.New("no such file") }
	n := 0
	changing := func() (string, error) { n++; return strconv.Itoa(n), nil }
	for _, list := range []func() (string, error){refused, changing} {
		if got := candidates(list); !slices.Contains(got, strconv.Itoa(os.Getpid())) || !slices.Contains(got, "1") {
			t.Error(got)
		}
	}
}

func TestKeysMayBeInUseOnceThereHasBeenOne(t *testing.T) {
	base := t.TempDir()
	if MayBeInUse(base, Look(base)) {
		t.Error("without a directory")
	}
	dir := filepath.Join(base, "etc/dropbear")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	long := time.Unix(1, 0) // what happens now is at no other time than this
	if err := os.Chtimes(dir, long, long); err != nil {
		t.Fatal(err)
	}
	before := Look(base)
	if MayBeInUse(base, before) {
		t.Error("before there was one")
	}
	key := filepath.Join(dir, "dropbear_ed25519_host_key")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !MayBeInUse(base, before) || !MayBeInUse(base, Look(base)) {
		t.Error("with one")
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if !MayBeInUse(base, before) {
		t.Error("when it was removed, and may have been read before")
	}
}
