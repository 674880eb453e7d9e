package identity

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nexus/guest/internal/accounts"
	"nexus/guest/internal/config"
)

func TestHosts(t *testing.T) {
	for before, want := range map[string]string{
		"": "127.0.0.1\tlocalhost\n127.0.1.1\tweb\n",
		"127.0.0.1 localhost x\n127.0.1.1 old\n10.0.0.9 db": "127.0.0.1 localhost x\n10.0.0.9 db\n127.0.1.1\tweb\n",
		"127.0.0.1\tlocalhost\n127.0.1.1\tweb\n":            "127.0.0.1\tlocalhost\n127.0.1.1\tweb\n",
	} {
		if got := Hosts(before, "web", "localhost"); got != want {
			t.Errorf("%q became %q", before, got)
		}
	}
}

func TestHostsForgetsTheFormerNameWhereItMeantThisMachine(t *testing.T) {
	const before = "127.0.0.1 localhost old\n::1 old\n127.0.1.1 old\n10.0.0.9 old\n# old\n"
	const want = "127.0.0.1\tlocalhost\n10.0.0.9 old\n# old\n127.0.1.1\tweb\n"
	if got := Hosts(before, "web", "old"); got != want {
		t.Errorf("%q", got)
	}
	if got := Hosts(want, "web", "web"); got != want {
		t.Errorf("a second time: %q", got)
	}
}

func TestWasAnothersMindsAWholeIDOnly(t *testing.T) {
	mine, other := strings.Repeat("a", 32), strings.Repeat("b", 32)
	for there, want := range map[string]bool{"": false, "uninitialized\n": false, mine + "\n": false, other + "\n": true} {
		base := t.TempDir()
		if err := os.Mkdir(filepath.Join(base, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(base, "etc/machine-id"), there)
		if WasAnothers(base, mine) != want {
			t.Errorf("%q", there)
		}
	}
}

func TestAKeptDisksFilesStayTheFilesTheyWere(t *testing.T) {
	for before, after := range map[string]string{"old\n": "new\n", "longer\n": "new\n", "old\n ": "much longer\n"} {
		base := t.TempDir()
		file := filepath.Join(base, "hostname")
		write(t, file, before)
		was := inode(t, file)
		d := &disk{base: base, isKept: true}
		if err := d.rewrite("hostname", after, 0o644); err != nil || text(t, file) != after || inode(t, file) != was {
			t.Errorf("%q became %q, %v", before, text(t, file), err)
		}
		if err := d.rewrite("new", after, 0o644); err != nil || text(t, filepath.Join(base, "new")) != after {
			t.Error(err)
		}
	}
}

func TestWhatNoBootWouldMendIsExchangedWholeOrReplaced(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "shadow")
	write(t, file, "root:old\n")
	was := inode(t, file)
	d := &disk{base: base, isKept: true}
	if err := d.exchange("shadow", "root:new\n", 0o600); err != nil || text(t, file) != "root:new\n" || inode(t, file) != was {
		t.Errorf("%q, %v", text(t, file), err)
	}
	if err := d.exchange("shadow", "root:longer\n", 0o600); err != nil || text(t, file) != "root:longer\n" || inode(t, file) == was {
		t.Errorf("%q, %v", text(t, file), err)
	}
	was = inode(t, file)
	if err := d.exchange("shadow", "root:LONGER\n", 0o600); err != nil || inode(t, file) == was {
		t.Error("it was written to before what was replaced is on the disk", err)
	}
}

func inode(t *testing.T, p string) uint64 {
	t.Helper()
	var at syscall.Stat_t
	if err := syscall.Stat(p, &at); err != nil {
		t.Fatal(err)
	}
	return at.Ino
}

