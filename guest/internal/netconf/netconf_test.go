package netconf

import (
	"slices"
	"testing"
)

func TestNamesOfInterfacesAreReadFromTheKernelsList(t *testing.T) {
	const list = "Inter-|   Receive                |  Transmit\n face |bytes    packets errs|bytes    packets errs\n" +
		"    lo: 1 0 0 0\n  eth0:12345678 0 0\nveth-a.1: 1 2 3\n"
	if got := names(list); !slices.Equal(got, []string{"lo", "eth0", "veth-a.1"}) {
		t.Errorf("%q", got)
	}
}

func TestTheLoopbackIsThere(t *testing.T) {
	_, cards, err := look()
	if err != nil {
		t.Fatal(err)
	}
	if name, ok := named(cards, "00:00:00:00:00:00"); !ok || name != "lo" {
		t.Error(cards)
	}
}

func TestTheLoopbacksAddressIsTold(t *testing.T) {
	fd, _, err := look()
	if err != nil {
		t.Fatal(err)
	}
	if got, all := labels(fd); !all || !slices.Contains(got, "lo") {
		t.Error(got, all)
	}
	if !hasIPv6(map[string]bool{"lo": true}) {
		t.Skip("no IPv6 here")
	}
	if hasIPv6(map[string]bool{}) {
		t.Error("no interface has an IPv6 address")
	}
}
