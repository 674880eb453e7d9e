package mux

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakePort is a port whose other end the test holds: it sends chunks, or an end of file, and reads what we write.
type fakePort struct {
	in   chan []byte // nil chunk: end of file
	rest []byte
	out  *os.File // our end
	host *bufio.Reader
	pipe *os.File
}

func newFakePort(t *testing.T) *fakePort {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return &fakePort{in: make(chan []byte, 1024), out: w, host: bufio.NewReaderSize(r, 2*maxPayload), pipe: r}
}

func (p *fakePort) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		chunk, open := <-p.in
		if !open {
			return 0, net.ErrClosed
		}
		if chunk == nil {
			return 0, io.EOF
		}
		p.rest = chunk
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *fakePort) Write(b []byte) (int, error)         { return p.out.Write(b) }
func (p *fakePort) SetWriteDeadline(t time.Time) error  { return p.out.SetWriteDeadline(t) }
func (p *fakePort) send(kind byte, id uint32, b []byte) { p.in <- appendFrame(nil, kind, id, b) }
func (p *fakePort) reader() *frameReader                { return &frameReader{p.host} }
func filler() []byte                                    { return bytes.Repeat([]byte{0xff}, 32768) }
func helloBytes(nonce []byte) []byte                    { return appendFrame(filler(), typeHello, 0, nonce) }
func (p *fakePort) expect(t *testing.T, kind byte) frame {
	t.Helper()
	return expectFrame(t, p.reader(), kind)
}

func expectFrame(t *testing.T, r *frameReader, kind byte) frame {
	t.Helper()
	f, err := r.next()
	if err != nil {
		t.Fatal(err)
	}
	if f.kind != kind {
		t.Fatalf("got frame type %d, wanted %d", f.kind, kind)
	}
	return f
}

func nonce(n byte) []byte { return bytes.Repeat([]byte{n}, nonceBytes) }

func startMux(t *testing.T) (*Mux, *fakePort) {
	t.Helper()
	p := newFakePort(t)
	m := New(p)
	go m.Serve()
	t.Cleanup(func() { close(p.in) })
	p.in <- helloBytes(nonce(1))
	if f := p.expect(t, typeHello); !bytes.Equal(f.payload, nonce(1)) {
		t.Fatalf("echo is %x", f.payload)
	}
	return m, p
}

func accept(t *testing.T, m *Mux) net.Conn {
	t.Helper()
	c, err := m.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAFrameCutByALostConnectionReachesNoStreamOfTheNext(t *testing.T) {
	whole := appendFrame(nil, typeData, 1, bytes.Repeat([]byte("x"), 9000))
	for _, cut := range []int{1, 2, 5, 6, 8, 9, 10, 11, 5000, len(whole) - 1} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			m, p := startMux(t)
			p.send(typeOpen, 1, nil)
			c := accept(t, m)
			p.send(typeData, 1, []byte("good"))
			p.in <- whole[:cut]
			p.in <- helloBytes(nonce(2))
			if f := p.expect(t, typeHello); !bytes.Equal(f.payload, nonce(2)) {
				t.Fatalf("echo is %x", f.payload)
			}
			got, err := io.ReadAll(c)
			if string(got) != "good" || err == nil {
				t.Fatalf("the old stream read %d bytes (%.20q), then %v", len(got), got, err)
			}
		})
	}
}

func TestGarbageBeforeAndBetweenFramesIsSkipped(t *testing.T) {
	m, p := startMux(t)
	p.in <- []byte("garbage without the letter")
	p.send(typeOpen, 1, nil)
	p.in <- []byte("N\x09 no such type, and too long: NNN")
	p.send(typeData, 1, []byte("data"))
	p.send(typeFin, 1, nil)
	if got, err := io.ReadAll(accept(t, m)); string(got) != "data" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestASpuriousEndOfFileChangesNothing(t *testing.T) {
	m, p := startMux(t)
	p.send(typeOpen, 1, nil)
	whole := appendFrame(nil, typeData, 1, []byte("across"))
	p.in <- whole[:7]
	p.in <- nil
	p.in <- whole[7:]
	p.send(typeFin, 1, nil)
	if got, err := io.ReadAll(accept(t, m)); string(got) != "across" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestAHostThatStaysAwayLosesItsStreams(t *testing.T) {
	m, p := startMux(t)
	p.send(typeOpen, 1, nil)
	c := accept(t, m)
	p.in <- nil
	if _, err := c.Read(make([]byte, 1)); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	p.send(typeOpen, 2, nil)
	if f := p.expect(t, typeRst); f.stream != 0 {
		t.Fatalf("RST for stream %d", f.stream)
	}
}

func TestAWriterThatWaitsForALostHostIsFreedByTheNextHello(t *testing.T) {
	m, p := startMux(t)
	p.send(typeOpen, 1, nil)
	c := accept(t, m)
	ended := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, windowBytes)) // more than the pipe holds; nobody reads
		ended <- err
	}()
	p.host.Peek(1) // the writer has begun
	p.in <- helloBytes(nonce(3))
	if err := <-ended; err == nil {
		t.Fatal("the write succeeded")
	}
	if !findEcho(t, p, nonce(3)) {
		t.Fatal("no echo")
	}
}

