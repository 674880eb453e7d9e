package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"nexus/guest/internal/config"
	"nexus/guest/internal/filesystems"
	"nexus/guest/internal/kernel"
	"nexus/guest/internal/restored"
	"nexus/guest/internal/web"
)

// self is who this machine is.
type self struct {
	mu     sync.Mutex // held while it becomes another
	config *config.Config
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
	frozen, err := a.freezer.Freeze(hold)
	if err != nil {
		w.Refuse(500, err)
		return
	}
	w.JSON(200, frozen)
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
	w.JSON(200, map[string]any{"warnings": a.warn(failed)})
}

// goOn makes this machine the one of c (nil: it is the same), and tells its programs.
func (a *Agent) goOn(reason string, c *config.Config) error {
	former := a.self.config
	if c == nil {
		return restored.RunHooks(reason, former, former, a.family.Run)
	}
	a.sessions.StartOver(c.User.Name)
	failed := errors.Join(restored.BecomeAnother(former, c, a.family.Run), a.metadata.Serve(c.Metadata))
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
