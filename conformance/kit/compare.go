package main

import (
	"encoding/json"
	"maps"
	"slices"
)

// compareObserved compares what each client saw of both peers. A scenario that did not
// run on both is not compared: its cell tells of it.
func compareObserved(clients []client, scenes []string, all map[string]*outcome) (ds []difference) {
	for _, c := range clients {
		for _, s := range scenes {
			k, o := all["kafka"].results[c.name][s], all["odradek"].results[c.name][s]
			if k.Status != "ok" || o.Status != "ok" {
				if k.Status != o.Status {
					ds = append(ds, difference{place: "observed/" + c.name + "/" + s + "/status", kafka: k.Status + " " + k.Reason, odradek: o.Status + " " + o.Reason})
				}
				continue
			}
			keys := maps.Clone(k.Observed)
			if keys == nil {
				keys = make(map[string]any)
			}
			maps.Copy(keys, o.Observed)
			for _, key := range slices.Sorted(maps.Keys(keys)) {
				if a, b := printed(k.Observed, key), printed(o.Observed, key); a != b {
					ds = append(ds, difference{place: "observed/" + c.name + "/" + s + "/" + key, kafka: a, odradek: b})
				}
			}
		}
	}
	return ds
}

func printed(observed map[string]any, key string) string {
	v, ok := observed[key]
	if !ok {
		return "absent"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
