package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"nexus/guest/internal/children"
	"nexus/guest/internal/kernel"
	"nexus/guest/internal/power"
	"nexus/guest/internal/session"
)

// Protocol is the version of what Handler speaks.
const Protocol = 1

const maxBody = 1 << 20

type health struct {
	Version      string   `json:"version"`
	Protocol     int      `json:"protocol"`
	Capabilities []string `json:"capabilities"`
	BootMs       int64    `json:"boot_ms"`
	Warnings     []string `json:"warnings"`
}

// handler is the guest's HTTP interface (docs/protocol/guest.md).
func (a *Agent) handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /v1/health", func(w http.ResponseWriter, r *http.Request) { reply(w, a.health) })
	m.HandleFunc("GET /v1/metrics", a.getMetrics)
	m.HandleFunc("PUT /v1/time", a.putTime)
	m.HandleFunc("POST /v1/power", a.postPower)
	m.HandleFunc("POST /v1/sessions", a.postSession)
	m.HandleFunc("GET /v1/sessions", func(w http.ResponseWriter, r *http.Request) {
		reply(w, map[string]any{"items": a.sessions.List()})
	})
	m.HandleFunc("GET /v1/sessions/{id}/stream", a.getStream)
	m.HandleFunc("POST /v1/sessions/{id}/signal", a.postSignal)
	m.HandleFunc("DELETE /v1/sessions/{id}", func(w http.ResponseWriter, r *http.Request) {
		done(w, a.sessions.Delete(r.PathValue("id")))
	})
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, errors.New("there is no "+r.Method+" "+r.URL.Path))
	})
	return m
}

func (a *Agent) getMetrics(w http.ResponseWriter, r *http.Request) {
	m, err := a.meter.Read()
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	reply(w, m)
}

func (a *Agent) putTime(w http.ResponseWriter, r *http.Request) {
	var body struct {
		TimeUnixMs *int64 `json:"time_unix_ms"`
	}
	if !read(w, r, &body) {
		return
	}
	if body.TimeUnixMs == nil {
		refuse(w, http.StatusBadRequest, errors.New("time_unix_ms is missing"))
		return
	}
	done(w, kernel.SetClock(*body.TimeUnixMs))
}

func (a *Agent) postPower(w http.ResponseWriter, r *http.Request) {
	body := struct {
		Action       string `json:"action"`
		ForceAfterMs *int64 `json:"force_after_ms"`
	}{}
	if !read(w, r, &body) {
		return
	}
	if !power.Valid(body.Action) {
		refuse(w, http.StatusBadRequest, errors.New("action is poweroff or reboot"))
		return
	}
	force := power.DefaultForce
	if body.ForceAfterMs != nil {
		force = time.Duration(*body.ForceAfterMs) * time.Millisecond
	}
	done(w, nil)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return // the host went before it could know; it will ask again
	}
	a.power.Begin(body.Action, force)
}

func (a *Agent) postSession(w http.ResponseWriter, r *http.Request) {
	var q session.Request
	if !read(w, r, &q) {
		return
	}
	id, err := a.sessions.Open(q)
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	reply(w, map[string]string{"id": id})
}

func (a *Agent) postSignal(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Signal int `json:"signal"`
	}
	if read(w, r, &body) {
		done(w, a.sessions.Signal(r.PathValue("id"), body.Signal))
	}
}

func (a *Agent) getStream(w http.ResponseWriter, r *http.Request) {
	offset := int64(0)
	if asked := r.URL.Query().Get("offset"); asked != "" {
		var err error
		if offset, err = strconv.ParseInt(asked, 10, 64); err != nil {
			refuse(w, http.StatusBadRequest, errors.New("offset is no number"))
			return
		}
	}
	if r.Header.Get("Upgrade") != "nexus-session" {
		refuse(w, http.StatusBadRequest, errors.New("this needs Upgrade: nexus-session"))
		return
	}
	s, err := a.sessions.Watch(r.PathValue("id"), offset)
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	conn.SetDeadline(time.Time{})
	a.sessions.Serve(s, conn, buffered, offset, func(start int64) error {
		_, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+
			"Upgrade: nexus-session\r\nNexus-Offset: %d\r\n\r\n", start)
		return err
	})
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, session.ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, session.ErrMalformed):
		return http.StatusBadRequest
	case errors.Is(err, session.ErrBeyond), errors.Is(err, session.ErrFull), errors.Is(err, children.ErrEnded):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
	}
	return err == nil
}

func done(w http.ResponseWriter, err error) {
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	reply(w, map[string]bool{"ok": true})
}

func refuse(w http.ResponseWriter, status int, err error) {
	write(w, status, map[string]string{"error": err.Error()})
}

func reply(w http.ResponseWriter, body any) { write(w, http.StatusOK, body) }

func write(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		b, status = []byte(`{"error":"the answer cannot be written"}`), http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b) // a host that has gone asks again
}