func findEcho(t *testing.T, p *fakePort, n []byte) bool {
	t.Helper()
	wanted := appendFrame(nil, typeHello, 0, n)
	var tail []byte
	for !bytes.HasSuffix(tail, wanted) {
		b, err := p.host.ReadByte()
		if err != nil {
			return false
		}
		if tail = append(tail, b); len(tail) > len(wanted) {
			tail = tail[1:]
		}
	}
	return true
}

func TestASenderStopsAtTheWindowAndOthersDoNot(t *testing.T) {
	m, p := startMux(t)
	p.send(typeOpen, 1, nil)
	slow := accept(t, m)
	p.send(typeOpen, 2, nil)
	other := accept(t, m)
	go slow.Write(make([]byte, 2*windowBytes))
	r, sent := p.reader(), 0
	for sent < windowBytes {
		sent += len(expectFrame(t, r, typeData).payload)
	}
	go other.Write([]byte("other"))
	if f := expectFrame(t, r, typeData); f.stream != 2 {
		t.Fatalf("stream %d sent past its window", f.stream)
	}
	p.send(typeWindow, 1, binary.BigEndian.AppendUint32(nil, 7))
	if f := expectFrame(t, r, typeData); f.stream != 1 || len(f.payload) != 7 {
		t.Fatalf("stream %d sent %d bytes", f.stream, len(f.payload))
	}
}

func TestAHostThatIgnoresTheWindowLosesTheStream(t *testing.T) {
	m, p := startMux(t)
	p.send(typeOpen, 1, nil)
	accept(t, m)
	for range windowBytes/maxPayload + 1 {
		p.send(typeData, 1, make([]byte, maxPayload))
	}
	if f := p.expect(t, typeRst); f.stream != 1 {
		t.Fatalf("RST for stream %d", f.stream)
	}
}

func TestReadingGivesTheHostNewCredit(t *testing.T) {
	m, p := startMux(t)
	p.send(typeOpen, 1, nil)
	c := accept(t, m)
	for range windowBytes / 2 / maxPayload {
		p.send(typeData, 1, make([]byte, maxPayload))
	}
	if _, err := io.ReadFull(c, make([]byte, windowBytes/2)); err != nil {
		t.Fatal(err)
	}
	if f := p.expect(t, typeWindow); binary.BigEndian.Uint32(f.payload) != windowBytes/2 {
		t.Fatalf("credit %x", f.payload)
	}
}

func TestCloseFinishesAndResetsAndForgets(t *testing.T) {
	m, p := startMux(t)
	p.send(typeOpen, 1, nil)
	c := accept(t, m)
	go func() { c.Write([]byte("last")); c.Close() }()
	r := p.reader()
	for _, kind := range []byte{typeData, typeFin, typeRst} {
		expectFrame(t, r, kind)
	}
	if s := m.current.Load(); s.find(1) != nil {
		t.Fatal("the stream is still known")
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Fatal("a closed stream took data")
	}
}

func TestReadDeadlineEndsAWait(t *testing.T) {
	m, p := startMux(t)
	p.send(typeOpen, 1, nil)
	c := accept(t, m)
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !os.IsTimeout(err) {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Time{})
	p.send(typeData, 1, []byte("x"))
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

func TestPingIsAnswered(t *testing.T) {
	_, p := startMux(t)
	p.send(typePing, 0, nil)
	p.expect(t, typePing)
}

func TestAThousandSessionsOfHTTPLeakNothing(t *testing.T) {
	m, p := startMux(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})}
	go server.Serve(m)
	go io.Copy(io.Discard, p.host) // the echoes are not of interest here
	before := runtime.NumGoroutine()
	for i := range 1000 {
		p.send(typeOpen, 1, nil)
		request := appendFrame(nil, typeData, 1, []byte("POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 100\r\n\r\nhalf"))
		p.in <- request[:rand.IntN(len(request))+1]
		p.in <- helloBytes(nonce(byte(i)))
	}
	until := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before+2 {
		if time.Now().After(until) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before,
				strings.TrimSpace(string(stacks[:runtime.Stack(stacks, true)])))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAWriteThatWaitedForTheNextSessionWritesNothingInIt(t *testing.T) {
	m, p := startMux(t)
	for i := range 200 {
		p.send(typeOpen, 1, nil)
		c := accept(t, m)
		m.writing.Lock()
		ended := make(chan error, 1)
		go func() {
			_, err := c.Write([]byte("late"))
			ended <- err
		}()
		p.in <- helloBytes(nonce(byte(i)))
		for s := m.current.Load(); !s.isDead(); {
			runtime.Gosched()
		}
		m.writing.Unlock()
		if err := <-ended; err == nil {
			t.Fatal("the write succeeded")
		}
		p.expect(t, typeHello)
		p.send(typePing, 0, nil)
		p.expect(t, typePing)
	}
}

func TestAStreamThatClosesAsItsSessionEndsStopsNobody(t *testing.T) {
	for range 2000 {
		s := &session{streams: map[uint32]*stream{}}
		m := New(nil)
		var closing sync.WaitGroup
		begin := make(chan struct{})
		for id := range uint32(64) {
			st := newStream(m, s, id)
			st.gotFin = true // the host has said all it had to say
			s.add(st)
			closing.Go(func() { <-begin; st.Close() })
		}
		closing.Go(func() { <-begin; s.kill() })
		close(begin)
		done := make(chan struct{})
		go func() { closing.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatal("a stream and its session wait for each other")
		}
	}
}
