package raw

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Answer is what came back for one request. Its place is NAME/CASE/vN.
type Answer struct {
	Place  string
	Fields Fields
}

// Run sends every case in every version that the node serves, on one connection, in
// order. The node must be new.
func Run(address string) ([]Answer, error) {
	s := &session{conn: newConn(address), ids: make(map[string][16]byte)}
	defer s.conn.close()
	var err error
	if s.versions, err = s.conn.versions(); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	for _, c := range cases() {
		s.run(c)
	}
	return s.answers, nil
}

// session is a run: what the node serves, what was made and what was answered.
type session struct {
	*conn
	versions map[int16][2]int16
	ids      map[string][16]byte // of the topics that prepare made
	member   string              // as the last answer to JoinGroup named it
	producer identity            // of the transaction that the case is about
	answers  []Answer
}

// one is a case: a request, made anew for each version.
type one struct {
	name string
	make func(s *session, version int16) kmsg.Request
	min  int16 // the first version that the case makes sense in
	max  int16 // and the last; 0: there is no last
	// before makes what the case needs. It is called once for each version.
	before func(s *session, version int16)
}

// identity is a producer's.
type identity struct {
	id    int64
	epoch int16
}

func (s *session) run(c one) {
	key := c.make(s, 0).Key()
	span, ok := s.versions[key]
	if !ok {
		s.note(key, c.name, "", Fields{"": "not served"})
		return
	}
	for v := max(span[0], c.min); v <= span[1]; v++ {
		if v > c.make(s, v).MaxVersion() {
			s.note(key, c.name, fmt.Sprintf("v%d", v), Fields{"": "unknown to the sender"})
			continue
		}
		if c.max > 0 && v > c.max {
			break
		}
		if c.before != nil {
			c.before(s, v)
		}
		s.send(c.name, c.make(s, v), v)
	}
}

func (s *session) send(name string, req kmsg.Request, v int16) {
	resp, err := s.ask(req, v)
	f := Fields{}
	if err != nil {
		f[""] = err.Error()
	} else {
		f = fields(resp)
		if j, ok := resp.(*kmsg.JoinGroupResponse); ok && j.MemberID != "" {
			s.member = j.MemberID
		}
	}
	all := make(Fields, len(f))
	for k, value := range f {
		all[s.general(k)] = s.general(value)
	}
	s.note(req.Key(), name, fmt.Sprintf("v%d", v), all)
}

// general takes out of a text what belongs to this run.
func (s *session) general(text string) string {
	if s.member != "" {
		text = strings.ReplaceAll(text, s.member, "MEMBER")
	}
	for name, id := range s.ids {
		_ = name
		text = strings.ReplaceAll(text, idText(id), "ID")
	}
	return text
}

func (s *session) note(key int16, name, version string, f Fields) {
	s.answers = append(s.answers, Answer{Place: kmsg.NameForKey(key) + "/" + name + "/" + version, Fields: f})
}
