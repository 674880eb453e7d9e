// Package mux carries many streams over one virtio-serial port (docs/protocol/guest.md, Multiplexer).
//
// The port is not a connection: it may cut a frame short when the host goes, and say nothing about it. What must stay
// true: bytes of one host connection never reach a stream of another, one goroutine reads the port and never waits for
// anything but the port, and a stream holds at most its window.
package mux

import (
	"bufio"
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
// completed by the filler of the next one; the trailer gives it away, and it is dropped whole: what its payload holds
// is data, and must not be searched for frames.
type frameReader struct{ src *bufio.Reader }

func newFrameReader(src io.Reader) *frameReader {
	return &frameReader{bufio.NewReaderSize(src, 2*maxPayload)}
}

// next returns the next whole frame; its payload is valid until the call after.
func (r *frameReader) next() (frame, error) {
	for {
		header, err := r.src.Peek(headerBytes)
		if err != nil {
			return frame{}, err
		}
		kind, size := header[1], binary.BigEndian.Uint32(header[6:])
		if header[0] != magic || kind < typeHello || kind > typePing || size > maxPayload {
			r.src.Discard(1) // it was peeked
			continue
		}
		whole, err := r.src.Peek(headerBytes + int(size) + 1)
		if err != nil {
			return frame{}, err
		}
		r.src.Discard(len(whole)) // it was peeked
		if whole[len(whole)-1] == trailer {
			return frame{kind, binary.BigEndian.Uint32(whole[2:]), whole[headerBytes : len(whole)-1]}, nil
		}
	}
}
