package accounts

import (
	"slices"
	"strings"
	"testing"
)

const passwd = "root:x:0:0:root:/root:/bin/bash\nbroken line\nalice:x:1000:1000::/home/alice:/bin/sh\n"

func TestFindSkipsWhatIsNoAccount(t *testing.T) {
	a, ok := Find(passwd, "alice")
	if !ok || a != (Account{"alice", 1000, 1000, "/home/alice", "/bin/sh"}) {
		t.Fatal(a, ok)
	}
	if _, ok := Find(passwd, "broken line"); ok {
		t.Fatal("a broken line is an account")
	}
}

func TestGroupsAreThoseThatListTheUser(t *testing.T) {
	got := Groups("wheel:x:10:bob,alice\nalice:x:1000:\nmalice:x:11:malice\nbad:x:y:alice\n", "alice")
	if !slices.Equal(got, []uint32{10}) {
		t.Fatal(got)
	}
}

func TestEnsureMakesAUserWithFreeIDsOnce(t *testing.T) {
	f, bob := Ensure(Files{Passwd: passwd, Group: "staff:x:1001:"}, "bob", "/bin/sh")
	if bob != (Account{"bob", 1002, 1002, "/home/bob", "/bin/sh"}) {
		t.Fatal(bob)
	}
	if !strings.HasSuffix(f.Passwd, "\nbob:x:1002:1002::/home/bob:/bin/sh\n") || f.Group != "staff:x:1001:\nbob:x:1002:\n" {
		t.Fatalf("%q %q", f.Passwd, f.Group)
	}
	if again, _ := Ensure(f, "bob", "/bin/sh"); again != f {
		t.Fatal("made twice")
	}
}

func TestEnsureGivesAnEmptyRootFileSystemItsRoot(t *testing.T) {
	f, root := Ensure(Files{}, "root", "/bin/sh")
	if root.UID != 0 || root.GID != 0 || root.Home != "/root" || f.Passwd != "root:x:0:0::/root:/bin/sh\n" {
		t.Fatal(root, f)
	}
}

func TestSetPassword(t *testing.T) {
	for _, c := range []struct{ name, hash, passwd, shadow, wantPasswd, wantShadow string }{
		{"moves the password to shadow", "$6$h", "u:old:1:1::/:/bin/sh\nv:x:2:2::/:\n", "v:!:1::::::\n",
			"u:x:1:1::/:/bin/sh\nv:x:2:2::/:\n", "v:!:1::::::\nu:$6$h:9:0:99999:7:::\n"},
		{"replaces", "$6$h", "u:x:1:1::/:/bin/sh\n", "u:*:1:0:99999:7:::\n", "u:x:1:1::/:/bin/sh\n", "u:$6$h:9:0:99999:7:::\n"},
		{"locks", "", "u:x:1:1::/:/bin/sh\n", "u:$6$old:1:0:99999:7:::", "u:x:1:1::/:/bin/sh\n", "u:!:9:0:99999:7:::\n"},
	} {
		f := SetPassword(Files{Passwd: c.passwd, Shadow: c.shadow}, "u", c.hash, 9)
		if f.Passwd != c.wantPasswd || f.Shadow != c.wantShadow {
			t.Errorf("%s: %q %q", c.name, f.Passwd, f.Shadow)
		}
	}
}
