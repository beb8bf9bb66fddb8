// The scenario with @platformatic/kafka; murmur2 in Java's form is configured. Its streams read ahead and have no
// revoke hook that waits, so a member commits often, forgets at a rebalance what it has not committed, and drops
// what the stream has buffered of partitions that it lost, also when it has got them back meanwhile: the buffer may
// hold thousands of records of an assignment several generations ago. The group starts with committed zeros: where
// nothing is committed, a stream of 2.12.1 goes on behind the dropped records when it gets a partition back.
import { Admin, Consumer, Producer, MessagesStreamModes, MessagesStreamFallbackModes, stringDeserializers, stringSerializers, compatibilityPartitioner } from '@platformatic/kafka'
import * as s from './scenario.mjs'

const base = (clientId) => ({ clientId, bootstrapBrokers: [s.broker] })
const admin = new Admin(base('admin'))

async function create () {
  await admin.createTopics({ topics: s.topics, partitions: s.partitions, replicas: 1 })
  await s.settle()
  try {
    await admin.createTopics({ topics: [s.topics[0]], partitions: 1, replicas: 1 })
  } catch (refused) {
    return `second create refused: ${refused.code ?? refused.name}`
  }
  throw new Error('a topic was created twice')
}

async function produce (codec) {
  const producer = new Producer({ ...base('producer'), serializers: stringSerializers, partitioner: compatibilityPartitioner, idempotent: true })
  for (let from = 0; from < s.records; from += 1000) {
    const messages = Array.from({ length: Math.min(1000, s.records - from) }, (_, i) => ({ topic: s.topic(codec), key: s.key(from + i), value: s.value(codec, from + i), headers: { suite: 'interop' } }))
    const { offsets } = await producer.send({ messages, acks: -1, compression: codec })
    s.expect(offsets.length > 0 && offsets.every((o) => o.offset >= 0n), 'no offset came back')
  }
  await producer.close()
  return 'acks=all, idempotent'
}

class Member {
  assigned = 0
  #done = new Map()
  #next = new Map()
  #held = new Map() // of each partition: the generation that gave it, and the offset from which its stream went on

