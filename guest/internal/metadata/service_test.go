package metadata

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"nexus/guest/internal/web"
)

const tree = `{"latest":{"meta-data":{"instance-id":"i-1","n":12345678901234567890,"tags":["a","b"]},"user-data":"#!/bin/sh\n"}}`

func serving(t *testing.T, needsToken, isPlain bool) *Service {
	t.Helper()
	s := &Service{tokens: tokens{}}
	decoder := json.NewDecoder(strings.NewReader(tree))
	decoder.UseNumber()
	if err := decoder.Decode(&s.tree); err != nil {
		t.Fatal(err)
	}
	s.conf.NeedsToken, s.conf.IsPlain = needsToken, isPlain
	return s
}

// ask sends a request as it stands and returns status and body.
func ask(t *testing.T, s *Service, request string) (string, string) {
	t.Helper()
	server := &web.Server{Otherwise: s.answer}
	near, far := net.Pipe()
	go server.Converse(far)
	near.SetDeadline(time.Now().Add(30 * time.Second))
	go io.WriteString(near, strings.ReplaceAll(request, "\n", "\r\n")+"Connection: close\r\n\r\n")
	all, err := io.ReadAll(bufio.NewReader(near))
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(all), "\r\n\r\n")
	return strings.Fields(head)[1], body
}

func TestAnswersAsCloudsDo(t *testing.T) {
	s := serving(t, false, false)
	for _, c := range []struct{ request, status, body string }{
		{"GET / HTTP/1.1\n", "200", "latest/"},
		{"GET /latest/ HTTP/1.1\n", "200", "meta-data/\nuser-data"},
		{"GET /latest/meta-data HTTP/1.1\n", "200", "instance-id\nn\ntags"},
		{"GET /latest/meta-data/instance-id HTTP/1.1\n", "200", "i-1"},
		{"GET /latest/user-data HTTP/1.1\n", "200", "#!/bin/sh\n"},
		{"GET /latest/meta-data/n HTTP/1.1\n", "200", "12345678901234567890"},
		{"GET /latest/meta-data/tags HTTP/1.1\n", "200", `["a","b"]`},
		{"GET /latest/meta-data/instance-id HTTP/1.1\nAccept: application/json\n", "200", `"i-1"`},
		{"GET /nothing HTTP/1.1\n", "404", "Resource not found: /nothing."},
		{"GET /latest/meta-data/instance-id/x HTTP/1.1\n", "404", "Resource not found: /latest/meta-data/instance-id/x."},
		{"POST / HTTP/1.1\nContent-Length: 0\n", "405", "Only GET is answered, and PUT /latest/api/token."},
	} {
		if status, body := ask(t, s, c.request); status != c.status || body != c.body {
			t.Errorf("%q: %s %q, not %s %q", c.request, status, body, c.status, c.body)
		}
	}
}

func TestPlainIsTextWhateverIsAccepted(t *testing.T) {
	if _, body := ask(t, serving(t, false, true), "GET /latest HTTP/1.1\nAccept: application/json\n"); body != "meta-data/\nuser-data" {
		t.Errorf("%q", body)
	}
}

func TestTokens(t *testing.T) {
	s := serving(t, true, false)
	if status, _ := ask(t, s, "GET / HTTP/1.1\n"); status != "401" {
		t.Errorf("without a token: %s", status)
	}
	status, token := ask(t, s, "PUT /latest/api/token HTTP/1.1\nX-metadata-token-ttl-seconds: 60\n")
	if status != "200" || len(token) != 64 {
		t.Fatalf("%s %q", status, token)
	}
	for _, header := range []string{"X-metadata-token", "X-aws-ec2-metadata-token"} {
		if status, _ := ask(t, s, "GET / HTTP/1.1\n"+header+": "+token+"\n"); status != "200" {
			t.Errorf("%s: %s", header, status)
		}
	}
	if status, _ := ask(t, s, "GET / HTTP/1.1\nX-metadata-token: made-up\n"); status != "401" {
		t.Errorf("a token that nobody gave: %s", status)
	}
	for _, bad := range []string{
		"PUT /latest/api/token HTTP/1.1\n",
		"PUT /latest/api/token HTTP/1.1\nX-metadata-token-ttl-seconds: 21601\n",
		"PUT /latest/api/token HTTP/1.1\nX-metadata-token-ttl-seconds: 60\nX-Forwarded-For: 10.0.0.1\n",
	} {
		if status, _ := ask(t, s, bad); status != "400" {
			t.Errorf("%q: %s", bad, status)
		}
	}
}

func TestTokensEndAndAreFew(t *testing.T) {
	given, now := tokens{}, time.Now()
	first, err := given.give("1", now)
	if err != nil || !given.good(first, now) || given.good(first, now.Add(time.Second)) {
		t.Fatal(err, given)
	}
	for range 2 * maxTokens {
		if _, err := given.give("60", now); err != nil {
			t.Fatal(err)
		}
	}
	if len(given) != maxTokens || given.good(first, now) {
		t.Errorf("%d tokens are kept", len(given))
	}
}

// broken is a listener that fails.
type broken struct{ net.Listener }

func (broken) Accept() (net.Conn, error) { return nil, io.ErrUnexpectedEOF }
func (broken) Close() error              { return nil }

func TestAServiceWhoseListenerFailedCanBeginAnew(t *testing.T) {
	s := serving(t, false, false)
	s.listener = broken{}
	s.serve(s.listener)
	if s.listener != nil {
		t.Error("the listener is still taken for one")
	}
	another, next := broken{}, &broken{}
	s.listener = next
	s.serve(another)
	if s.listener != net.Listener(next) {
		t.Error("another's end took the listener")
	}
}
