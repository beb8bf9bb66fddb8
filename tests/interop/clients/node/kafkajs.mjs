// The scenario with kafkajs. Codecs: gzip is its own, snappy its plug-in kafkajs-snappy, lz4 and zstd through the
// same plug-in interface by @platformatic/wasm-utils and by Node itself.
import zlib from 'node:zlib'
import kafkajs from 'kafkajs'
import SnappyCodec from 'kafkajs-snappy'
import { lz4Compress, lz4Decompress } from '@platformatic/wasm-utils'
import { runTransactions } from './kafkajs-transactions.mjs'
import * as s from './scenario.mjs'

const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, Partitioners, logLevel } = kafkajs
const types = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }
CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => lz4Compress(encoder.buffer),
  decompress: async (buffer) => lz4Decompress(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => zlib.zstdCompressSync(encoder.buffer),
  decompress: async (buffer) => zlib.zstdDecompressSync(buffer)
})

const kafka = (clientId) => new Kafka({ clientId, brokers: [s.broker], logLevel: logLevel.WARN, logCreator: () => (entry) => console.error(JSON.stringify(entry)) })
const admin = kafka('admin').admin()

async function create () {
  s.expect(await admin.createTopics({ topics: s.topics.map((topic) => ({ topic, numPartitions: s.partitions, replicationFactor: 1 })) }), 'nothing was created')
  await s.settle()
  s.expect(!(await admin.createTopics({ topics: [{ topic: s.topics[0], numPartitions: 1, replicationFactor: 1 }] })), 'a topic was created twice')
  return 'second create refused'
}

async function produce (codec) {
  const producer = kafka('producer').producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  for (let from = 0; from < s.records; from += 1000) {
    const messages = Array.from({ length: Math.min(1000, s.records - from) }, (_, i) => ({ key: s.key(from + i), value: s.value(codec, from + i), headers: { suite: 'interop' } }))
    const answers = await producer.send({ topic: s.topic(codec), compression: types[codec], acks: -1, messages })
    for (const answer of answers) s.expect(answer.errorCode === 0 && Number(answer.baseOffset) >= 0, 'no offset came back')
  }
  await producer.disconnect()
  return 'acks=all'
}

function start (name, groupId, _, pace) {
  const consumer = kafka(name).consumer({ groupId, heartbeatInterval: 300, sessionTimeout: 30_000, maxBytesPerPartition: 16_384, maxWaitTimeInMs: 200 })
  const member = {
    assigned: 0,
    epoch: 0,
    async stop () {
      member.stopping = true
      await member.batch?.catch(() => {}) // a commit after disconnect() would be passed over in silence; a rebalance ends a batch
      await consumer.disconnect()
    }
  }
  // kafkajs may join again beside a batch that is still handled: what was read before then is not committed any more.
  consumer.on(consumer.events.REBALANCING, () => { member.epoch++ })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    member.assigned = Object.values(payload.memberAssignment).reduce((sum, list) => sum + list.length, 0)
    pace.event('A', name, member.assigned)
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) member.problem = payload.error
  })
  const eachBatch = (given) => { // the member's own promise, so that stop() can wait for it
    member.batch = handle(given)
    member.batch.catch(() => {})
    return member.batch
  }
  async function handle ({ batch, resolveOffset, heartbeat, isRunning, isStale }) {
    const { topic, partition } = batch
    const epoch = member.epoch
    let next
    const commit = async () => {
      if (next === undefined || epoch !== member.epoch) return
      await consumer.commitOffsets([{ topic, partition, offset: String(next) }])
      pace.event('C', name, topic, partition, next)
      next = undefined
    }
    let count = 0
    for (const message of batch.messages) {
      if (!isRunning() || isStale() || member.stopping || epoch !== member.epoch) break
      s.expect(message.headers.suite, 'the header is missing')
      await pace.read(name, topic, partition, Number(message.offset), message.key.toString(), message.value.toString())
      next = Number(message.offset) + 1
      resolveOffset(message.offset)
      if (++count % 20 === 0) {
        try {
          await heartbeat()
        } catch (rebalance) {
          await commit()
          throw rebalance
        }
      }
    }
    await commit()
  }
  const run = async () => {
    await consumer.connect()
    await consumer.subscribe({ topics: s.topics, fromBeginning: true })
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch })
  }
  run().catch((problem) => { member.problem = problem })
  return member
}

async function describeMembers (group, alive) {
  const found = (await admin.describeGroups([group])).groups[0]
  s.expect(found.errorCode === 0 && found.members.length === alive, `describe shows ${found.members.length} members, ${alive} alive`)
  return `described: ${alive} members, ${found.state}`
}

async function topics () {
  const listed = await admin.listTopics()
  const { topics } = await admin.fetchTopicMetadata({ topics: s.topics })
  for (const { name, partitions } of topics) s.expect(listed.includes(name) && partitions.length === s.partitions, `${name} has ${partitions.length} partitions`)
  const cluster = await admin.describeCluster()
  s.expect(cluster.brokers.length > 0, 'no brokers')
  return `cluster ${cluster.clusterId}`
}

async function groups () {
  const { groups } = await admin.listGroups()
  s.expect(groups.some((g) => g.groupId === s.groupName() && g.protocolType === 'consumer'), 'the group is not listed')
  return describeMembers(s.groupName(), 0)
}

async function offsets () {
  let total = 0
  const committed = new Map((await admin.fetchOffsets({ groupId: s.groupName(), topics: s.topics })).map((t) => [t.topic, t.partitions]))
  for (const name of s.topics) {
    const ends = await admin.fetchTopicOffsets(name)
    const starts = await admin.fetchTopicOffsetsByTimestamp(name, 0)
    for (const { partition, offset } of ends) {
      const have = committed.get(name).find((p) => p.partition === partition).offset
      s.expect(have === offset, `${name}-${partition}: committed ${have}, end ${offset}`)
      s.expect(starts.find((p) => p.partition === partition).offset === '0', 'first by time is not 0')
      total += Number(offset)
    }
  }
  return `${total} at the end`
}

async function configs () {
  const resource = { type: ConfigResourceTypes.TOPIC, name: s.topics[0] }
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '86400001' }] }] })
  await s.settle()
  const { configEntries } = (await admin.describeConfigs({ includeSynonyms: true, resources: [resource] })).resources[0]
  const found = configEntries.find((e) => e.configName === 'retention.ms')
  s.expect(found.configValue === '86400001' && !found.isDefault, `retention.ms is ${found.configValue}`)
  return `${configEntries.length} topic keys, AlterConfigs`
}

async function remove () {
  const scratch = s.topic('scratch')
  const count = async () => (await admin.fetchTopicMetadata({ topics: [scratch] })).topics[0].partitions.length
  await admin.createTopics({ topics: [{ topic: scratch, numPartitions: 1, replicationFactor: 1 }] })
  await s.settle()
  await admin.createPartitions({ topicPartitions: [{ topic: scratch, count: 3 }] })
  await s.until('three partitions', async () => await count() === 3)
  await admin.deleteTopics({ topics: [scratch] })
  await s.until('it is gone', async () => !(await admin.listTopics()).includes(scratch))
  return 'partitions added, topic deleted'
}

await admin.connect()
await s.step('create', create)
for (const codec of s.codecs) await s.step(`produce.${codec}`, () => produce(codec))
await s.runGroup(start, (group) => describeMembers(group, 1))
await s.step('admin.topics', topics)
await s.step('admin.groups', groups)
await s.step('admin.offsets', offsets)
await s.step('admin.configs', configs)
await s.step('admin.delete', remove)
await runTransactions(kafka, admin)
process.exit(0)
