package group

import (
	"testing"
	"time"
)

// sharing is a group of one member that reads all of t.
const sharing = `
	topic t 2 -> ok
	shb A epoch=0 topics=t -> epoch=1 -
	states -> t/0@1=-1 t/1@1=-1
	shb A epoch=1 -> epoch=2 t:0+1
`

func TestShareGroups(t *testing.T) {
	cases := map[string]string{
		"a member gets partitions once their states have begun": `
			topic t 2 -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			records -> 10 11 13 12 14 15 15
			sdescribe -> Stable epoch=1 target=1 A@1=-
			shb A epoch=1 -> epoch=2 t:0+1
			records -> 11 13 12 14
			shb A epoch=2 -> epoch=2
			records ->
			sdescribe -> Stable epoch=2 target=2 A@2=t:0+1
			list -> ok g:share:Stable:share
		`,
		"what was begun is known to whoever loads it": sharing + `
			log moves
			shb A epoch=2 -> epoch=2
			sdescribe -> Stable epoch=2 target=2 A@2=t:0+1
			soffsets -> t/0=-1 t/1=-1
		`,
		"members share what there is": sharing + `
			shb B epoch=0 topics=t -> epoch=3 t:1
			shb A epoch=2 -> epoch=3 t:0
			shb C epoch=0 topics=t -> epoch=4 t:0
			shb A epoch=3 -> epoch=4 t:0+1
			shb D epoch=0 topics=t -> epoch=5 t:1
			sdescribe -> Stable epoch=5 target=5 A@4=t:0+1 B@3=t:1 C@4=t:0 D@5=t:1
		`,
		"who leaves leaves its part to others": sharing + `
			shb B epoch=0 topics=t -> epoch=3 t:1
			shb A epoch=-1 -> epoch=-1
			shb B epoch=3 -> epoch=5 t:0+1
			shb A epoch=3 -> UNKNOWN_MEMBER_ID
			records -> 10 11 13 12 14 15 15 11 13 12 14 10 11 13 13 12 14 -14 -13 -10 11 11 13 12 14
		`,
		"a member that falls silent is gone after its session": sharing + `
			after 44s
			shb A epoch=2 -> epoch=2
			after 44s
			sdescribe -> Stable epoch=2 target=2 A@2=t:0+1
			after 2s
			sdescribe -> Empty epoch=3 target=2
			shb A epoch=2 -> UNKNOWN_MEMBER_ID
		`,
		"a whole session begins when the group is loaded": sharing + `
			after 40s
			log reload
			after 40s
			shb A epoch=2 -> epoch=2
		`,
		"a lost answer costs nothing, a stale member is fenced": sharing + `
			shb A epoch=1 -> epoch=2
			shb B epoch=0 topics=t -> epoch=3 t:1
			shb A epoch=2 -> epoch=3 t:0
			shb A epoch=1 -> FENCED_MEMBER_EPOCH
			shb A epoch=4 -> FENCED_MEMBER_EPOCH
			shb A epoch=0 topics=t -> epoch=3 t:0
		`,
		"a topic that comes or grows is read too": sharing + `
			topic u 1 -> ok
			shb A epoch=2 topics=t+u -> epoch=3 t:0+1
			shb A epoch=3 -> epoch=4 t:0+1,u:0
			topic t 3 -> ok
			shb A epoch=4 -> epoch=5
			shb A epoch=5 -> epoch=6 t:0+1+2,u:0
			states -> t/0@1=-1 t/1@1=-1 t/2@5=-1 u/0@3=-1
		`,
		"a topic that is not there yet is waited for": `
			shb A epoch=0 topics=t -> epoch=1 -
			shb A epoch=1 -> epoch=1
			topic t 1 -> ok
			shb A epoch=1 -> epoch=2
			shb A epoch=2 -> epoch=3 t:0
		`,
		"who changes its mind reads something else at once": sharing + `
			topic u 1 -> ok
			shb A epoch=2 topics=u -> epoch=3 -
			shb A epoch=3 -> epoch=4 u:0
			shb A epoch=4 topics=t -> epoch=5 t:0+1
		`,
		"a topic that is deleted is forgotten": sharing + `
			topic t 0 -> ok
			topicdeleted t -> ok
			shb A epoch=2 -> epoch=3 -
			soffsets -> -
			topic t 1 -> ok
			shb A epoch=3 -> epoch=4
			shb A epoch=4 -> epoch=5 t:0
		`,
		"also when nobody was told": sharing + `
			topic t 0 -> ok
			log reload
			soffsets -> -
		`,
		"while states do not begin nothing is assigned, and they are asked for again": `
			topic t 1 -> ok
			coordinator fails -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			shb A epoch=1 -> epoch=1
			states -> -
			coordinator flows -> ok
			shb A epoch=1 -> epoch=1
			shb A epoch=1 -> epoch=2 t:0
		`,
		"a coordinator that does not answer is asked again after a while": `
			topic t 1 -> ok
			coordinator holds -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			shb A epoch=1 -> epoch=1
			after 25s
			shb A epoch=1 -> epoch=1
			after 25s
			shb A epoch=1 -> epoch=1
			coordinator flows -> ok
			shb A epoch=1 -> epoch=2 t:0
		`,
		"a state is asked for once, also by a group that is only being made": `
			topic t 1 -> ok
			coordinator holds -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			shb B epoch=0 topics=t -> epoch=2 -
			coordinator flows -> ok
			states -> t/0@1=-1
			shb A epoch=1 -> epoch=3 t:0
		`,
		"what is asked for again begins nothing anew": `
			topic t 1 -> ok
			coordinator holds -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			after 31s
			shb B epoch=0 topics=t -> epoch=2 -
			coordinator answers t/0@1 -> ok
			shb A epoch=1 -> epoch=3 t:0
			coordinator flows -> ok
			states -> t/0@1=-1
		`,
		"of several requests the last one counts": `
			topic t 1 -> ok
			coordinator holds -> ok
			salter t:0 start=4 -> waits
			salter t:0 start=5 -> waits
			shb A epoch=0 topics=t -> epoch=3 -
			coordinator answers t/0@1 -> ok
			states -> t/0@1=4
			shb A epoch=3 -> epoch=3
			coordinator answers t/0@2 -> ok
			states -> t/0@2=5
			shb A epoch=3 -> epoch=4 t:0
		`,
		"an earlier request that is fenced does not begin another": `
			topic t 1 -> ok
			coordinator holds -> ok
			salter t:0 start=4 -> waits
			salter t:0 start=5 -> waits
			coordinator takes t/0@2 -> ok
			coordinator answers t/0@1 -> ok
			shb A epoch=0 topics=t -> epoch=3 -
			coordinator flows -> ok
			states -> t/0@2=5
			shb A epoch=3 -> epoch=4 t:0
		`,
		"another coordinator begins what was asked for, and members wait for that": `
			topic t 1 -> ok
			coordinator holds -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			log moves
			shb B epoch=0 topics=t -> epoch=2 -
			coordinator answers t/0@1 -> ok
			shb A epoch=1 -> epoch=2
			coordinator answers t/0@2 -> ok
			shb A epoch=2 -> epoch=3 t:0
			states -> t/0@2=-1
		`,
		"what a deleted group of the same name left does not stop states": `
			topic t 1 -> ok
			coordinator has t/0@9 -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			shb A epoch=1 -> epoch=10
			states -> t/0@10=-1
			shb A epoch=10 -> epoch=11 t:0
		`,
		"groups of another kind stay what they are": sharing + `
			hb B epoch=0 topics=t -> GROUP_ID_NOT_FOUND
			cdescribe -> GROUP_ID_NOT_FOUND
			join C -> INCONSISTENT_GROUP_PROTOCOL
			commit offsets=t/0@5 -> GROUP_ID_NOT_FOUND
			delete -> NON_EMPTY_GROUP
		`,
		"a consumer group is no share group": `
			topic t 1 -> ok
			hb B epoch=0 topics=t -> epoch=1 t:0
			shb A epoch=0 topics=t -> GROUP_ID_NOT_FOUND
			sdescribe -> GROUP_ID_NOT_FOUND
			salter t:0 start=5 -> GROUP_ID_NOT_FOUND
			sforget t -> GROUP_ID_NOT_FOUND
		`,
		"heartbeats that make no sense": `
			shb A epoch=1 -> GROUP_ID_NOT_FOUND
			shb A epoch=-2 -> INVALID_REQUEST
			shb A epoch=0 -> INVALID_REQUEST
			shb 1234567890123456789012345678901234567 epoch=0 topics=t -> INVALID_REQUEST
			shb A epoch=0 topics=t rack= -> INVALID_REQUEST
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{}, script) })
	}
}

func TestShareGroupSettings(t *testing.T) {
	play(t, Settings{ShareMaxSize: 2, ShareSession: 10 * time.Second, ShareHeartbeat: 2 * time.Second}, `
		topic t 1 -> ok
		shb A epoch=0 topics=t -> epoch=1 every=2s -
		shb B epoch=0 topics=t -> epoch=2 every=2s t:0
		shb C epoch=0 topics=t -> GROUP_MAX_SIZE_REACHED
		shb A epoch=0 topics=t -> epoch=2 every=2s t:0
		after 11s
		shb C epoch=0 topics=t -> epoch=5 every=2s t:0
	`)
}

// Where a group is is described, altered and forgotten while it has no members.
func TestShareGroupOffsets(t *testing.T) {
	cases := map[string]string{
		"a group that nobody has read with is at nothing": `
			topic t 2 -> ok
			soffsets -> -
			soffsets t:0,w:3 -> t/0=-1 w/3=-1
		`,
		"an altered group is there, and has a lag": `
			topic t 2 -> ok
			salter t:0+1+2 start=4 -> t/0 t/1 t/2:UNKNOWN_TOPIC_OR_PARTITION
			list -> ok g:share:Empty:share
			soffsets -> t/0=4+6 t/1=4+16
			states -> t/0@1=4 t/1@1=4
			records -> 11 15 15
			salter t:1 start=7 -> t/1
			states -> t/0@1=4 t/1@2=7
			salter t:1 start=-1 -> t/1
			soffsets t:0+1+9 -> t/0=4+6 t/1=-1 t/9=-1
			salter w:0 start=3 -> w/0:UNKNOWN_TOPIC_OR_PARTITION
			salter t:0 start=-3 -> t/0:INVALID_REQUEST
			shb A epoch=0 topics=t -> epoch=4 t:0+1
			states -> t/0@1=4 t/1@3=-1
		`,
		"who joins while a group is altered waits for that": sharing + `
			shb A epoch=-1 -> epoch=-1
			coordinator holds -> ok
			salter t:0 start=4 -> waits
			shb B epoch=0 topics=t -> epoch=5 t:1
			shb B epoch=5 -> epoch=5
			coordinator flows -> ok
			t:0 <- t/0
			states -> t/0@4=4 t/1@1=-1
			shb B epoch=5 -> epoch=6 t:0+1
		`,
		"also where it has never been": `
			topic t 1 -> ok
			coordinator holds -> ok
			salter t:0 start=4 -> waits
			shb A epoch=0 topics=t -> epoch=2 -
			coordinator flows -> ok
			states -> t/0@1=4
			shb A epoch=2 -> epoch=3 t:0
		`,
		"a group with members is not altered": sharing + `
			salter t:0 start=4 -> NON_EMPTY_GROUP
			sforget t -> NON_EMPTY_GROUP
			shb A epoch=-1 -> epoch=-1
			salter t:0 start=4 -> t/0
			states -> t/0@4=4 t/1@1=-1
			log moves
			salter t:0 start=5 -> t/0
			states -> t/0@5=5 t/1@1=-1
		`,
		"what could not be altered is told, and stays": `
			topic t 1 -> ok
			salter t:0 start=4 -> t/0
			coordinator fails -> ok
			salter t:0 start=5 -> t/0:COORDINATOR_NOT_AVAILABLE
			soffsets -> t/0=-1
			coordinator flows -> ok
			soffsets -> t/0=4+6
		`,
		"offsets are forgotten, by topic": `
			topic t 1 -> ok
			topic u 1 -> ok
			sforget t -> GROUP_ID_NOT_FOUND
			salter t:0,u:0 start=4 -> t/0 u/0
			sforget t+w -> t w:UNKNOWN_TOPIC_OR_PARTITION
			states -> u/0@1=4
			soffsets -> u/0=4+6
			sforget t -> t:UNKNOWN_TOPIC_OR_PARTITION
			records -> 11 15 15 15 15
		`,
		"what could not be forgotten can be tried again": `
			topic t 1 -> ok
			salter t:0 start=4 -> t/0
			coordinator fails -> ok
			sforget t -> t:COORDINATOR_NOT_AVAILABLE
			soffsets -> -
			log moves
			coordinator flows -> ok
			sforget t -> t
			states -> -
		`,
		"what another coordinator was deleting does not begin at once": sharing + `
			shb A epoch=-1 -> epoch=-1
			coordinator holds -> ok
			sforget t -> waits
			log moves
			shb B epoch=0 topics=t -> epoch=4 -
			coordinator flows -> ok
			t <- NOT_COORDINATOR
			shb B epoch=4 -> epoch=4
			states -> -
			after 31s
			shb B epoch=4 -> epoch=4
			shb B epoch=4 -> epoch=5 t:0+1
		`,
		"a state that was forgotten while it began has not": `
			topic t 1 -> ok
			coordinator holds -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			shb A epoch=-1 -> epoch=-1
			coordinator takes t/0@1 -> ok
			sforget t -> waits
			coordinator flows -> ok
			shb B epoch=0 topics=t -> epoch=3 -
			shb B epoch=3 -> epoch=4 t:0
			states -> t/0@3=-1
		`,
		"while states are being deleted none begins": sharing + `
			shb A epoch=-1 -> epoch=-1
			coordinator holds -> ok
			sforget t -> waits
			shb B epoch=0 topics=t -> epoch=4 -
			shb B epoch=4 -> epoch=4
			coordinator flows -> ok
			t <- t
			states -> -
			shb B epoch=4 -> epoch=4
			states -> t/0@4=-1 t/1@4=-1
			shb B epoch=4 -> epoch=5 t:0+1
		`,
		"a group is deleted with its states": sharing + `
			shb A epoch=-1 -> epoch=-1
			delete -> ok
			states -> -
			list -> ok
			sdescribe -> GROUP_ID_NOT_FOUND
			log reload
			list -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			states -> t/0@1=-1 t/1@1=-1
		`,
		"unless they cannot be": sharing + `
			shb A epoch=-1 -> epoch=-1
			coordinator fails -> ok
			delete -> COORDINATOR_NOT_AVAILABLE
			list -> ok g:share:Empty:share
			log reload
			coordinator flows -> ok
			delete -> ok
			states -> -
		`,
		"a group is deleted while states begin": `
			topic t 1 -> ok
			coordinator holds -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			shb A epoch=-1 -> epoch=-1
			delete -> waits
			coordinator flows -> ok
			after 1s
			list -> ok
			shb A epoch=0 topics=t -> epoch=1 -
			shb A epoch=1 -> epoch=2 t:0
		`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) { play(t, Settings{}, script) })
	}
}
