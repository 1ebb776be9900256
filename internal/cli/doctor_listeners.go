package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// dialPatience is how long an address may take to answer.
const dialPatience = 3 * time.Second

func doctorListenersCommand(a *App) *cobra.Command {
	return &cobra.Command{
		Use: "listeners", Short: "Find the advertised address that clients cannot reach",
		Long: `Ask a broker for the addresses that clients are told to connect to (advertised.listeners),
try each from here as a client would, and say which cannot be reached and which line of
the configuration to change. Run it where the client runs. Exit code 7 if any cannot be
reached.`,
		Example: "  odradek doctor listeners -b kafka.example:9092",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var d diagnosis
			if err := a.diagnoseListeners(c.Context(), &d); err != nil {
				return err
			}
			return d.print(a)
		},
	}
}

// diagnoseListeners tries every address that the first broker that answers advertises.
func (a *App) diagnoseListeners(ctx context.Context, d *diagnosis) error {
	c, err := a.client(kgo.RequestRetries(1))
	if err != nil {
		return err
	}
	defer c.Close()
	seed, told, err := a.askSeeds(ctx, c)
	if err != nil {
		return err
	}
	for _, b := range told.Brokers {
		p := probe{seed: seed, broker: b, cluster: told.ClusterID}
		p.run(ctx)
		check := fmt.Sprintf("broker-%d", b.NodeID)
		if p.err == nil {
			d.add(check, fine, "", "%s answers in %s", p.address(), brief(p.took))
			continue
		}
		d.add(check, broken, p.change(ctx, c), "%s cannot be reached: %v", p.address(), p.err)
	}
	return nil
}

// askSeeds asks the brokers of -b for the cluster, in turn, and returns the address of
// the one that answered.
func (a *App) askSeeds(ctx context.Context, c *kgo.Client) (string, *kmsg.MetadataResponse, error) {
	addresses, _ := c.OptValue(kgo.SeedBrokers).([]string)
	var errs []error
	for i, b := range c.SeedBrokers() {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{}
		ask, stop := context.WithTimeout(ctx, dialPatience)
		answer, err := b.Request(ask, req)
		stop()
		if err == nil {
			address := ""
			if i < len(addresses) {
				address = addresses[i]
			}
			return address, answer.(*kmsg.MetadataResponse), nil
		}
		errs = append(errs, err)
	}
	return "", nil, errors.Join(errs...)
}

// probe is the attempt to reach one advertised address.
type probe struct {
	seed    string // the address that did answer
	broker  kmsg.MetadataResponseBroker
	cluster *string
	took    time.Duration
	err     error
}

func (p *probe) address() string {
	return net.JoinHostPort(p.broker.Host, strconv.Itoa(int(p.broker.Port)))
}

// errOther is an address at which something else than the broker answers.
var errOther = errors.New("something else answers there")

func (p *probe) run(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, dialPatience)
	defer stop()
	began := time.Now()
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, p.broker.Host)
	if err != nil {
		p.err = err
		return
	}
	for _, ip := range ips {
		address := net.JoinHostPort(ip.String(), strconv.Itoa(int(p.broker.Port)))
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			p.err = errors.Join(p.err, err)
			continue
		}
		conn.Close()
		p.err = p.recognise(ctx, address)
		p.took = time.Since(began)
		return
	}
}

// recognise asks who answers: it may be another cluster, or no Kafka at all.
func (p *probe) recognise(ctx context.Context, address string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer c.Close()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	answer, err := c.SeedBrokers()[0].Request(ctx, req)
	if err != nil {
		return fmt.Errorf("%w: %w", errOther, err)
	}
	if id := answer.(*kmsg.MetadataResponse).ClusterID; id != nil && p.cluster != nil && *id != *p.cluster {
		return fmt.Errorf("%w: a broker of cluster %s, not %s", errOther, *id, *p.cluster)
	}
	return nil
}

// change says which line to change and why, guessing from how the address failed.
func (p *probe) change(ctx context.Context, c *kgo.Client) string {
	listener, line := p.listener(ctx, c)
	host, port := p.seed, strconv.Itoa(int(p.broker.Port))
	if h, pt, err := net.SplitHostPort(p.seed); err == nil {
		host, port = h, pt
	}
	why := "nothing listens there"
	var dns *net.DNSError
	ip := net.ParseIP(p.broker.Host)
	switch {
	case errors.As(p.err, &dns):
		why = fmt.Sprintf("the name %s is not known here", p.broker.Host)
	case errors.Is(p.err, errOther):
		why = "another server has that address"
	case p.broker.Host == "localhost" || (ip != nil && ip.IsLoopback()):
		why = "clients on other machines and in other containers are told to connect to themselves"
	case ip != nil && ip.IsUnspecified():
		why = "0.0.0.0 is an address to listen on, not one to connect to"
	case errors.Is(p.err, context.DeadlineExceeded):
		why = "it does not answer: a firewall, or an address of another network"
	}
	return fmt.Sprintf("%s. In the configuration of broker %d change %s so that %s is an address that clients reach, as they reached this one: advertised.listeners=%s://%s",
		why, p.broker.NodeID, line, listener, listener, net.JoinHostPort(host, port))
}

// listener finds the listener that advertises the address, and the setting that says so.
// The broker that was asked tells of itself only.
func (p *probe) listener(ctx context.Context, c *kgo.Client) (name, line string) {
	name, line = "PLAINTEXT", "advertised.listeners"
	ctx, stop := context.WithTimeout(ctx, dialPatience)
	defer stop()
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(p.broker.NodeID))
	r.ConfigNames = []string{"advertised.listeners", "listeners"}
	req.Resources = append(req.Resources, r)
	for _, seed := range c.SeedBrokers() {
		answer, err := seed.Request(ctx, req)
		if err != nil {
			continue
		}
		for _, res := range answer.(*kmsg.DescribeConfigsResponse).Resources {
			for _, cfg := range res.Configs {
				if found := p.named(cfg); found != "" {
					return found, cfg.Name + "=" + *cfg.Value
				}
			}
		}
	}
	return name, line
}

// named returns the listener in a list of URLs that has the broker's port and host.
func (p *probe) named(cfg kmsg.DescribeConfigsResponseResourceConfig) string {
	if cfg.Value == nil {
		return ""
	}
	for url := range strings.SplitSeq(*cfg.Value, ",") {
		name, address, _ := strings.Cut(strings.TrimSpace(url), "://")
		host, port, err := net.SplitHostPort(address)
		if err == nil && port == strconv.Itoa(int(p.broker.Port)) && (host == p.broker.Host || host == "" || host == "0.0.0.0") {
			return name
		}
	}
	return ""
}
