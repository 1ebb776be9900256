package chaos

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	scenarios  = flag.String("scenarios", "", "numbers of the scenarios to play, with commas, or all; empty leaves them out")
	powerless  = flag.Int("blackouts", 3, "how often scenario 5 cuts the power of all nodes")
	leaderless = flag.Duration("leaderless", 60*time.Second, "how long scenario 15 has no quorum")
)

// scenario is one of those that a cluster must have come through before anybody trusts it.
type scenario struct {
	number int
	name   string
	cfg    Config
	mix    func() Mix
	play   func(s *story)
}

var scenes = []scenario{
	{1, "kill -9 of a leader, under load", Config{}, Small, playKill},
	{2, "a leader stands still and wakes up as a zombie", Config{}, Small, playZombieLeader},
	{3, "a follower stands still", Config{}, Small, playStillFollower},
	{4, "cuts of the network, of every shape", Config{}, Small, playCuts},
	{5, "a power cut of all nodes", Config{}, Small, playBlackout},
	{6, "a power cut of one node while the others stand still", Config{}, Small, playCutAndPauses},
	{7, "bit flips and torn files of a minority", Config{MetadataApart: true}, Small, playDamage},
	{8, "a full disk, of a leader and of all", Config{DiskBytes: 256 << 20}, Small, playFullDisk},
	{9, "syncs that fail, and that last", Config{}, Small, playSyncs},
	{10, "a wrong hour", Config{}, Small, playHour},
	{11, "rolling restarts", Config{}, Small, playRolling},
	{12, "moves of replicas, with kills and cuts", Config{Nodes: 5}, Small, playMoves},
	{13, "little memory, and more load than it bears", Config{DiskBytes: 4 << 30}, Heavy, playMemory},
	{14, "two producers with one transactional id", Config{}, Twins, playTwins},
	{15, "no majority of the quorum", Config{}, Small, playNoQuorum},
}

// Each scenario is a cluster of its own under a load, to which one kind of misfortune
// happens; then everything that anybody was told is held against all the rest.
func TestScenario(t *testing.T) {
	if *scenarios == "" {
		t.Skip("asked for with -scenarios=all, or -scenarios=1,5")
	}
	for _, sc := range scenes {
		if *scenarios != "all" && !slices.Contains(strings.Split(*scenarios, ","), fmt.Sprint(sc.number)) {
			continue
		}
		name := fmt.Sprintf("%d %s", sc.number, sc.name)
		t.Run(name, func(t *testing.T) {
			s := newStory(t, name, sc.cfg, sc.mix())
			s.warm()
			sc.play(s)
			s.verdict()
		})
	}
}

// Twins is a load in which two pipes have the same transactional id.
func Twins() Mix {
	m := Small()
	m.Works = slices.DeleteFunc(m.Works, func(w Work) bool { return w.Do == "pipe" })
	for range 2 {
		m.Works = append(m.Works, franzPipe.works(1, "twins")...)
	}
	return m
}

// Heavy is ten times the load of the others, and in large records.
func Heavy() Mix {
	m := Small()
	for range 2 {
		m.Works = append(m.Works, send("franz-go", "a:6", "none", 600, 50*time.Millisecond))
	}
	return m
}

// warm waits until every pipe has begun to put out.
func (s *story) warm() {
	s.t.Helper()
	s.progress("a")
	for _, p := range s.mix.Pipes {
		s.progress(p.out)
	}
}

func playKill(s *story) {
	for range 3 {
		h := s.do("kill", s.leader("a", 0))
		s.progress("a")
		s.undo(h)
		s.heal()
	}
}

func playZombieLeader(s *story) {
	for _, still := range []time.Duration{5, 12, 20} {
		h := s.do("pause", s.leader("a", 0))
		s.progress("a")
		s.lasts(still * time.Second)
		s.undo(h)
		s.progress("a")
		s.heal()
	}
}

func playStillFollower(s *story) {
	for range 2 {
		h := s.do("pause", s.others(s.leader("a", 0), s.controller())[0])
		s.progress("a")
		s.lasts(6 * time.Second)
		s.undo(h)
		s.heal()
	}
}

