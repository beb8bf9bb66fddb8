// The transactional scenario with kafkajs (its plan: driver/scenario.py, Txn). It has no consumer without a group and
// no group metadata within transactions (KIP-447): readers get groups of their own, the group is told by its name.
import { openSync, writeSync } from 'node:fs'
import * as s from './scenario.mjs'

const partitions = 3
const size = 12
const ends = 40
const [fenced, fencer, open, abandoned, after, last] = [40, 41, 42, 43, 44, 45]
const batchSize = 40
const lives = 3
const input = `${s.prefix}-txn-in`
const output = `${s.prefix}-txn-out`
const group = `${s.prefix}-txn-group`
const refusals = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_TXN_STATE']
const recordsOf = (number) => Array.from({ length: size }, (_, i) => ({ partition: i % partitions, value: `${number}:${i}` }))

export async function runTransactions (kafka, admin) {
  const events = openSync(`${process.env.INTEROP_EVENTS}@txn`, 'w')
  const told = (...fields) => writeSync(events, fields.join('\t') + '\n')
  let committed = 0 // records in the input, not counting what is aborted

  async function newProducer (name, transactionTimeout = 60_000) {
    const producer = kafka(name).producer({ transactionalId: `${s.prefix}-${name}`, idempotent: true, maxInFlightRequests: 1, transactionTimeout })
    await producer.connect()
    return producer
  }

  async function end (transaction, number, commit) {
    await (commit ? transaction.commit() : transaction.abort())
    if (commit && number !== last) committed += size
    told('E', number, commit ? 'commit' : 'abort')
  }

  async function transact (producer, topic, number, commit = true) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: recordsOf(number) })
    await end(transaction, number, commit)
  }

  /** A commit that must not succeed any more. */
  async function refused (transaction, number, fate) {
    try {
      await transaction.commit()
    } catch (refusal) {
      s.expect(refusals.includes(refusal.type), `refused with ${refusal}`)
      told('E', number, fate)
      return refusal.type
    }
    throw new Error(`transaction ${number} was committed`)
  }

  const [x, y] = [await newProducer('x'), await newProducer('y')]

  async function runEnds () {
    for (let t = 0; t < ends; t += 2) {
      const [outer, inner] = [await x.transaction(), await y.transaction()]
      await outer.send({ topic: input, messages: recordsOf(t).slice(0, size / 2) })
      await inner.send({ topic: input, messages: recordsOf(t + 1) })
      await outer.send({ topic: input, messages: recordsOf(t).slice(size / 2) })
      await end(inner, t + 1, (t + 1) % 3 !== 1)
      await end(outer, t, t % 3 !== 1)
    }
    await transact(x, input, open, false)
    return `${ends} transactions, each opened within another`
  }

  async function runFence () {
    const first = await (await newProducer('f')).transaction()
    await first.send({ topic: input, messages: recordsOf(fenced) })
    await transact(await newProducer('f'), input, fencer)
    return refused(first, fenced, 'fenced')
  }

  /** Hands records to `take` until it says that it has enough. */
  async function consume (isolation, groupId, topic, take) {
    const consumer = kafka(groupId).consumer({ groupId, readUncommitted: isolation === 'uncommitted', heartbeatInterval: 300, maxWaitTimeInMs: 100 })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    let over = false
    let problem
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async ({ batch, resolveOffset }) => {
        for (let from = 0; from < batch.messages.length && !over; from += batchSize) {
          const messages = batch.messages.slice(from, from + batchSize)
          try {
            over = await take(batch.partition, messages)
          } catch (failed) {
            problem = failed
            over = true
          }
          if (!over) resolveOffset(messages.at(-1).offset)
        }
      }
    })
    try {
      await s.until(`enough of ${topic} is read`, () => over)
    } finally {
      await consumer.disconnect()
    }
    if (problem) throw problem
  }

  let readers = 0
  /** Reads all partitions of a topic up to the last record of a transaction. */
  async function read (isolation, topic, number, noted = true) {
    const wanted = new Set(recordsOf(number).slice(-partitions).map((r) => r.value))
    let count = 0
    await consume(isolation, `${group}-reader-${readers++}`, topic, async (partition, messages) => {
      for (const message of messages) {
        const value = message.value.toString()
        if (noted) told('R', isolation, topic, partition, message.offset, value)
        wanted.delete(value)
        count++
      }
      return wanted.size === 0
    })
    return count
  }

  /** A reader of committed records gets past an abandoned transaction only when the broker has ended it. */
  async function runTimeout () {
    const transaction = await (await newProducer('z', 2000)).transaction()
    await transaction.send({ topic: input, messages: recordsOf(abandoned) })
    await transact(x, input, after)
    await read('committed', input, after, false)
    return refused(transaction, abandoned, 'expired')
  }

  async function runTransform () {
    const producer = await newProducer('transform')
    let done = 0
    let aborted = 0
    for (let life = 1; life <= lives; life++) {
      const goal = Math.floor(committed * life / lives)
      await consume('committed', group, input, async (partition, messages) => {
        const commit = done < goal
        const transaction = await producer.transaction()
        await transaction.send({ topic: output, messages: messages.map((m) => ({ partition, value: `out:${m.value}` })) })
        const offset = String(Number(messages.at(-1).offset) + 1)
        await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic: input, partitions: [{ partition, offset }] }] })
        await (commit ? transaction.commit() : transaction.abort())
        if (commit) done += messages.length
        else aborted += messages.length
        return !commit || done === committed
      })
    }
    s.expect(done === committed, `${done} of ${committed} were handed out`)
    await transact(x, output, last)
    return `${done} records, and ${aborted} in vain`
  }

  async function runRead () {
    const counts = []
    for (const isolation of ['committed', 'uncommitted']) {
      counts.push(`${await read(isolation, input, after)}+${await read(isolation, output, last)} ${isolation}`)
    }
    return counts.join(' ')
  }

  await admin.createTopics({ topics: [input, output].map((topic) => ({ topic, numPartitions: partitions, replicationFactor: 1 })) })
  await s.settle()
  for (const [name, work] of Object.entries({ ends: runEnds, fence: runFence, timeout: runTimeout, transform: runTransform, read: runRead })) {
    if (!(await s.step(`txn.${name}`, work))) break
  }
}
