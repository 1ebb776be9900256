package cli

import (
	"encoding/json"
	"sync"
	"time"
)

// eventLog prints what a verifiable client sees, a JSON object a line, as Kafka's own do:
// timestamp and name first.
type eventLog struct {
	enc  *json.Encoder
	lock sync.Mutex // guards enc: clients tell from goroutines of their own
}

func newEventLog(a *App) *eventLog {
	e := &eventLog{enc: json.NewEncoder(a.Stdout)}
	e.enc.SetEscapeHTML(false)
	return e
}

// event is what all events have.
type event struct {
	Timestamp int64  `json:"timestamp"` // milliseconds
	Name      string `json:"name"`
}

func eventNow(name string) event { return event{time.Now().UnixMilli(), name} }

func (e *eventLog) print(what any) {
	e.lock.Lock()
	defer e.lock.Unlock()
	_ = e.enc.Encode(what) // nobody may be reading any more
}

// javaDouble prints a number as Java's JSON does: 15.0, not 15.
type javaDouble float64

func (d javaDouble) MarshalJSON() ([]byte, error) { return []byte(javaFloat(float64(d), 64)), nil }

// bootstrapArg is where the verifiable clients connect to.
var bootstrapArg = argOption{names: []string{"--bootstrap-server"}, metavar: "HOST1:PORT1[,HOST2:PORT2[...]]", required: true, help: "The server(s) to connect to."}

// configFile settles the two options for a file of properties.
func configFile(t *argTool, v *argValues, old string, say func(string)) (string, error) {
	switch {
	case v.has(old) && v.has("command-config"):
		return "", t.wrong("Options --%s and --command-config are mutually exclusive.", old)
	case v.has(old):
		say("Option --" + old + " has been deprecated and will be removed in a future version. Use --command-config instead.")
		return v.text(old), nil
	}
	return v.text("command-config"), nil
}
