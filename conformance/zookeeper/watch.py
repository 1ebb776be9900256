"""Watches the brokers as ZooKeeper's clients do: a line of JSON for each change."""

import json
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NotReadOnlyCallError


def say(**what):
    print(json.dumps(what), flush=True)


client = KazooClient(hosts=sys.argv[1])
client.start(timeout=60)


@client.ChildrenWatch("/brokers/ids")
def brokers(ids):
    say(ids=sorted(ids))


@client.DataWatch("/controller")
def controller(data, stat):
    say(controller=None if data is None else json.loads(data)["brokerid"])


try:
    client.create("/brokers/ids/7", b"{}", ephemeral=True)
    say(created="/brokers/ids/7")
except NotReadOnlyCallError:
    say(refused="/brokers/ids/7")
say(version=client.server_version()[:2])
sys.stdin.read()
client.stop()
