// Runs the scenarios with kafkajs.
'use strict'

const { Kafka, logLevel, CompressionTypes, CompressionCodecs, ConfigResourceTypes, AssignerProtocol, PartitionAssigners } = require('kafkajs')
const { codecs: extra } = require('./codecs')

const CLIENT = 'kafkajs'
const EPOCH = 1700000000000 // the timestamp of the first record of positions

Object.assign(CompressionCodecs, extra)

class Skip extends Error {}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

const want = (what, got, wanted) => {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)]
  if (a !== b) throw new Error(`${what}: got ${a}, want ${b}`)
}

const eventually = async (what, get, wanted, limit = 10000) => {
  const end = Date.now() + limit
  let got = await get()
  while (JSON.stringify(got) !== JSON.stringify(wanted) && Date.now() < end) {
    await sleep(30)
    got = await get()
  }
  want(what, got, wanted)
}

// code is the number of the Kafka error that a call ends with, 0 for none.
const code = async (call) => {
  try {
    await call()
    return 0
  } catch (e) {
    for (let x = e; x; x = x.errors ? x.errors[0] : x.cause) {
      if (typeof x.code === 'number') return x.code
    }
    throw e
  }
}

// Scenario is what a scenario is given, and where it says what it saw.
class Scenario {
  constructor(flags, name) {
    this.flaky = flags['--flaky']
    this.copies = Number(flags['--copies'] || 1)
    this.topic = `${CLIENT}.${name}${flags['--suffix'] || ''}`
    this.observed = {}
    this.open = []
    this.kafka = this.client(flags['--bootstrap'])
  }

  client(address) {
    return new Kafka({
      clientId: CLIENT, brokers: address.split(','), logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 30, maxRetryTime: 300, retries: 30 },
    })
  }

  observe(key, value) {
    this.observed[key] = value
  }

  async connect(thing) {
    await thing.connect()
    this.open.push(thing)
    return thing
  }

  admin() {
    return this.connect(this.kafka.admin())
  }

  producer(options = {}, kafka = this.kafka) {
    return this.connect(kafka.producer({ createPartitioner: () => () => 0, ...options }))
  }

  async create(numPartitions, configs = {}) {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    const admin = await this.admin()
    await admin.createTopics({ topics: [{ topic: this.topic, numPartitions, replicationFactor: this.copies, configEntries }] })
    await eventually('partitions', () => this.partitions(admin), numPartitions)
    // Kafka tells of partitions a moment before it serves them, and kafkajs does not try again.
    await eventually('offsets', () => admin.fetchTopicOffsets(this.topic).then((o) => o.length, () => 0), numPartitions)
  }

  async partitions(admin) {
    try {
      return (await admin.fetchTopicMetadata({ topics: [this.topic] })).topics[0].partitions.length
    } catch (e) {
      return -(e.code || 1)
    }
  }

  // member joins the scenario's group; each record goes to seen.
  async member(seen = () => {}, { run = {}, fromBeginning = true, ...options } = {}) {
    const consumer = await this.connect(this.kafka.consumer({
      groupId: this.topic, sessionTimeout: 6000, heartbeatInterval: 200, rebalanceTimeout: 6000, maxWaitTimeInMs: 100,
      maxBytesPerPartition: 8 << 20, ...options,
    }))
    await consumer.subscribe({ topics: [this.topic], fromBeginning })
    await consumer.run({ autoCommit: false, eachMessage: async ({ message }) => seen(message), ...run })
    return consumer
  }

  // read consumes n records of partition 0 from an offset.
  async read(n, from = 0) {
    const got = []
    const consumer = await this.member((m) => got.push(m), { groupId: `${this.topic}-reader-${Math.random()}` })
    if (from !== 0) consumer.seek({ topic: this.topic, partition: 0, offset: String(from) })
    await eventually('records', async () => got.filter((m) => Number(m.offset) >= from).length >= n, true, 20000)
    await consumer.disconnect()
    return got.filter((m) => Number(m.offset) >= from).slice(0, n)
  }

  transactor(options = {}) {
    return this.producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: this.topic, ...options })
  }

  // seen reads n records as the isolation level shows them: their offsets and values.
  async seen(n, committed) {
    const got = []
    const consumer = await this.member((m) => got.push(`${m.offset}:${m.value}`), { groupId: `${this.topic}-reader-${Math.random()}`, readUncommitted: !committed })
    await eventually('records', async () => got.length >= n, true, 20000)
    await consumer.disconnect()
    return got.slice(0, n).join(' ')
  }

  async end() {
    return (await (await this.admin()).fetchTopicOffsets(this.topic))[0].high
  }

  async close() {
    await Promise.all(this.open.map((thing) => thing.disconnect().catch(() => {})))
  }
}