func playCuts(s *story) {
	for _, name := range []string{"mute", "deaf", "isolate", "unplug", "rift", "half rift", "clients cut off", "clients do not hear", "voters cut"} {
		victim := s.leader("a", 0)
		if name == "rift" || name == "voters cut" { // the leader and the quorum's
			victim = s.controller()
		}
		h := s.do(name, victim)
		s.lasts(5 * time.Second)
		if name != "clients cut off" && name != "clients do not hear" {
			s.progress("a") // the others go on without it
		}
		s.undo(h)
		s.progress("a")
	}
	h := s.do("ring", s.rig.Nodes...)
	s.lasts(5 * time.Second)
	s.undo(h)
	s.heal()
}

func playBlackout(s *story) {
	for range *powerless {
		s.undo(s.do("power cut", s.rig.Nodes...))
		s.heal()
		s.progress("a")
	}
}

func playCutAndPauses(s *story) {
	for _, victim := range s.rig.Nodes {
		still := s.do("pause", s.others(victim)...)
		s.lasts(time.Second)
		off := s.do("power cut", victim)
		s.undo(off)
		s.lasts(3 * time.Second)
		s.undo(still)
		s.heal()
		s.progress("a")
	}
}

func playDamage(s *story) {
	for i, name := range []string{"bit flips in segments", "torn segments", "bit flips beside segments", "bit flips in the journal", "bit flips in metadata"} {
		victim := s.leader("a", 0)
		if i%2 == 1 {
			victim = s.controller()
		}
		h := s.do(name, victim)
		s.progress("a")
		s.undo(h)
		if name == "torn segments" {
			// Where the journal goes on after a hole, the node does not start: its disk has not
			// kept what it promised, and is replaced.
			s.undo(s.do("lost disk", victim))
		}
		s.heal()
		for _, n := range s.others(victim) { // whatever is read now, it may be read from the victim
			h := s.do("kill", n)
			s.progress("a")
			s.undo(h)
			s.heal()
		}
	}
}

func playFullDisk(s *story) {
	for _, on := range [][]*Node{{s.leader("a", 0)}, s.rig.Nodes} {
		h := s.do("full disk", on...)
		s.lasts(8 * time.Second)
		s.undo(h)
		s.heal()
		s.progress("a")
	}
}

func playSyncs(s *story) {
	for _, name := range []string{"sync fails once", "sync fails", "slow sync", "write fails", "read fails"} {
		h := s.do(name, s.leader("a", 0))
		s.progress("a") // by others, where the node is right to end itself
		s.lasts(2 * time.Second)
		s.undo(h)
		s.heal()
	}
}

func playHour(s *story) {
	for _, n := range []*Node{s.leader("a", 0), s.controller()} {
		h := s.do("wrong hour", n)
		s.progress("a")
		s.lasts(5 * time.Second)
		s.undo(h)
		s.progress("a")
	}
}

func playRolling(s *story) {
	for range 2 {
		for _, n := range s.rig.Nodes {
			s.undo(s.do("restart", n))
			s.heal() // as who restarts a cluster waits for each
			s.progress("out.franz")
		}
	}
}

func playMoves(s *story) {
	for i := range 3 {
		s.reassign("a", i)
		h := s.do([]string{"kill", "isolate", "pause"}[i], s.leader("a", 0))
		s.lasts(2 * time.Second)
		s.reassign("a", i+3) // some are still on their way
		s.progress("a")
		s.undo(h)
		s.heal()
		s.settled()
	}
}

func playMemory(s *story) {
	h := s.do("little memory", s.rig.Nodes...)
	s.lasts(20 * time.Second)
	s.undo(h)
	s.heal()
	s.progress("a")
}

func playTwins(s *story) {
	s.lasts(5 * time.Second)
	h := s.do("kill", s.leader("__transaction_state", 0))
	s.lasts(5 * time.Second)
	s.undo(h)
	s.heal()
	s.progress("out.franz")
}

// The quorum has no majority, while brokers and clients hear one another. A broker that
// the quorum's leader does not hear acknowledges nothing once its session is over (it
// cannot know that nobody was put in its place), so here nothing is asked of the time
// without a quorum but that it tells no lie; afterwards all goes on.
func playNoQuorum(s *story) {
	h := s.do("voters cut", s.rig.Nodes...)
	s.lasts(*leaderless)
	s.undo(h)
	s.heal()
	s.progress("a")
}
