// Package mux carries many streams over one virtio-serial port (docs/protocol/guest.md, Multiplexer).
//
// The port is not a connection: it may cut a frame short when the host goes, and say nothing about it. What must stay
// true: bytes of one host connection never reach a stream of another, one goroutine reads the port and never waits for
// anything but the port, and a stream holds at most its window.
package mux

import (
	"encoding/binary"
	"io"
)

const (
	typeHello  = 1
	typeOpen   = 2
	typeData   = 3
	typeWindow = 4
	typeFin    = 5
	typeRst    = 6
	typePing   = 7

	magic       = 'N'
	trailer     = 'E'
	headerBytes = 10
	maxPayload  = 16384
	// windowBytes is how much each side may send on a stream before the other has read it.
	windowBytes = 256 * 1024
	nonceBytes  = 16
)

type frame struct {
	kind    byte
	stream  uint32
	payload []byte
}

// appendFrame appends the frame's bytes to b.
func appendFrame(b []byte, kind byte, stream uint32, payload []byte) []byte {
	b = append(b, magic, kind)
	b = binary.BigEndian.AppendUint32(b, stream)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, payload...)
	return append(b, trailer)
}

// frameReader finds frames in a byte stream and skips everything else. A frame that a lost connection cut short is
// completed by the filler of the next one; the trailer gives it away, and it is dropped.
type frameReader struct {
	src    io.Reader
	header [headerBytes]byte
	body   [maxPayload + 1]byte
}

// next returns the next whole frame; its payload is valid until the call after.
func (r *frameReader) next() (frame, error) {
	for {
		if _, err := io.ReadFull(r.src, r.header[:1]); err != nil {
			return frame{}, err
		}
		if r.header[0] != magic {
			continue
		}
		if _, err := io.ReadFull(r.src, r.header[1:]); err != nil {
			return frame{}, err
		}
		kind, size := r.header[1], binary.BigEndian.Uint32(r.header[6:])
		if kind < typeHello || kind > typePing || size > maxPayload {
			continue
		}
		body := r.body[:size+1]
		if _, err := io.ReadFull(r.src, body); err != nil {
			return frame{}, err
		}
		if body[size] == trailer {
			return frame{kind, binary.BigEndian.Uint32(r.header[2:]), body[:size]}, nil
		}
	}
}
