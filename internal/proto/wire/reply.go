package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/odradek/odradek/internal/base/vfs"
)

// Reply is an answer: Message, Append or Parts.
type Reply interface {
	// encode appends the body of the response.
	encode(dst []byte, r *Request) []byte
	// done is called once, after the reply was written or has failed.
	done()
}

// Message answers with a kmsg response. It is encoded in the request's version,
// or in version 0 if that one is not supported (ApiVersions).
func Message(resp kmsg.Response) Reply { return message{resp} }

type message struct{ resp kmsg.Response }

func (m message) encode(dst []byte, r *Request) []byte {
	if m.resp.Key() != r.Key {
		panic("bug: wire: the answer is of another kind than the request")
	}
	m.resp.SetVersion(r.replyVersion())
	return m.resp.AppendTo(dst)
}

func (message) done() {}

// Append answers with what f appends: the body of a response in r.Version.
func Append(f func(dst []byte) []byte) Reply { return appended(f) }

type appended func(dst []byte) []byte

func (f appended) encode(dst []byte, _ *Request) []byte { return f(dst) }
func (appended) done()                                  {}

// Parts answers with a body that is partly in files. It is for Fetch: the records
// go from the file to the connection without being held whole.
type Parts struct {
	// List is the body of the response, after its header, in order.
	List []Part
	// Released, if set, is called once after the body was written or has failed.
	Released func()
}

// Part is a run of bytes, or of a file. Both must stay until Released.
type Part struct {
	Bytes []byte // if File is nil
	File  vfs.File
	Pos   int64
	Len   int
}

func (p *Part) size() int {
	if p.File == nil {
		return len(p.Bytes)
	}
	return p.Len
}

func (p *Parts) encode([]byte, *Request) []byte {
	panic("bug: wire: parts are not encoded whole")
}

func (p *Parts) done() {
	if p.Released != nil {
		p.Released()
	}
}

// replyVersion is the version of the answer.
func (r *Request) replyVersion() int16 {
	if r.Conn.srv.supported(r.Key, r.Version) {
		return r.Version
	}
	return 0
}

func (r *Request) flexibleReply() bool {
	s, ok := Lookup(r.Key)
	return ok && s.FlexibleResponseHeader(r.replyVersion())
}