func TestBusIDFollowsOnlyWhereItIsAFileOfItsOwn(t *testing.T) {
	base := t.TempDir()
	if err := os.MkdirAll(filepath.Join(base, "var/lib/dbus"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(base, "var/lib/dbus/machine-id")
	d := &disk{base: base}
	if err := d.bus("new"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(file); err == nil {
		t.Fatal("a D-Bus id where there was none")
	}
	write(t, file, "old\n")
	if err := d.bus("new"); err != nil || text(t, file) != "new\n" {
		t.Fatal(err, text(t, file))
	}
}

func TestAuthorizedKeysAddsWhatIsMissing(t *testing.T) {
	if got := AuthorizedKeys("# mine\nkey a", []string{"key b", "key a", " key b "}); got != "# mine\nkey a\nkey b\n" {
		t.Fatalf("%q", got)
	}
}

func me() accounts.Account {
	return accounts.Account{UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
}

func TestAuthorizeReplacesALinkInsteadOfWritingThroughIt(t *testing.T) {
	home, secret := t.TempDir(), filepath.Join(t.TempDir(), "shadow")
	write(t, secret, "secret")
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, ".ssh/authorized_keys")
	link(t, secret, file)
	if err := authorize(home, me(), []string{"key"}); err != nil {
		t.Fatal(err)
	}
	if text(t, secret) != "secret" || text(t, file) != "key\n" {
		t.Fatalf("%q %q", text(t, secret), text(t, file))
	}
	mode(t, file, 0o600)
	mode(t, filepath.Join(home, ".ssh"), 0o700)
}

func TestAuthorizeRefusesADirectoryThatIsALink(t *testing.T) {
	home, other := t.TempDir(), t.TempDir()
	link(t, other, filepath.Join(home, ".ssh"))
	if err := authorize(home, me(), []string{"key"}); err == nil {
		t.Fatal("wrote through a link")
	}
	if left, err := os.ReadDir(other); err != nil || len(left) != 0 {
		t.Fatal(left, err)
	}
}

// Links in a root file system are its own because Apply has it as its root; so has this test.
func TestApplyStaysInsideTheRootFileSystem(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for chroot")
	}
	root, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "hostname"), "outside")
	for _, d := range []string{"etc", "real"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "real/hostname"), "old")
	link(t, "/real/hostname", filepath.Join(root, "etc/hostname"))
	link(t, "../run/resolve/stub.conf", filepath.Join(root, "etc/resolv.conf"))
	c := &config.Config{
		Hostname: "web", MachineID: strings.Repeat("a", 32), DNS: []netip.Addr{netip.MustParseAddr("10.0.0.1")},
		User: config.Account{Name: "bob", PasswordHash: "$6$h", SSHAuthorizedKeys: []string{"key"}},
	}
	inRoot(t, root, func() error { return Apply("/", c, time.Unix(86400, 0)) })
	for file, want := range map[string]string{
		"real/hostname": "web\n", "etc/machine-id": c.MachineID + "\n", "etc/resolv.conf": "nameserver 10.0.0.1\n",
		"etc/shadow": "bob:$6$h:1:0:99999:7:::\n", "home/bob/.ssh/authorized_keys": "key\n",
	} {
		if got := text(t, filepath.Join(root, file)); got != want {
			t.Errorf("%s holds %q", file, got)
		}
	}
	mode(t, filepath.Join(root, "etc/shadow"), 0o600)
	mode(t, filepath.Join(root, "home/bob"), 0o700)

	write(t, filepath.Join(root, "etc/shadow"), "bob:$6$changed:2:0:99999:7:::\n")
	inRoot(t, root, func() error { return Apply("/", c, time.Unix(86400, 0)) })
	if got := text(t, filepath.Join(root, "etc/shadow")); !strings.Contains(got, "changed") {
		t.Errorf("the password that the user has changed was set back: %q", got)
	}
}

// inRoot runs f with root as the root of this process, and goes back by a descriptor.
func inRoot(t *testing.T, root string, f func() error) {
	t.Helper()
	before, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	at, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Chroot(root); err != nil {
		t.Fatal(err)
	}
	os.Chdir("/")
	failed := f()
	before.Chdir()
	syscall.Chroot(".")
	os.Chdir(at)
	if failed != nil {
		t.Fatal(failed)
	}
}

func write(t *testing.T, p, content string) {
	t.Helper()
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, p string) {
	t.Helper()
	if err := os.Symlink(to, p); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, p string) string {
	t.Helper()
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mode(t *testing.T, p string, want os.FileMode) {
	t.Helper()
	at, err := os.Stat(p)
	if err != nil {
		t.Fatal(err)
	}
	if at.Mode().Perm() != want {
		t.Errorf("%s has mode %o", p, at.Mode().Perm())
	}
}
