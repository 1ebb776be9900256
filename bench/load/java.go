package load

import (
	"context"
	"errors"
)

type javaLoad struct {
	spec    *Spec
	cluster *cluster
}

func (l *javaLoad) prepare(context.Context) error      { return errors.New("comes in the next commit") }
func (l *javaLoad) run(context.Context, *Result) error { return nil }
func (l *javaLoad) check(context.Context, *Result) error {
	return nil
}
func (l *javaLoad) close() {}

type rdkafkaLoad = javaLoad
