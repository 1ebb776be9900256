package group

import "testing"

// Two members join one after the other: the first gives up what the second is to get
// before that gets it. They leave, and the group is empty.
func TestConsumerGroup(t *testing.T) {
	play(t, Settings{}, `
		topic t 4 -> ok
		hb A epoch=0 topics=t -> epoch=1 t:0+1+2+3
		hb A epoch=1 -> epoch=1
		cdescribe -> Stable epoch=1 target=1 by=uniform A@1=t:0+1+2+3

		hb B epoch=0 topics=t -> epoch=2 -
		cdescribe -> Reconciling epoch=2 target=2 by=uniform A@1=t:0+1+2+3→t:0+1 B@2=-→t:2+3
		hb B epoch=2 -> epoch=2                 # A has not been told yet
		hb A epoch=1 -> epoch=1 t:0+1           # it must revoke
		hb B epoch=2 -> epoch=2
		hb A epoch=1 has=t:0+1+2 -> epoch=1     # it has not revoked all
		hb A epoch=1 has=t:0+1 -> epoch=2
		hb B epoch=2 -> epoch=2 t:2+3
		cdescribe -> Stable epoch=2 target=2 by=uniform A@2=t:0+1 B@2=t:2+3
		list -> ok g:consumer:Stable:consumer

		hb A epoch=-1 -> epoch=-1
		hb A epoch=2 -> UNKNOWN_MEMBER_ID
		cdescribe -> Assigning epoch=3 target=2 by=uniform B@2=t:2+3
		hb B epoch=2 -> epoch=3 t:0+1+2+3
		log reload
		cdescribe -> Stable epoch=3 target=3 by=uniform B@3=t:0+1+2+3
		hb B epoch=-1 -> epoch=-1
		cdescribe -> Empty epoch=4 target=3 by=uniform
		delete -> ok
		cdescribe -> GROUP_ID_NOT_FOUND
		log reload
		cdescribe -> GROUP_ID_NOT_FOUND
	`)
}