const numbered = (n, text = '') => [...Array(n).keys()].map((i) => ({ value: `${text}${i}` }))

const scenarios = {
  async cluster(s) {
    const d = await (await s.admin()).describeCluster()
    s.observe('brokers', d.brokers.length)
    s.observe('controller', d.controller)
    s.observe('cluster id length', d.clusterId.length)
  },

  async topics(s) {
    const admin = await s.admin()
    const make = (topic, numPartitions, replicationFactor) =>
      code(() => admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor, configEntries: [{ name: 'retention.ms', value: '60000' }] }] }))
    want('create', await make(s.topic, 3, s.copies), 0)
    s.observe('again', await admin.createTopics({ topics: [{ topic: s.topic }] })) // false: it is there
    s.observe('three copies', await make(`${s.topic}.x`, 1, 3))
    s.observe('bad name', await make('not a name!', 1, 1))
    await eventually('partitions', () => s.partitions(admin), 3)
    const grow = (count) => code(() => admin.createPartitions({ topicPartitions: [{ topic: s.topic, count }] }))
    want('add partitions', await grow(5), 0)
    s.observe('fewer partitions', await grow(2))
    await eventually('partitions', () => s.partitions(admin), 5)
    want('listed', (await admin.listTopics()).includes(s.topic), true)
    await admin.deleteTopics({ topics: [s.topic] })
    await eventually('listed after', async () => (await admin.listTopics()).includes(s.topic), false)
  },

  async configs(s) {
    await s.create(1, { 'cleanup.policy': 'delete' })
    const admin = await s.admin()
    const resource = { type: ConfigResourceTypes.TOPIC, name: s.topic }
    const describe = async (key) => {
      const r = await admin.describeConfigs({ resources: [resource], includeSynonyms: true })
      const e = r.resources[0].configEntries.find((c) => c.configName === key)
      return `${e.configValue} ${e.configSource}`
    }
    const alter = (name, value) => code(() => admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name, value }] }] }))
    s.observe('default', await describe('retention.ms'))
    want('set', await alter('retention.ms', '123456'), 0)
    await eventually('after set', () => describe('retention.ms'), '123456 1')
    s.observe('wrong value', await alter('retention.ms', 'soon'))
    s.observe('unknown key', await alter('no.such.key', '1'))
    await eventually('the rest is replaced', () => describe('cleanup.policy'), 'delete 5')
  },

  async acks(s) {
    await s.create(1)
    for (const acks of [0, 1, -1]) {
      await (await s.producer()).send({ topic: s.topic, acks, messages: numbered(30) })
      await s.read(30) // what acks 0 sent may still be on its way
    }
    const got = await s.read(90)
    got.forEach((m, i) => want('record', [m.offset, String(m.value)], [String(i), String(i % 30)]))
  },

  async codecs(s) {
    await s.create(1)
    const text = 'the spool of thread '.repeat(20)
    const names = ['None', 'GZIP', 'Snappy', 'ZSTD']
    for (const name of names) {
      await (await s.producer()).send({ topic: s.topic, compression: CompressionTypes[name], messages: numbered(50, text) })
    }
    const got = await s.read(200)
    got.forEach((m, i) => want('value', String(m.value), `${text}${i % 50}`))
    s.observe('read back', names)
    s.note = 'no LZ4: kafkajs needs native code for it'
  },

  async headers(s) {
    await s.create(1)
    const headers = { a: ['1', '2'], empty: '', é: Buffer.from([0, 255]) }
    await (await s.producer()).send({ topic: s.topic, messages: [{ value: 'v', headers }] })
    const got = (await s.read(1))[0].headers
    want('a', got.a.map(String), ['1', '2'])
    s.observe('headers', JSON.stringify(got))
  },

  async nulls(s) {
    await s.create(1)
    const pairs = [[null, null], ['k', null], [null, 'v'], ['', ''], ['k', 'v']]
    await (await s.producer()).send({ topic: s.topic, messages: pairs.map(([key, value]) => ({ key, value })) })
    const text = (b) => (b === null ? null : String(b))
    const got = (await s.read(pairs.length)).map((m) => [text(m.key), text(m.value)])
    want('records', got, pairs)
    s.observe('records', got)
  },

  async big(s) {
    await s.create(1)
    const value = Buffer.from(Array.from({ length: 1000000 }, (_, i) => (i * 7) & 255))
    const producer = await s.producer({ retry: { retries: 0 } })
    await producer.send({ topic: s.topic, messages: [{ value }] })
    want('code of 2 MiB', await code(() => producer.send({ topic: s.topic, messages: [{ value: Buffer.alloc(2 << 20) }] })), 10)
    want('same bytes', (await s.read(1))[0].value.equals(value), true)
  },

  async idempotent(s) {
    await s.create(1)
    const producer = await s.producer({ idempotent: true, maxInFlightRequests: 1 }, s.client(s.flaky))
    for (let i = 0; i < 1000; i += 50) {
      await producer.send({ topic: s.topic, acks: -1, messages: numbered(1000).slice(i, i + 50) })
    }
    const got = await s.read(1000)
    got.forEach((m, i) => want('record', [m.offset, String(m.value)], [String(i), String(i)]))
    want('end', (await (await s.admin()).fetchTopicOffsets(s.topic))[0].high, '1000')
  },

  async positions(s) {
    await s.create(1, { 'retention.ms': '-1' })
    const producer = await s.producer()
    for (let i = 0; i < 100; i += 10) {
      const messages = numbered(100).map((m, j) => ({ ...m, timestamp: String(EPOCH + j * 1000) })).slice(i, i + 10)
      await producer.send({ topic: s.topic, messages })
    }
    want('from start', (await s.read(1))[0].offset, '0')
    want('from offset', (await s.read(1, 40))[0].offset, '40')
    const admin = await s.admin()
    const at = async (ms) => (await admin.fetchTopicOffsetsByTimestamp(s.topic, ms))[0].offset
    want('from timestamp', await at(EPOCH + 60500), '61')
    s.observe('after the last', await at(EPOCH + 1000000))
    const { partition, ...offsets } = (await admin.fetchTopicOffsets(s.topic))[0]
    s.observe('offsets', offsets)
    const got = []
    await s.member((m) => got.push(m.offset), { fromBeginning: false })
    await eventually('a record from the end', async () => {
      if (got.length === 0) await producer.send({ topic: s.topic, messages: numbered(1) })
      return got.length > 0
    }, true)
    want('from end, at least 100', Number(got[0]) >= 100, true)
  },

  async group(s) {
    await s.create(4)
    const admin = await s.admin()
    const one = await s.member()
    let two = await s.member()
    s.observe('protocol', (await awaitGroup(s, admin, [2, 2])).protocol)
    await two.disconnect()
    await awaitGroup(s, admin, [4])
    two = await s.member()
    await awaitGroup(s, admin, [2, 2])
    await one.disconnect()
    await two.disconnect()
    s.observe('state at the end', (await admin.describeGroups([s.topic])).groups[0].state)
  },

  async static() {
    throw new Skip('kafkajs has no static membership')
  },

  async commit(s) {
    await s.create(1)
    await (await s.producer()).send({ topic: s.topic, messages: numbered(50) })
    const first = async (n, act = async () => {}) => {
      const got = []
      const consumer = await s.member((m) => got.push(m.offset))
      await act(consumer)
      await eventually('records', async () => got.length >= n, true, 20000)
      return [consumer, got]
    }
    const [one, got] = await first(10)
    want('first', got[0], '0')
    await one.commitOffsets([{ topic: s.topic, partition: 0, offset: '10', metadata: 'a note' }])
    await one.disconnect()
    const [two, after] = await first(1)
    want('after commit', after[0], '10')
    two.seek({ topic: s.topic, partition: 0, offset: '5' })
    await eventually('after seek', async () => after.includes('5'), true)
    const admin = await s.admin()
    s.observe('committed', (await admin.fetchOffsets({ groupId: s.topic, topics: [s.topic] }))[0].partitions)
    await two.disconnect()
    want('delete', await code(() => admin.deleteGroups([s.topic])), 0)
    s.observe('delete again', await code(async () => {
      try {
        await admin.deleteGroups([s.topic])
      } catch (e) {
        throw e.groups ? e.groups[0].error : e
      }
    }))
  },

  async trim(s) {
    await s.create(1)
    await (await s.producer()).send({ topic: s.topic, messages: numbered(100) })
    const admin = await s.admin()
    const cut = (offset) => admin.deleteTopicRecords({ topic: s.topic, partitions: [{ partition: 0, offset }] })
    want('start', (await admin.fetchTopicOffsets(s.topic))[0].low, '0') // it also makes kafkajs know the topic
    await cut('30')
    want('start', (await admin.fetchTopicOffsets(s.topic))[0].low, '30')
    want('first record', (await s.read(1))[0].offset, '30')
    await cut('-1')
    want('start', (await admin.fetchTopicOffsets(s.topic))[0].low, '100')
  },

  async compact(s) {
    await s.create(1, { 'cleanup.policy': 'compact', 'segment.ms': '100', 'min.cleanable.dirty.ratio': '0.01', 'delete.retention.ms': '100' })
    const producer = await s.producer()
    const put = (key, value) => producer.send({ topic: s.topic, messages: [{ key, value }] })
    for (let i = 0; i < 40; i++) await put(`k${i % 4}`, String(i))
    await put('k3', null)
    for (let end = 41; ; end++) {
      await sleep(300) // the next record rolls the segment: by then its time has passed
      await put('tick', String(end))
      const got = []
      const consumer = await s.member((m) => got.push(m), { groupId: `${s.topic}-${end}` })
      await eventually('the last record', async () => got.some((m) => m.offset === String(end)), true, 20000)
      await consumer.disconnect()
      const kept = Object.fromEntries(got.map((m) => [String(m.key), String(m.value)]))
      want('kept', [kept.k0, kept.k1, kept.k2], ['36', '37', '38'])
      if (got.length < 10 && !('k3' in kept)) {
        s.observe('the tombstone went', true)
        return
      }
    }
  },

  async transactions(s) {
    await s.create(1)
    const p = await s.transactor()
    await within(s, p, 'a', 3, 'commit')
    await within(s, p, 'b', 3, 'abort')
    await within(s, p, 'c', 2, 'commit')
    want('committed', await s.seen(5, true), '0:a0 1:a1 2:a2 8:c0 9:c1')
    want('uncommitted', await s.seen(8, false), '0:a0 1:a1 2:a2 4:b0 5:b1 6:b2 8:c0 9:c1')
    want('end', await s.end(), '11')
  },

  async isolation(s) {
    await s.create(1)
    const p = await s.transactor()
    const plain = await s.producer()
    await plain.send({ topic: s.topic, messages: named('x', 2) })
    const txn = await p.transaction()
    await txn.send({ topic: s.topic, messages: named('a', 2) })
    await plain.send({ topic: s.topic, messages: named('y', 2) })
    want('committed while it is open', await s.seen(2, true), '0:x0 1:x1')
    want('uncommitted while it is open', await s.seen(6, false), '0:x0 1:x1 2:a0 3:a1 4:y0 5:y1')
    await txn.abort()
    want('committed after the abort', await s.seen(4, true), '0:x0 1:x1 4:y0 5:y1')
  },

  async fencing(s) {
    await s.create(1)
    const zombie = await s.transactor()
    await within(s, zombie, 'a', 1, 'commit')
    const txn = await zombie.transaction()
    await txn.send({ topic: s.topic, messages: named('z', 2) })
    const p = await s.transactor() // aborts what the other one left
    await within(s, p, 'b', 2, 'commit')
    s.observe("a zombie's late write", await code(() => txn.send({ topic: s.topic, messages: named('late', 1) })))
    want('its end is refused', (await code(() => txn.commit())) !== 0, true)
    want('committed', await s.seen(3, true), '0:a0 5:b0 6:b1')
    want('uncommitted', await s.seen(5, false), '0:a0 2:z0 3:z1 5:b0 6:b1')
    want('end', await s.end(), '8')
  },

  async expiry(s) {
    await s.create(1)
    const p = await s.transactor({ transactionTimeout: 3000 })
    const txn = await p.transaction()
    await txn.send({ topic: s.topic, messages: named('a', 1) })
    await eventually('closed by time', () => s.end(), '2')
    s.observe('a late write', await code(() => txn.send({ topic: s.topic, messages: named('late', 1) })))
    want('a late commit is refused', (await code(() => txn.commit())) !== 0, true)
    await within(s, await s.transactor(), 'b', 1, 'commit')
    want('committed', await s.seen(1, true), '2:b0')
  },

  async pipeline(s) {
    await s.create(1)
    await (await s.producer()).send({ topic: s.topic, messages: numbered(20) })
    const source = s.topic
    s.topic += '.out'
    await s.create(1)
    const p = await s.transactor({ transactionalId: source })
    for (let from = 0, round = 0; from < 20; round++) {
      const txn = await p.transaction()
      await txn.send({ topic: s.topic, messages: numbered(from + 5).slice(from).map((m) => ({ value: `<${m.value}>` })) })
      await txn.sendOffsets({ consumerGroupId: source, topics: [{ topic: source, partitions: [{ partition: 0, offset: String(from + 5) }] }] })
      if (round === 1) { // given up, and done again
        await txn.abort()
        continue
      }
      await txn.commit()
      from += 5
    }
    const values = (await s.seen(20, true)).split(' ').map((v) => v.split(':')[1])
    want('values', values, numbered(20).map((m) => `<${m.value}>`))
    const kept = await (await s.admin()).fetchOffsets({ groupId: source, topics: [source] })
    want('committed offset', kept[0].partitions[0].offset, '20')
  },
}

