package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// A Voter is one entry of controller.quorum.voters: ID@HOST:PORT.
type Voter struct {
	ID   int32
	Host string
	Port int
}

// ParseVoters reads the entries of controller.quorum.voters. 0.0.0.0:0 is Kafka's
// placeholder for an address that is not known yet; its Host is empty.
func ParseVoters(entries []string) ([]Voter, error) {
	var voters []Voter
	for _, e := range entries {
		id, addr, ok := strings.Cut(e, "@")
		n, err := strconv.ParseInt(id, 10, 32)
		if !ok || err != nil || n < 0 {
			return nil, fmt.Errorf("voter %q is not ID@HOST:PORT", e)
		}
		for _, v := range voters {
			if v.ID == int32(n) {
				return nil, fmt.Errorf("voter id %d is named twice", n)
			}
		}
		host, port, err := splitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("voter %q: %w", e, err)
		}
		if addr == "0.0.0.0:0" {
			host = ""
		}
		voters = append(voters, Voter{int32(n), host, port})
	}
	return voters, nil
}

// splitHostPort cuts HOST:PORT; an IPv6 host is in brackets.
func splitHostPort(s string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not HOST:PORT", s)
	}
	port, err = strconv.Atoi(p)
	if err != nil || port < 0 || port > 65535 || host == "" || strings.ContainsAny(host, "@/, ") {
		return "", 0, fmt.Errorf("%q is not HOST:PORT", s)
	}
	return host, port, nil
}
