package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"nexus/guest/internal/children"
	"nexus/guest/internal/config"
	"nexus/guest/internal/kernel"
	"nexus/guest/internal/power"
	"nexus/guest/internal/session"
	"nexus/guest/internal/web"
)

// Protocol is the version of what Handler speaks.
const Protocol = 1

const maxBody = 1 << 20

// health is what the host is told of us.
type health struct {
	said  said
	mu    sync.Mutex
	later []string // what went wrong when the machine was last restored
}

type said struct {
	Version      string   `json:"version"`
	Protocol     int      `json:"protocol"`
	Capabilities []string `json:"capabilities"`
	BootMs       int64    `json:"boot_ms"`
	Warnings     []string `json:"warnings"`
}

func (h *health) now() said {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.said
	all.Warnings = append(append([]string{}, all.Warnings...), h.later...)
	return all
}

// server is the guest's HTTP interface (docs/protocol/guest.md).
func (a *Agent) server() *web.Server {
	s := &web.Server{}
	s.Handle("GET /v1/health", func(w *web.Answer, r *web.Request) { w.JSON(200, a.health.now()) })
	s.Handle("GET /v1/metrics", a.getMetrics)
	s.Handle("PUT /v1/time", a.putTime)
	s.Handle("PUT /v1/metadata", a.putMetadata)
	s.Handle("POST /v1/filesystems/freeze", a.postFreeze)
	s.Handle("POST /v1/filesystems/thaw", a.postThaw)
	s.Handle("POST /v1/identity", a.postIdentity)
	s.Handle("POST /v1/power", a.postPower)
	s.Handle("POST /v1/sessions", a.postSession)
	s.Handle("GET /v1/sessions", func(w *web.Answer, r *web.Request) {
		w.JSON(200, map[string]any{"items": a.sessions.List()})
	})
	s.Handle("GET /v1/sessions/{id}/stream", a.getStream)
	s.Handle("POST /v1/sessions/{id}/signal", a.postSignal)
	s.Handle("DELETE /v1/sessions/{id}", func(w *web.Answer, r *web.Request) {
		done(w, a.sessions.Delete(r.Value("id")))
	})
	s.Handle("GET /v1/pipes/port", a.getPort)
	s.Handle("GET /v1/pipes/pull", a.getPull)
	s.Handle("GET /v1/pipes/push", a.getPush)
	return s
}

func (a *Agent) getMetrics(w *web.Answer, r *web.Request) {
	m, err := a.meter.Read()
	if err != nil {
		w.Refuse(500, err)
		return
	}
	w.JSON(200, m)
}

// timeRequest is the body of PUT /v1/time.
type timeRequest struct {
	TimeUnixMs *int64 `json:"time_unix_ms"`
}

func (a *Agent) putTime(w *web.Answer, r *web.Request) {
	var body timeRequest
	if !read(w, r, &body) {
		return
	}
	if body.TimeUnixMs == nil {
		w.Refuse(400, errors.New("time_unix_ms is missing"))
		return
	}
	done(w, kernel.SetClock(*body.TimeUnixMs))
}

func (a *Agent) putMetadata(w *web.Answer, r *web.Request) {
	var body struct {
		Metadata *config.Metadata `json:"metadata"`
	}
	if !read(w, r, &body) {
		return
	}
	if err := body.Metadata.Check(); err != nil {
		w.Refuse(400, err)
		return
	}
	done(w, a.metadata.Serve(body.Metadata))
}

func (a *Agent) postPower(w *web.Answer, r *web.Request) {
	body := struct {
		Action       string `json:"action"`
		ForceAfterMs *int64 `json:"force_after_ms"`
	}{}
	if !read(w, r, &body) {
		return
	}
	if !power.Valid(body.Action) {
		w.Refuse(400, errors.New("action is poweroff or reboot"))
		return
	}
	force := power.DefaultForce
	if body.ForceAfterMs != nil {
		force = time.Duration(*body.ForceAfterMs) * time.Millisecond
	}
	if err := w.JSON(200, ok); err != nil {
		return // the host went before it could know; it will ask again
	}
	a.freezer.Thaw() // what ends has something to write
	a.power.Begin(body.Action, force)
}

// opened is the answer to POST /v1/sessions.
type opened struct {
	ID string `json:"id"`
}

func (a *Agent) postSession(w *web.Answer, r *web.Request) {
	var q session.Request
	if !read(w, r, &q) {
		return
	}
	id, err := a.sessions.Open(q)
	if err != nil {
		w.Refuse(statusOf(err), err)
		return
	}
	w.JSON(200, opened{id})
}

func (a *Agent) postSignal(w *web.Answer, r *web.Request) {
	var body struct {
		Signal int `json:"signal"`
	}
	if read(w, r, &body) {
		done(w, a.sessions.Signal(r.Value("id"), body.Signal))
	}
}

func (a *Agent) getStream(w *web.Answer, r *web.Request) {
	offset := int64(0)
	if asked := r.Query.Get("offset"); asked != "" {
		var err error
		if offset, err = strconv.ParseInt(asked, 10, 64); err != nil {
			w.Refuse(400, errors.New("offset is no number"))
			return
		}
	}
	if r.Header("upgrade") != "nexus-session" {
		w.Refuse(400, errors.New("this needs Upgrade: nexus-session"))
		return
	}
	s, err := a.sessions.Watch(r.Value("id"), offset)
	if err != nil {
		w.Refuse(statusOf(err), err)
		return
	}
	conn, in := w.Upgrade()
	a.sessions.Serve(s, conn, in, offset, func(start int64) error {
		return web.SwitchProtocols(conn, "nexus-session", fmt.Sprintf("Nexus-Offset: %d\r\n", start))
	})
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, session.ErrUnknown):
		return 404
	case errors.Is(err, session.ErrMalformed):
		return 400
	case errors.Is(err, session.ErrBeyond), errors.Is(err, session.ErrFull), errors.Is(err, children.ErrEnded):
		return 409
	}
	return 500
}

func read(w *web.Answer, r *web.Request, into any) bool {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err == nil && len(b) > maxBody {
		err = fmt.Errorf("the body is longer than %d bytes", maxBody)
	}
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		w.Refuse(400, err)
	}
	return err == nil
}

var ok = map[string]bool{"ok": true}

func done(w *web.Answer, err error) {
	if err != nil {
		w.Refuse(statusOf(err), err)
		return
	}
	w.JSON(200, ok)
}
