package group

import (
	"testing"
	"time"
)

// What a pattern matches is a subscription: it is found while the member goes on, comes
// with the next epoch, is another when topics come and go, and is forgotten with the last
// member that has the pattern.
func TestConsumerPatterns(t *testing.T) {
	play(t, Settings{}, `
		topic aa 1 -> ok
		topic ab 1 -> ok
		topic b 1 -> ok
		hb A epoch=0 regex=a.* -> epoch=1 -
		cdescribe -> Assigning epoch=2 target=1 by=uniform A@1=-
		hb A epoch=1 -> epoch=2 aa:0,ab:0
		records -> 5 3 7 6 8 16 3 7 6 8
		topic ac 1 -> ok
		hb A epoch=2 -> epoch=2                            # not more often than every ten seconds
		after 11s
		hb A epoch=2 -> epoch=2                            # the topic is new: it is matched
		hb A epoch=2 -> epoch=3 aa:0,ab:0,ac:0
		topic aa 0 -> ok
		hb A epoch=3 -> epoch=3 ab:0,ac:0
		hb A epoch=3 has=ab:0,ac:0 -> epoch=4

		hb B epoch=0 regex=a. -> epoch=4 -                 # the new pattern is no reason for an epoch
		hb B epoch=4 topics=b -> epoch=5 b:0               # the name is
		after 11s
		hb B epoch=5 -> epoch=5
		hb B epoch=5 -> epoch=6
		cdescribe -> Reconciling epoch=6 target=6 by=uniform A@4=ab:0,ac:0 B@6=b:0
		log reload
		cdescribe -> Reconciling epoch=6 target=6 by=uniform A@4=ab:0,ac:0 B@6=b:0
		hb A epoch=-1 -> epoch=-1
		hb B epoch=6 -> epoch=7 ab:0,ac:0,b:0
		hb B epoch=7 regex= -> epoch=7 b:0                 # only the names are left
		hb B epoch=7 has=b:0 -> epoch=8
		hb B epoch=-1 -> epoch=-1
		delete -> ok
	`)
}

// A pattern has to match the whole name. One that is not good is refused, and the member
// stays what it was.
func TestConsumerPatternMatchesWholeNames(t *testing.T) {
	play(t, Settings{}, `
		topic a 1 -> ok
		topic ab 1 -> ok
		topic ba 1 -> ok
		hb A epoch=0 regex=a|b -> epoch=1 -
		hb A epoch=1 -> epoch=2 a:0
		hb A epoch=2 regex=( -> INVALID_REGULAR_EXPRESSION
		hb A epoch=2 -> epoch=2
		cdescribe -> Stable epoch=2 target=2 by=uniform A@2=a:0
	`)
}

// Patterns are matched anew after a while even if nobody said that topics changed, and
// after a coordinator has taken over.
func TestConsumerPatternsAreRefreshed(t *testing.T) {
	play(t, Settings{ConsumerPatternRefresh: time.Minute}, `
		topic aa 1 -> ok
		hb A epoch=0 regex=a.* -> epoch=1 -
		hb A epoch=1 -> epoch=2 aa:0
		after 40s
		hb A epoch=2 -> epoch=2
		records -> 5 3 7 6 8 16 3 7 6 8
		after 30s
		hb A epoch=2 -> epoch=2
		records -> 16                                      # it matched the same: no epoch
		after 11s
		log moves
		hb A epoch=2 -> epoch=2
		records ->                                         # with the same image there is no need
		topic ab 1 -> ok
		log reload
		hb A epoch=2 -> epoch=2
		hb A epoch=2 -> epoch=3 aa:0,ab:0
	`)
}

// A second member with a pattern that is resolved gets its part at once.
func TestConsumerPatternIsShared(t *testing.T) {
	play(t, Settings{}, `
		topic a 2 -> ok
		hb A epoch=0 regex=a.* -> epoch=1 -
		hb A epoch=1 -> epoch=2 a:0+1
		hb B epoch=0 regex=a.* -> epoch=3 -
		hb A epoch=2 -> epoch=2 a:0
		hb A epoch=2 has=a:0 -> epoch=3
		hb B epoch=3 -> epoch=3 a:1
		hb A epoch=-1 -> epoch=-1
		records -> 5 3 7 6 8 16 3 7 6 8 5 3 7 7 6 8 8 8 8 -8 -7 -5 3
		hb B epoch=-1 -> epoch=-1
		records -> -8 -7 -5 -16 3
	`)
}

// A few bytes that stand for a great many states would keep the coordinator busy for hours.
func TestConsumerPatternTooLarge(t *testing.T) {
	play(t, Settings{}, `
		topic a 1 -> ok
		hb A epoch=0 regex=(?:(?:a?){1000}){1}(?:a?){1000}(?:a?){1000}(?:a?){1000}(?:a?){1000}(?:a?){1000} -> INVALID_REGULAR_EXPRESSION
		hb A epoch=0 regex=\Qa -> INVALID_REGULAR_EXPRESSION
		hb A epoch=0 regex=(?:a?){1000} -> epoch=1 -
	`)
}
