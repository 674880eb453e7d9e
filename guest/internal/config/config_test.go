package config

import (
	"strings"
	"testing"
)

const whole = `{"version":1,"mode":"vm","root":{"device":"/dev/vda","fs":"squashfs","read_only":true},
"overlay":{"device":"/dev/vdb","fs":"ext4","read_only":false},"init":"/sbin/init","hostname":"web-1",
"machine_id":"0123456789abcdef0123456789abcdef","user":{"name":"root","password_hash":null,"ssh_authorized_keys":[]},
"nics":[{"mac":"52:54:00:00:00:01","address":"10.0.0.2/24","gateway":"10.0.0.1"},{"mac":"52:54:00:00:00:02","address":null,"gateway":null}],
"dns":["10.0.0.1"],"time_unix_ms":1700000000000,"from_the_future":true}`

func TestParseReadsWhatTheHostWrites(t *testing.T) {
	c, err := Parse([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if c.NICs[0].Address.String() != "10.0.0.2/24" || c.NICs[1].Address.IsValid() || c.Overlay.Device != "/dev/vdb" ||
		*c.TimeUnixMs != 1700000000000 || c.DNS[0].String() != "10.0.0.1" {
		t.Fatalf("%+v", c)
	}
}

func TestParseFillsInDefaults(t *testing.T) {
	c, err := Parse([]byte(`{"root":{"device":"/dev/vda","fs":"ext4"},"hostname":"a","machine_id":"0123456789abcdef0123456789abcdef"}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Mode != ModeVM || c.Init != "/sbin/init" || c.User.Name != "root" || c.Overlay != nil || c.TimeUnixMs != nil {
		t.Fatalf("%+v", c)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ old, new, why string }{
		{`"version":1`, `"version":2`, "version"},
		{`"mode":"vm"`, `"mode":"x"`, "mode"},
		{`/sbin/init`, `sbin/init`, "init"},
		{`web-1`, `web_1`, "hostname"},
		{`0123456789abcdef0`, `x`, "machine_id"},
		{`"name":"root"`, `"name":"a:b"`, "user name"},
		{`"password_hash":null`, `"password_hash":"a:b"`, "password"},
		{`"ssh_authorized_keys":[]`, `"ssh_authorized_keys":["a\nb"]`, "SSH key"},
		{`/dev/vda`, `/dev/../etc`, "device"},
		{`"fs":"squashfs"`, `"fs":"vfat"`, "file system"},
		{`"device":"/dev/vdb","fs":"ext4"`, `"device":"/dev/vdb","fs":"squashfs"`, "overlay"},
		{`10.0.0.2/24`, `fd00::1/64`, "IPv4"},
		{`10.0.0.2/24`, `10.0.0.2`, "ParsePrefix"},
		{`{"version"`, `{{`, "invalid"},
	} {
		text := strings.Replace(whole, c.old, c.new, 1)
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", c.new, err)
		}
	}
}
