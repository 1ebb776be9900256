package assign

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/odradek/odradek/internal/proto/model"
)

// 500 members of 5,000 partitions in 50 topics: everything anew, and one member more.
func BenchmarkAssign(b *testing.B) {
	for _, c := range []struct {
		name string
		a    Assignor
		same bool
	}{
		{"range", Range{}, true}, {"uniform", Uniform{}, true}, {"uniform-uneven", Uniform{}, false}, {"simple", Simple{}, true},
	} {
		members, topics := crowd(c.same)
		b.Run(c.name+"/new", func(b *testing.B) { benchmark(b, c.a, members, topics) })
		given, err := c.a.Assign(members, topics)
		if err != nil {
			b.Fatal(err)
		}
		for i := range members {
			members[i].Owned = given[members[i].ID]
		}
		members = append(members, Member{ID: "n", Topics: members[0].Topics})
		b.Run(c.name+"/one-more", func(b *testing.B) { benchmark(b, c.a, members, topics) })
	}
}

func crowd(same bool) ([]Member, map[model.ID]Topic) {
	random := rand.New(rand.NewPCG(1, 2))
	topics := map[model.ID]Topic{}
	var ids []model.ID
	for i := range 50 {
		id := model.ID{byte(i), 1}
		ids = append(ids, id)
		topics[id] = Topic{ID: id, Partitions: 100}
	}
	var members []Member
	for i := range 500 {
		m := Member{ID: fmt.Sprintf("m%03d", i), Topics: ids}
		if !same {
			m.Topics = nil
			for _, id := range ids {
				if random.IntN(3) > 0 {
					m.Topics = append(m.Topics, id)
				}
			}
		}
		members = append(members, m)
	}
	return members, topics
}

func benchmark(b *testing.B, a Assignor, members []Member, topics map[model.ID]Topic) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Assign(members, topics); err != nil {
			b.Fatal(err)
		}
	}
}