  constructor (name, groupId, groupProtocol, pace) {
    this.name = name
    this.pace = pace
    const times = groupProtocol === 'classic' ? { heartbeatInterval: 300, sessionTimeout: 30_000, rebalanceTimeout: 45_000 } : {}
    this.consumer = new Consumer({ ...base(name), groupId, groupProtocol, ...times, deserializers: stringDeserializers, maxWaitTime: 200 })
    this.watch = setInterval(() => { this.assigned = (this.consumer.assignments ?? []).reduce((sum, a) => sum + a.partitions.length, 0) }, 10)
    for (const event of ['consumer:group:rebalance', 'consumer:group:join']) this.consumer.on(event, () => this.#done.clear())
    this.consumer.on('consumer:group:join', () => this.#take())
    this.consumer.on('error', (problem) => {
      console.error(this.name, this.stopping ? 'while it stopped' : 'while it ran', problem)
      if (!this.stopping) this.problem = problem
    })
    this.running = this.run().catch((problem) => { this.problem = problem })
  }

  async run () {
    this.stream = await this.consumer.consume({
      topics: s.topics, autocommit: false, mode: MessagesStreamModes.COMMITTED, fallbackMode: MessagesStreamFallbackModes.EARLIEST,
      highWaterMark: 100, maxBytesPerPartition: 16_384
    })
    this.stream.on('offsets', () => this.#begin())
    this.#take()
    this.#begin()
    let count = 0
    for await (const message of this.stream) {
      const { topic, partition, offset } = message
      const place = `${topic}/${partition}`
      if (this.stopping) break
      if (this.#isStale(place, message)) continue
      s.expect(message.headers.size === 1, 'the header is missing')
      const next = this.#next.get(place) ?? 0n
      this.#next.set(place, offset < next ? next : offset + 1n)
      this.#done.set(place, { topic, partition, offset: this.#next.get(place), leaderEpoch: -1 })
      if (offset < next) continue // the stream has fetched it twice
      await this.pace.read(this.name, topic, partition, Number(offset), message.key, message.value)
      if (++count % 100 === 0) await this.commit()
    }
    await this.commit()
  }

  #take () {
    const generation = this.consumer.generationId
    const places = (this.consumer.assignments ?? []).flatMap((a) => a.partitions.map((p) => `${a.topic}/${p}`))
    this.#held = new Map(places.map((place) => [place, this.#held.get(place) ?? { generation }]))
  }

  #begin () {
    for (const [place, held] of this.#held) {
      if (held.generation === this.consumer.generationId) held.from = this.stream.offsetsToFetch.get(place.replace('/', ':'))
    }
  }

  /** Whether the stream has fetched it for an assignment that ended. */
  #isStale (place, { offset, metadata }) {
    const held = this.#held.get(place)
    return held?.from === undefined || metadata.consumer.generationId < held.generation || offset < held.from
  }

  owns (topic, partition) { return this.#held.has(`${topic}/${partition}`) }

  async commit () {
    const offsets = [...this.#done.values()].filter((o) => this.owns(o.topic, o.partition))
    this.#done.clear()
    if (!offsets.length) return
    const generation = this.consumer.generationId
    try {
      await this.consumer.commit({ offsets })
    } catch (refused) { // a rebalance came first; these records are read again
      console.error(this.name, 'commit refused', refused.errors?.map(String) ?? refused)
      return
    }
    // A commit that a rebalance refused was sent again by the library, in its new generation and for all partitions.
    const kept = (o) => this.consumer.generationId === generation || this.#held.get(`${o.topic}/${o.partition}`)?.generation <= generation
    for (const o of offsets) this.pace.event(kept(o) ? 'C' : 'P', this.name, o.topic, o.partition, o.offset)
  }

  async stop () {
    this.stopping = true
    await Promise.all([this.stream?.close(), this.running])
    clearInterval(this.watch)
    await this.consumer.close(true)
  }
}

async function describeMembers (group, alive) {
  const found = (await admin.describeGroups({ groups: [group] })).get(group)
  s.expect(found.members.size === alive, `describe shows ${found.members.size} members, ${alive} alive`)
  return `described: ${alive} members, ${found.state}`
}

async function topics () {
  const listed = await admin.listTopics()
  const metadata = await admin.metadata({ topics: s.topics })
  for (const name of s.topics) s.expect(listed.includes(name) && metadata.topics.get(name).partitionsCount === s.partitions, `${name} is not right`)
  return `cluster ${metadata.id}, ${metadata.brokers.size} brokers`
}

async function groups () {
  const found = (await admin.listGroups()).get(s.groupName())
  s.expect(found, 'the group is not listed')
  return describeMembers(s.groupName(), 0)
}

async function offsets () {
  const ask = (timestamp) => admin.listOffsets({ topics: s.topics.map((name) => ({ name, partitions: Array.from({ length: s.partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp })) })) })
  const flat = (list) => new Map(list.flatMap((t) => t.partitions.map((p) => [`${t.name}-${p.partitionIndex}`, p.offset ?? p.committedOffset])))
  const ends = flat(await ask(-1n))
  const starts = flat(await ask(0n))
  const committed = flat((await admin.listConsumerGroupOffsets({ groups: [s.groupName()] }))[0].topics)
  let total = 0n
  for (const [place, end] of ends) {
    s.expect(committed.get(place) === end, `${place}: committed ${committed.get(place)}, end ${end}`)
    s.expect(starts.get(place) === 0n, 'first by time is not 0')
    total += end
  }
  return `${total} at the end`
}

async function configs () {
  const resource = { resourceType: 2, resourceName: s.topics[0] }
  await admin.incrementalAlterConfigs({ resources: [{ ...resource, configs: [{ name: 'retention.ms', configOperation: 0, value: '86400001' }] }] })
  await s.settle()
  const { configs } = (await admin.describeConfigs({ resources: [{ ...resource, configurationKeys: null }] }))[0]
  s.expect(configs.find((c) => c.name === 'retention.ms').value === '86400001', 'retention.ms was not set')
  return `${configs.length} topic keys, IncrementalAlterConfigs`
}

async function remove () {
  const scratch = s.topic('scratch')
  await admin.createTopics({ topics: [scratch], partitions: 1, replicas: 1 })
  await s.settle()
  await admin.createPartitions({ topics: [{ name: scratch, count: 3, assignments: null }] })
  await s.until('three partitions', async () => (await admin.metadata({ topics: [scratch], forceUpdate: true })).topics.get(scratch).partitionsCount === 3)
  await admin.deleteTopics({ topics: [scratch] })
  await s.until('it is gone', async () => !(await admin.listTopics()).includes(scratch))
  return 'partitions added, topic deleted'
}

async function runGroup (describe, protocol, suffix) {
  const partitionOffsets = Array.from({ length: s.partitions }, (_, partition) => ({ partition, offset: 0n }))
  await admin.alterConsumerGroupOffsets({ groupId: s.groupName(protocol), topics: s.topics.map((name) => ({ name, partitionOffsets })) })
  await s.runGroup((...given) => new Member(...given), describe, protocol, suffix)
}

await s.step('create', create)
for (const codec of s.codecs) await s.step(`produce.${codec}`, () => produce(codec))
await runGroup((group) => describeMembers(group, 1))
if (s.kip848) await runGroup(async () => 'not described: its admin client has no ConsumerGroupDescribe', 'consumer', '@consumer')
await s.step('admin.topics', topics)
await s.step('admin.groups', groups)
await s.step('admin.offsets', offsets)
await s.step('admin.configs', configs)
await s.step('admin.delete', remove)
process.exit(0)
