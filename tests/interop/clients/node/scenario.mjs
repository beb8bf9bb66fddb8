// What all Node client programs have in common: names, records, step lines, event file, pace and the
// group's phases. The driver sets the environment; step lines go to standard output, one JSON object each.
import { openSync, writeSync, closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export { sleep }
export const broker = process.env.INTEROP_BROKER
export const prefix = process.env.INTEROP_PREFIX
export const records = Number(process.env.INTEROP_RECORDS)
export const partitions = Number(process.env.INTEROP_PARTITIONS)
export const kip848 = process.env.INTEROP_KIP848 === '1'
export const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
export const topic = (codec) => `${prefix}-${codec}`
export const topics = codecs.map(topic)
export const all = partitions * codecs.length
const filler = 'tailwater '.repeat(20)

export const key = (i) => `k${i}`
export const value = (codec, i) => `${codec}:${i}:${filler.slice(0, (i * 7) % 200)}`
export const groupName = (protocol = 'classic') => `${prefix}-group${protocol === 'classic' ? '' : `-${protocol}`}`

/** Runs one step and says how it went; a failed step does not keep later ones from being tried. */
export async function step (name, work) {
  const start = Date.now()
  let ok = true
  let note
  try {
    note = await work()
  } catch (problem) {
    ok = false
    note = `${problem?.name}: ${problem?.message}`
    console.error(name, problem)
  }
  process.stdout.write(JSON.stringify({ step: name, ok, ms: Date.now() - start, note: String(note) }) + '\n')
  return ok
}

export function expect (truth, what) {
  if (!truth) throw new Error(what)
}

/** Real Kafka answers a create before all partitions have their leader, and a change before every broker has it. */
export const settle = () => sleep(1000 * Number(process.env.INTEROP_SETTLE ?? 0))

export async function until (what, truth) {
  const limit = Date.now() + 120_000
  while (!(await truth())) {
    expect(Date.now() < limit, `120 s passed before: ${what}`)
    await sleep(10)
  }
}

/**
 * The group's progress and its speed. Members run freely up to the ceiling, then slowly, so that a
 * join or leave falls in the middle of the work and polling never stops.
 */
export class Pace {
  #file
  #lines = []
  #next = new Map()
  #progress = 0
  #ceiling = 0
  #closed = false
  readers = new Set()

  constructor (suffix) { this.#file = openSync(process.env.INTEROP_EVENTS + suffix, 'w') }
  upTo (share) { this.#ceiling = share * records * codecs.length }
  reached (share) { return this.#progress >= Math.floor(share * records * codecs.length) }

  event (...fields) {
    if (this.#closed) return // a member that outlives a failed group
    this.#lines.push(fields.join('\t') + '\n')
    if (this.#lines.length >= 500) this.flush()
  }

  flush () {
    if (this.#lines.length) writeSync(this.#file, this.#lines.join(''))
    this.#lines = []
  }

  /** Notes a record; the member waits for what comes back before its next one. */
  read (member, name, partition, offset, key, value) {
    this.readers.add(member)
    this.event('R', member, name, partition, offset, key, value)
    const place = `${name}-${partition}`
    const before = this.#next.get(place) ?? 0
    if (offset >= before) {
      this.#next.set(place, offset + 1)
      this.#progress += offset + 1 - before
    }
    return this.#progress >= this.#ceiling ? sleep(5) : undefined
  }

  close () {
    this.flush()
    this.#closed = true
    closeSync(this.#file)
  }
}

/**
 * Two members, a third joins, one leaves, all stop, a new one resumes. `start(name, group, protocol, pace)`
 * answers at once with a member: { assigned, problem, stop() }.
 */
export async function runGroup (start, describe, protocol = 'classic', suffix = '') {
  const group = groupName(protocol)
  const pace = new Pace(suffix)
  const m = {}
  const add = (name) => { m[name] = start(name, group, protocol, pace) }
  const shares = (...names) => names.map((name) => m[name].assigned).join('+')
  const sound = () => { for (const member of Object.values(m)) if (member.problem) throw member.problem }
  const shared = (...names) => until(`partitions shared by ${names}`, () => {
    sound()
    return names.every((name) => m[name].assigned) && names.reduce((sum, name) => sum + m[name].assigned, 0) === all
  })
  const readUpTo = (share) => until(`${100 * share} % are read`, () => {
    sound()
    return pace.reached(share)
  })
  const stop = async (name) => {
    await Promise.race([m[name].stop(), sleep(90_000).then(() => { throw new Error(`${name} did not stop`) })])
    m[name].assigned = 0
    pace.event('L', name)
    if (m[name].problem) throw m[name].problem
  }
  const phases = {
    async group () {
      pace.upTo(0.20)
      add('a')
      add('b')
      await shared('a', 'b')
      const text = shares('a', 'b')
      await until('both read', () => sound() ?? (pace.readers.has('a') && pace.readers.has('b')))
      await readUpTo(0.20)
      return text
    },
    async join () {
      add('c')
      await shared('a', 'b', 'c')
      const text = shares('a', 'b', 'c')
      await until('the third reads', () => sound() ?? pace.readers.has('c'))
      pace.upTo(0.45)
      await readUpTo(0.45)
      return text
    },
    async leave () {
      await stop('b')
      await shared('a', 'c')
      const text = shares('a', 'c')
      pace.upTo(0.70)
      await readUpTo(0.70)
      await stop('a')
      await stop('c')
      return text
    },
    async resume () {
      pace.upTo(2)
      add('d')
      await readUpTo(1)
      const text = await describe(group)
      await stop('d')
      return text
    }
  }
  for (const [name, work] of Object.entries(phases)) if (!(await step(name + suffix, work))) break
  pace.close()
}
