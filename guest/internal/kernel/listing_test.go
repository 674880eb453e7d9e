package kernel

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAListingReadsAsItIsNow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list")
	l := NewListing(file)
	if _, err := l.Read(); err != syscall.ENOENT {
		t.Fatal(err)
	}
	for _, text := range []string{"one\n", strings.Repeat("more\n", 5000), ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Read(); err != nil || got != text {
			t.Fatalf("%d bytes of %d, %v", len(got), len(text), err)
		}
	}
}
