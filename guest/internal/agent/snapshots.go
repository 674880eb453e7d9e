package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"nexus/guest/internal/config"
	"nexus/guest/internal/filesystems"
	"nexus/guest/internal/hostkeys"
	"nexus/guest/internal/kernel"
	"nexus/guest/internal/restored"
	"nexus/guest/internal/session"
	"nexus/guest/internal/web"
)

// self is who this machine is.
type self struct {
	mu     sync.Mutex // held while it becomes another
	config *config.Config
	keys   hostkeys.Directories // as they were before init began
}

const (
	leastEntropy = 32
	mostEntropy  = 512
	defaultHold  = 10 * time.Second
)

// postFreeze has the file systems hold still for a snapshot of the disks.
func (a *Agent) postFreeze(w *web.Answer, r *web.Request) {
	var body struct {
		HoldMs *int64 `json:"hold_ms"`
	}
	if !read(w, r, &body) {
		return
	}
	hold := defaultHold
	if body.HoldMs != nil {
		hold = time.Duration(*body.HoldMs) * time.Millisecond
	}
	if hold <= 0 || hold > filesystems.LongestHold {
		w.Refuse(400, fmt.Errorf("hold_ms is 1 to %d", filesystems.LongestHold.Milliseconds()))
		return
	}
	a.freezer.Thaw() // what is held by now would hold the rehearsal up too
	a.rehearse()
	frozen, err := a.freezer.Freeze(hold)
	if err != nil {
		w.Refuse(500, err)
		return
	}
	w.JSON(200, frozen)
}

// rehearse does what the machine would do first if it went on from here, as far as that changes nothing. What has been
// read, looked up and laid out once is in the memory that is saved; to do all that for the first time in a guest that was
// just restored is what its user would wait for (docs/adr/0046).
func (a *Agent) rehearse() {
	a.self.mu.Lock()
	defer a.self.mu.Unlock()
	if err := errors.Join(a.rehearseRequests(), restored.Rehearse()); err != nil {
		kernel.Log(kernel.Info, "rehearsal: %v", err) // a restored machine does it the long way
	}
	runtime.GC() // so that none is due in the first moments of a restored machine
}

// rehearseRequests reads what will be asked, and writes the answers: how each type is read and written is laid out when
// that happens first.
func (a *Agent) rehearseRequests() error {
	present, err := json.Marshal(a.self.config)
	if err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	request, err := json.Marshal(identityRequest{restored.Clone, present, make([]byte, leastEntropy), &now})
	if err != nil {
		return err
	}
	var q identityRequest
	if err := json.Unmarshal(request, &q); err != nil {
		return err
	}
	_, err = q.check()
	for _, asked := range []any{new(timeRequest), new(session.Request)} {
		err = errors.Join(err, json.Unmarshal([]byte("{}"), asked))
	}
	for _, said := range []any{identitySeen{}, ok, opened{}} {
		_, failed := json.Marshal(said)
		err = errors.Join(err, failed)
	}
	return err
}

func (a *Agent) postThaw(w *web.Answer, _ *web.Request) {
	w.JSON(200, map[string]bool{"held": a.freezer.Thaw()})
}

// identityRequest is the body of POST /v1/identity.
type identityRequest struct {
	Reason     string          `json:"reason"`
	Config     json.RawMessage `json:"config"` // clone: who the machine is from now on; else null
	Entropy    []byte          `json:"entropy"`
	TimeUnixMs *int64          `json:"time_unix_ms"`
}

// identitySeen is the answer.
type identitySeen struct {
	Warnings []string `json:"warnings"`
}

// check returns the configuration that the request brings, if it should bring one.
func (q *identityRequest) check() (*config.Config, error) {
	brings := len(q.Config) > 0 && string(q.Config) != "null"
	switch {
	case !restored.Valid(q.Reason):
		return nil, errors.New("reason is clone or rollback")
	case len(q.Entropy) < leastEntropy || len(q.Entropy) > mostEntropy:
		return nil, fmt.Errorf("entropy is %d to %d bytes", leastEntropy, mostEntropy)
	case q.TimeUnixMs == nil:
		return nil, errors.New("time_unix_ms is missing")
	case brings != (q.Reason == restored.Clone):
		return nil, errors.New("a clone needs a configuration, and nothing else takes one")
	case !brings:
		return nil, nil
	}
	return config.Parse(q.Config)
}

// postIdentity is what the host says first to a machine that it has restored.
func (a *Agent) postIdentity(w *web.Answer, r *web.Request) {
	var q identityRequest
	if !read(w, r, &q) {
		return
	}
	c, err := q.check()
	if err != nil {
		w.Refuse(400, err)
		return
	}
	a.self.mu.Lock()
	defer a.self.mu.Unlock()
	if err := kernel.AddEntropy(q.Entropy); err != nil { // without it the two would be alike where nobody sees it
		w.Refuse(500, err)
		return
	}
	a.freezer.Thaw()
	failed := errors.Join(kernel.SetClock(*q.TimeUnixMs), a.goOn(q.Reason, c))
	if failed != nil {
		kernel.Log(kernel.Error, "%v", failed)
	}
	w.JSON(200, identitySeen{a.warn(failed)})
}

// goOn makes this machine the one of c (nil: it is the same), and tells its programs.
func (a *Agent) goOn(reason string, c *config.Config) error {
	former := a.self.config
	if c == nil {
		return restored.RunHooks(reason, former, former, a.family.Run)
	}
	a.sessions.StartOver(c.User.Name)
	failed := errors.Join(restored.BecomeAnother(former, c, a.self.keys, a.family.Run), a.metadata.Serve(c.Metadata))
	a.self.config = c
	return errors.Join(failed, restored.RunHooks(reason, former, c, a.family.Run))
}

// warn has health show failed from now on, behind what went wrong at boot, and returns its lines.
func (a *Agent) warn(failed error) []string {
	lines := []string{}
	if failed != nil {
		lines = strings.Split(failed.Error(), "\n")
	}
	a.health.mu.Lock()
	defer a.health.mu.Unlock()
	a.health.later = lines
	return lines
}
