package quorum

import (
	"fmt"
	"log/slog"
)

// logger gives Raft's own words to slog. What Raft calls fatal is an invariant that
// broke: a panic.
type logger struct{ log *slog.Logger }

func (l *logger) Debug(v ...any)            { l.log.Debug("raft", "says", fmt.Sprint(v...)) }
func (l *logger) Debugf(f string, v ...any) { l.log.Debug("raft", "says", fmt.Sprintf(f, v...)) }
func (l *logger) Info(v ...any)             { l.log.Debug("raft", "says", fmt.Sprint(v...)) }
func (l *logger) Infof(f string, v ...any)  { l.log.Debug("raft", "says", fmt.Sprintf(f, v...)) }
func (l *logger) Warning(v ...any)          { l.log.Warn("raft", "says", fmt.Sprint(v...)) }
func (l *logger) Warningf(f string, v ...any) {
	l.log.Warn("raft", "says", fmt.Sprintf(f, v...))
}
func (l *logger) Error(v ...any)            { l.log.Error("raft", "says", fmt.Sprint(v...)) }
func (l *logger) Errorf(f string, v ...any) { l.log.Error("raft", "says", fmt.Sprintf(f, v...)) }
func (l *logger) Fatal(v ...any)            { panic("bug: raft: " + fmt.Sprint(v...)) }
func (l *logger) Fatalf(f string, v ...any) { panic("bug: raft: " + fmt.Sprintf(f, v...)) }
func (l *logger) Panic(v ...any)            { panic("bug: raft: " + fmt.Sprint(v...)) }
func (l *logger) Panicf(f string, v ...any) { panic("bug: raft: " + fmt.Sprintf(f, v...)) }
