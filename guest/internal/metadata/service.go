// Package metadata serves a tree of facts over HTTP on a link-local address of the guest, as clouds do: programs in the
// guest ask it who they are. The host sends the tree over the guest channel; nothing here leaves the machine.
//
// How it answers is Firecracker's MMDS (docs/mmds in its repository), which is EC2's: text, or JSON for those who accept
// it; tokens by PUT /latest/api/token, needed or not.
package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"nexus/guest/internal/config"
	"nexus/guest/internal/dial"
	"nexus/guest/internal/kernel"
	"nexus/guest/internal/netconf"
	"nexus/guest/internal/web"
)

const (
	device    = "lo:nexus"
	port      = 80
	tokenPath = "/latest/api/token"
	// mostConnections: anybody in the guest may ask, and the agent has more to do than to answer them.
	mostConnections = 64
)

// Service is the metadata service; without Serve it is not there.
type Service struct {
	mu       sync.Mutex
	tree     any
	conf     config.Metadata
	tokens   tokens
	listener net.Listener
}

// Serve has the service answer with c from now on; nil: have no service.
func (s *Service) Serve(c *config.Metadata) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c == nil {
		return s.close()
	}
	if c.Data == nil {
		c.Data = json.RawMessage("{}")
	}
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(c.Data))
	decoder.UseNumber() // a number is answered as it was written
	if err := decoder.Decode(&tree); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	if _, ok := tree.(map[string]any); !ok {
		return errors.New("metadata: data is no object")
	}
	if s.listener != nil && s.conf.Address != c.Address {
		if err := s.close(); err != nil {
			return err
		}
	}
	s.tree, s.conf = tree, *c
	if s.listener != nil {
		return nil
	}
	s.tokens = tokens{}
	return s.open(c.Address)
}

func (s *Service) open(address netip.Addr) error {
	if err := netconf.AddAddress(device, address); err != nil {
		return fmt.Errorf("metadata: %s: %w", address, err)
	}
	l, err := dial.Listen(netip.AddrPortFrom(address, port))
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	s.listener = l
	go s.serve(l)
	return nil
}

// serve answers the connections of l. Should that end by itself, the next Serve begins anew.
func (s *Service) serve(l net.Listener) {
	server := &web.Server{Otherwise: s.answer, Most: mostConnections}
	err := server.Serve(l)
	if errors.Is(err, net.ErrClosed) {
		return
	}
	kernel.Log(kernel.Error, "metadata: %v", err)
	l.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == l {
		s.listener = nil
	}
}

func (s *Service) close() error {
	if s.listener == nil {
		return nil
	}
	err := errors.Join(s.listener.Close(), netconf.RemoveAddress(device))
	s.listener, s.tree, s.tokens = nil, nil, nil
	return err
}

func (s *Service) answer(a *web.Answer, r *web.Request) {
	s.mu.Lock()
	status, kind, body := s.find(r)
	s.mu.Unlock()
	a.Text(status, kind, body)
}

func (s *Service) find(r *web.Request) (status int, kind, body string) {
	const plain, structured = "text/plain", "application/json"
	switch r.Method {
	case "PUT":
		status, body = s.token(r)
		return status, plain, body
	case "GET":
	default:
		return 405, plain, "Only GET is answered, and PUT " + tokenPath + "."
	}
	if !s.admits(r) {
		return 401, plain, "No valid token. Fetch one with PUT " + tokenPath + ", and send it as X-metadata-token."
	}
	part, ok := find(s.tree, r.Path)
	if !ok {
		return 404, plain, "Resource not found: " + r.Path + "."
	}
	if strings.Contains(r.Header("accept"), structured) && !s.conf.IsPlain {
		b, err := json.Marshal(part)
		if err != nil {
			return 500, plain, err.Error()
		}
		return 200, structured, string(b)
	}
	body, err := text(part)
	if err != nil {
		return 500, plain, err.Error()
	}
	return 200, plain, body
}

func (s *Service) token(r *web.Request) (int, string) {
	if r.Path != tokenPath {
		return 404, "Resource not found: " + r.Path + "."
	}
	if r.Header("x-forwarded-for") != "" {
		return 400, "Tokens are not given to whoever speaks for somebody else."
	}
	token, err := s.tokens.give(either(r, "x-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token-ttl-seconds"), time.Now())
	if err != nil {
		return 400, err.Error()
	}
	return 200, token
}

func (s *Service) admits(r *web.Request) bool {
	given := either(r, "x-metadata-token", "x-aws-ec2-metadata-token")
	return given == "" && !s.conf.NeedsToken || s.tokens.good(given, time.Now())
}

func either(r *web.Request, names ...string) string {
	for _, name := range names {
		if v := r.Header(name); v != "" {
			return v
		}
	}
	return ""
}
