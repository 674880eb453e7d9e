package connections

import (
	"maps"
	"net"
	"os"
	"slices"
	"testing"
)

const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0
   1: 0F02000A:0016 0202000A:D431 01 00000000:00000000 02:000A1 00000000     0        0 101 2 0 20 4 30 10 -1
   2: 0100007F:0016 0100007F:D431 01 00000000:00000000 02:000A1 00000000     0        0 102 2 0 20 4 30 10 -1
   3: FEA9FEA9:0050 FEA9FEA9:D431 01 00000000:00000000 02:000A1 00000000     0        0 103 2 0 20 4 30 10 -1
   4: 0F02000A:0016 0202000A:D432 06 00000000:00000000 03:00016 00000000     0        0 0 3 0
`

const tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 0000000000000000FFFF00000F02000A:0016 0000000000000000FFFF00000202000A:D431 01 0:0 02:0 0 0 0 201 2 0 20
   1: 00000000000000000000000001000000:0016 00000000000000000000000001000000:D431 01 0:0 02:0 0 0 0 202 2 0 20
   2: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF00000100007F:D431 01 0:0 02:0 0 0 0 203 2 0 20
`

func TestParseFindsConnectionsThatLeaveTheMachine(t *testing.T) {
	found := map[string]bool{}
	for _, text := range []string{tcp, tcp6} {
		parse(text, found)
	}
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, []string{"socket:[101]", "socket:[201]"}) {
		t.Error(got)
	}
}

func TestResetEndsBothSides(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	f, err := ours.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := reset(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	for _, side := range []net.Conn{ours, theirs} {
		if n, err := side.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Errorf("read %d bytes, %v", n, err)
		}
	}
}
