package config

import (
	"fmt"
	"strings"
	"testing"
)

func eps(l []Endpoint) string {
	var s []string
	for _, e := range l {
		s = append(s, fmt.Sprintf("%s/%s", e, e.Protocol))
	}
	return strings.Join(s, " ")
}

func TestParseListeners(t *testing.T) {
	for _, c := range []struct {
		name                           string
		set                            kv
		broker, controller, adv, inter string
		err, warn                      string
	}{
		{name: "nothing set: loopback only",
			broker: "PLAINTEXT://localhost:9092/PLAINTEXT", adv: "PLAINTEXT://localhost:9092/PLAINTEXT", inter: "PLAINTEXT"},
		{name: "Kafka's combined server.properties",
			set:    kv{"process.roles": "broker,controller", "node.id": "1", "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "inter.broker.listener.name": "PLAINTEXT", "advertised.listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093", "controller.listener.names": "CONTROLLER", "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL"},
			broker: "PLAINTEXT://:9092/PLAINTEXT", controller: "CONTROLLER://:9093/PLAINTEXT", adv: "PLAINTEXT://localhost:9092/PLAINTEXT", inter: "PLAINTEXT",
			warn: "listener PLAINTEXT is open to other machines, but clients there are told to connect to localhost, which is themselves"},
		{name: "inside and outside, in any case",
			set:    kv{"listeners": "inside://:9092,Outside://0.0.0.0:9094", "advertised.listeners": "INSIDE://kafka:9092,OUTSIDE://10.0.0.5:9094", "listener.security.protocol.map": "INSIDE:PLAINTEXT, outside:sasl_ssl", "inter.broker.listener.name": "inside"},
			broker: "INSIDE://:9092/PLAINTEXT OUTSIDE://0.0.0.0:9094/SASL_SSL", adv: "INSIDE://kafka:9092/PLAINTEXT OUTSIDE://10.0.0.5:9094/SASL_SSL", inter: "INSIDE"},
		{name: "IPv6, and both stacks on one port",
			set:    kv{"listeners": "PLAINTEXT://127.0.0.1:9092,B://[::1]:9092", "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,B:PLAINTEXT"},
			broker: "PLAINTEXT://127.0.0.1:9092/PLAINTEXT B://[::1]:9092/PLAINTEXT", adv: "PLAINTEXT://127.0.0.1:9092/PLAINTEXT B://[::1]:9092/PLAINTEXT", inter: "PLAINTEXT"},
		{name: "any free port", set: kv{"listeners": "PLAINTEXT://localhost:0,SSL://localhost:0"},
			broker: "PLAINTEXT://localhost:0/PLAINTEXT SSL://localhost:0/SSL", adv: "PLAINTEXT://localhost:0/PLAINTEXT SSL://localhost:0/SSL", inter: "PLAINTEXT"},
		{name: "controller only",
			set:        kv{"process.roles": "controller", "listeners": "CONTROLLER://0.0.0.0:9093", "controller.listener.names": "CONTROLLER"},
			controller: "CONTROLLER://0.0.0.0:9093/PLAINTEXT"},
		{name: "broker only",
			set:    kv{"process.roles": "broker", "listeners": "PLAINTEXT://h:9092", "controller.quorum.voters": "1@c:9093"},
			broker: "PLAINTEXT://h:9092/PLAINTEXT", adv: "PLAINTEXT://h:9092/PLAINTEXT", inter: "PLAINTEXT"},

		{name: "0.0.0.0 is never advertised", set: kv{"listeners": "PLAINTEXT://0.0.0.0:9092"},
			err: "advertised.listeners cannot tell clients to connect to 0.0.0.0: set advertised.listeners=PLAINTEXT://HOST:9092 with a host that they can reach"},
		{name: "nor ::", set: kv{"listeners": "PLAINTEXT://[::]:9092"}, err: "advertised.listeners cannot tell clients to connect to ::"},
		{name: "nor when asked to", set: kv{"advertised.listeners": "PLAINTEXT://0.0.0.0:9092"}, err: "cannot tell clients to connect to 0.0.0.0"},
		{name: "no protocol", set: kv{"listeners": "EXT://:9092"}, err: "listener EXT has no security protocol; add EXT:PLAINTEXT"},
		{name: "no URL", set: kv{"listeners": "localhost:9092"}, err: `listeners: "localhost:9092" is not NAME://HOST:PORT`},
		{name: "no such port", set: kv{"listeners": "PLAINTEXT://:99999"}, err: "port 99999"},
		{name: "a port twice", set: kv{"listeners": "PLAINTEXT://:9092,SSL://:9092"}, err: "PLAINTEXT and SSL have the same port"},
		{name: "a name twice", set: kv{"listeners": "PLAINTEXT://:9092,plaintext://:9093"}, err: "PLAINTEXT comes twice"},
		{name: "a broken map", set: kv{"listener.security.protocol.map": "A:B"}, err: `"A:B" is not NAME:PROTOCOL`},
		{name: "a name twice in the map", set: kv{"listener.security.protocol.map": "A:SSL,a:SSL,PLAINTEXT:PLAINTEXT"}, err: "names listener A twice"},
		{name: "advertised but not bound", set: kv{"listeners": "PLAINTEXT://:9092", "advertised.listeners": "PLAINTEXT://h:9092,SSL://h:9093"}, err: "advertised.listeners has SSL, which is not among listeners (PLAINTEXT)"},
		{name: "brokers over an unadvertised listener", set: kv{"listeners": "SSL://h:9092"}, err: "brokers would talk over listener PLAINTEXT, which is not advertised (SSL)"},
		{name: "both ways to name it", set: kv{"inter.broker.listener.name": "PLAINTEXT", "security.inter.broker.protocol": "PLAINTEXT"}, err: "only one of"},
		{name: "all are for controllers", set: kv{"listeners": "CONTROLLER://:9093"}, err: "there must be at least one listener for clients"},
		{name: "the controller's listener is missing", set: kv{"controller.listener.names": "CTRL"}, err: "controller.listener.names has CTRL, which is not among listeners"},
		{name: "a quorum of three needs it too", set: kv{"controller.quorum.voters": "1@a:1,2@b:1,3@c:1"}, err: "controller.listener.names has CONTROLLER, which is not among listeners"},
		{name: "a broker must not bind the controller's", set: kv{"process.roles": "broker", "listeners": "PLAINTEXT://h:9092,CONTROLLER://:9093"}, err: "process.roles has no controller"},
		{name: "a controller must not bind a broker's", set: kv{"process.roles": "controller", "listeners": "PLAINTEXT://h:9092,CONTROLLER://:9093"}, err: "process.roles=controller allows only"},
	} {
		v, errs := build(Broker, c.set)
		if len(errs) > 0 {
			t.Fatalf("%s: %v", c.name, errs)
		}
		l, rep := ParseListeners(v)
		if c.err != "" {
			if !strings.Contains(texts(rep.Errors), c.err) {
				t.Errorf("%s: errors %q, want %q", c.name, texts(rep.Errors), c.err)
			}
			continue
		}
		if len(rep.Errors) > 0 {
			t.Errorf("%s: %s", c.name, texts(rep.Errors))
			continue
		}
		if eps(l.Broker) != c.broker || eps(l.Controller) != c.controller || eps(l.Advertised) != c.adv || l.InterBroker != c.inter {
			t.Errorf("%s:\nbroker %s\ncontroller %s\nadvertised %s\nbetween brokers %s", c.name, eps(l.Broker), eps(l.Controller), eps(l.Advertised), l.InterBroker)
		}
		if texts(rep.Warnings) != c.warn {
			t.Errorf("%s: warnings %q", c.name, texts(rep.Warnings))
		}
	}
}

func TestImpliedListeners(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want string
	}{
		{[]string{"KAFKA_ADVERTISED_HOST_NAME=h"}, "listeners=PLAINTEXT://:9092 advertised.listeners=PLAINTEXT://h:9092"},
		{[]string{"KAFKA_ADVERTISED_HOST_NAME=h", "KAFKA_PORT=19092"}, "listeners=PLAINTEXT://:19092 advertised.listeners=PLAINTEXT://h:19092"},
		{[]string{"KAFKA_ADVERTISED_HOST_NAME=h", "KAFKA_ADVERTISED_PORT=5"}, "listeners=PLAINTEXT://:9092 advertised.listeners=PLAINTEXT://h:5"},
		{[]string{"KAFKA_HOST_NAME=127.0.0.1", "KAFKA_PORT=1"}, "listeners=PLAINTEXT://127.0.0.1:1"},
		{[]string{"KAFKA_ADVERTISED_HOST_NAME=h", "KAFKA_LISTENERS=A://:1"}, ""},
		{[]string{"KAFKA_ADVERTISED_HOST_NAME=h", "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://x:1"}, "listeners=PLAINTEXT://:9092"},
		{[]string{"KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://h:19092,B://[::1]:5"}, "listeners=PLAINTEXT://:19092,B://:5"},
		{[]string{"KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://h:19092", "KAFKA_LISTENERS=PLAINTEXT://:1"}, ""},
		{[]string{"KAFKA_ADVERTISED_LISTENERS=h:1"}, ""},
		{nil, ""},
	} {
		settings, _ := ParseEnv(c.env, Sources{})
		got, _ := Merge(settings).ImpliedListeners()
		var l []string
		for _, s := range got {
			l = append(l, s.Name+"="+s.Value)
		}
		if strings.Join(l, " ") != c.want {
			t.Errorf("%v: %s, want %s", c.env, strings.Join(l, " "), c.want)
		}
	}
}