const named = (prefix, n) => numbered(n, prefix)

// within does a transaction of n records, PREFIX0 to PREFIXn, and ends it.
const within = async (s, producer, prefix, n, end) => {
  const txn = await producer.transaction()
  await txn.send({ topic: s.topic, messages: named(prefix, n) })
  await txn[end]()
}

const awaitGroup = async (s, admin, counts) => {
  let group
  await eventually(`members with ${counts}`, async () => {
    group = (await admin.describeGroups([s.topic])).groups[0]
    if (group.state !== 'Stable') return group.state
    return group.members.map((m) => {
      const a = AssignerProtocol.MemberAssignment.decode(m.memberAssignment)
      return a ? Object.values(a.assignment).flat().length : 0
    }).sort()
  }, counts, 30000)
  return group
}

const run = async (flags, name) => {
  const line = { client: CLIENT, scenario: name, status: 'ok' }
  const began = Date.now()
  const s = new Scenario(flags, name)
  let timer
  const limit = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error('did not end within its time')), 60000)
  })
  try {
    if (!scenarios[name]) throw new Skip('the client has no call for it')
    await Promise.race([scenarios[name](s), limit])
    if (s.note) line.reason = s.note
  } catch (e) {
    line.status = e instanceof Skip ? 'skip' : 'fail'
    line.reason = e instanceof Skip ? e.message : String(e)
  }
  clearTimeout(timer)
  await Promise.race([s.close(), sleep(5000)])
  process.stdout.write(`${JSON.stringify({ ...line, millis: Date.now() - began, observed: s.observed })}\n`)
}

const main = async () => {
  const flags = {}
  const names = []
  const args = process.argv.slice(2)
  while (args.length) {
    const a = args.shift()
    if (a.startsWith('--')) flags[a] = args.shift()
    else names.push(a)
  }
  for (const name of names.length ? names : Object.keys(scenarios)) await run(flags, name)
  process.exit(0)
}

main()
