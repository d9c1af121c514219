import { expect } from 'chai'
import fc from 'fast-check'
import type { TableOperation, TableRow } from '../../../runtime/protocol/messages.ts'
import { MemoryPersistence } from '../../../runtime/control/persistence.ts'
import { TablesState } from '../../../runtime/control/tables-state.ts'
import type { TablesInstruction, TableWrite } from '../../../runtime/control/tables-state.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array): string => new TextDecoder().decode(value)

function ask(state: TablesState, table: string, operation: TableOperation, client = 1): TablesInstruction[] {
  const out = state.handle({ kind: 'request', client, requestId: 7, table, operation })
  state.validate()
  return out
}

function replyOf(out: readonly TablesInstruction[]): { error: string; rows: [string, number, string][] } {
  const reply = out.find((instruction) => instruction.kind === 'reply')
  if (reply?.kind !== 'reply') throw new Error('no reply')
  return { error: reply.error, rows: reply.rows.map(([key, version, value]) => [key, version, text(value)]) }
}

describe('TablesState', () => {
  it('answers a put with the row, a get with the same row', () => {
    const state = new TablesState()
    expect(replyOf(ask(state, 'kv', ['put', 'a', bytes('1'), -1]))).to.deep.equal({ error: '', rows: [['a', 1, '1']] })
    expect(replyOf(ask(state, 'kv', ['get', 'a']))).to.deep.equal({ error: '', rows: [['a', 1, '1']] })
    expect(replyOf(ask(state, 'kv', ['get', 'b']))).to.deep.equal({ error: '', rows: [] })
  })

  const compareAndSet: [string, number, boolean, 'exists' | 'absent' | 'made again'][] = [
    ['any version, the row exists', -1, true, 'exists'],
    ['any version, the row is absent', -1, true, 'absent'],
    ['only if absent, it exists', 0, false, 'exists'],
    ['only if absent, it is absent', 0, true, 'absent'],
    ['the version that it has', 1, true, 'exists'],
    ['a version that it has not', 2, false, 'exists'],
    ['a version, the row is absent', 1, false, 'absent'],
    ['the version of its predecessor of the same name', 1, false, 'made again'],
  ]
  for (const [title, expected, written, before] of compareAndSet)
    it(`${written ? 'writes' : 'refuses to write'} when asked for ${title}`, () => {
      const state = new TablesState()
      if (before !== 'absent') ask(state, 'kv', ['put', 'k', bytes('old'), 0])
      if (before === 'made again') {
        ask(state, 'kv', ['delete', 'k', -1])
        ask(state, 'kv', ['put', 'k', bytes('old'), 0])
      }
      const out = ask(state, 'kv', ['put', 'k', bytes('new'), expected])
      expect(replyOf(out).error === '').to.equal(written)
      expect(out.some((instruction) => instruction.kind === 'persist')).to.equal(written)
      const now = replyOf(ask(state, 'kv', ['get', 'k'])).rows[0]?.[2]
      expect(now).to.equal(written ? 'new' : before === 'absent' ? undefined : 'old')
    })

  it('says which version it found, and shows the row, when a compare-and-set fails', () => {
    const state = new TablesState()
    ask(state, 'names', ['put', 'n', bytes('x'), 0])
    const { error, rows } = replyOf(ask(state, 'names', ['put', 'n', bytes('y'), 5]))
    expect(error).to.contain('names/n').and.contain('version 5').and.contain('version 1')
    expect(rows).to.deep.equal([['n', 1, 'x']])
  })

  it('deletes by version, and says nothing of a row that is not there', () => {
    const state = new TablesState()
    ask(state, 'kv', ['put', 'k', bytes('x'), 0])
    expect(replyOf(ask(state, 'kv', ['delete', 'k', 9])).error).to.not.equal('')
    expect(replyOf(ask(state, 'kv', ['delete', 'k', 1])).error).to.equal('')
    expect(replyOf(ask(state, 'kv', ['delete', 'k', -1])).error).to.equal('')
    expect(replyOf(ask(state, 'kv', ['list', ''])).rows).to.deep.equal([])
  })

  it('persists a write before it answers, and answers before it notifies', () => {
    const state = new TablesState()
    ask(state, 'kv', ['watch', '', 1], 2)
    const kinds = ask(state, 'kv', ['put', 'k', bytes('x'), -1]).map((instruction) => instruction.kind)
    expect(kinds).to.deep.equal(['persist', 'reply', 'notify'])
  })

  it('tells a watch what is there, then every change under its prefix, and nothing else', () => {
    const state = new TablesState()
    ask(state, 'kv', ['put', 'a/1', bytes('x'), -1])
    expect(replyOf(ask(state, 'kv', ['watch', 'a/', 3], 2)).rows).to.deep.equal([['a/1', 1, 'x']])
    expect(ask(state, 'kv', ['put', 'b/1', bytes('x'), -1]).map((one) => one.kind)).to.not.include('notify')
    expect(ask(state, 'names', ['put', 'a/1', bytes('x'), -1]).map((one) => one.kind)).to.not.include('notify')
    const [deletion] = ask(state, 'kv', ['delete', 'a/1', -1]).filter((one) => one.kind === 'notify')
    expect(deletion).to.deep.equal({ kind: 'notify', client: 2, watchId: 3, rows: [], deleted: ['a/1'] })
  })

  it('ends watches one by one, and all of a client that is gone', () => {
    const state = new TablesState()
    ask(state, 'kv', ['watch', '', 1], 2)
    ask(state, 'kv', ['watch', '', 2], 2)
    ask(state, 'kv', ['unwatch', 1], 2)
    const notified = (): number =>
      ask(state, 'kv', ['put', 'k', bytes('x'), -1]).filter((one) => one.kind === 'notify').length
    expect(notified()).to.equal(1)
    state.handle({ kind: 'clientGone', client: 2 })
    expect(notified()).to.equal(0)
  })

  it('takes a watch id over, when it is used twice', () => {
    const state = new TablesState()
    ask(state, 'kv', ['watch', 'a', 1])
    ask(state, 'names', ['watch', 'b', 1])
    expect(ask(state, 'kv', ['put', 'a', bytes('x'), -1]).filter((one) => one.kind === 'notify')).to.have.length(0)
    expect(ask(state, 'names', ['put', 'b', bytes('x'), -1]).filter((one) => one.kind === 'notify')).to.have.length(1)
  })

  it('keeps the newest events, in order, and never replaces one', () => {
    const state = new TablesState([], { maxEvents: 3 })
    for (let i = 0; i < 5; i++) ask(state, 'events', ['put', 'task', bytes(String(i)), 0])
    const { rows } = replyOf(ask(state, 'events', ['list', '']))
    expect(rows.map(([, , value]) => value)).to.deep.equal(['2', '3', '4'])
    expect(rows[0]?.[0]).to.equal('000000000003/task')
    expect(replyOf(ask(state, 'events', ['delete', rows[0]?.[0] ?? '', -1])).error).to.contain('never deleted')
  })

  const refused: [string, string, unknown, string][] = [
    ['a table that is not there', 'users', ['get', 'a'], 'there are: nodes'],
    ['an operation that is not there', 'kv', ['drop', 'a'], 'not a table operation'],
    ['a key that is no string', 'kv', ['put', 5, bytes(''), -1], 'not a table operation'],
    ['a value that is no bytes', 'kv', ['put', 'a', 'text', -1], 'not a table operation'],
    ['an empty key', 'kv', ['put', '', bytes(''), -1], '1 to 10 characters'],
    ['a key that is too long', 'kv', ['put', 'k'.repeat(11), bytes(''), -1], '1 to 10 characters'],
    ['a value that is too large', 'kv', ['put', 'a', bytes('123456'), -1], 'object store'],
    ['a write to nodes', 'nodes', ['put', 'a', bytes(''), -1], 'control store alone'],
    ['one watch too many', 'kv', ['watch', '', 3], 'at most 2 watches'],
  ]
  for (const [title, table, operation, message] of refused)
    it(`refuses ${title}`, () => {
      const state = new TablesState([], { maxKeyLength: 10, maxValueBytes: 5, maxWatches: 2 })
      for (const watchId of [1, 2]) ask(state, 'kv', ['watch', '', watchId])
      const out = ask(state, table, operation as TableOperation)
      expect(out.map((one) => one.kind)).to.deep.equal(['reply'])
      expect(replyOf(out).error).to.contain(message)
    })

  it('copies values, so that the frame in which they came is not kept', () => {
    const state = new TablesState()
    const frame = new Uint8Array(1000)
    ask(state, 'kv', ['put', 'k', frame.subarray(0, 10), -1])
    expect(state.list('kv')[0]?.[2].buffer.byteLength).to.equal(10)
  })
})

describe('TablesState with watches and persistence', () => {
  const key = fc.constantFrom('a', 'ab', 'abc', 'b', 'ba')
  const prefix = fc.constantFrom('', 'a', 'ab', 'b', 'c')
  const table = fc.constantFrom('kv', 'names')
  const version = fc.integer({ min: -1, max: 6 })
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ op: fc.constant('put' as const), table, key, version }) },
    { weight: 3, arbitrary: fc.record({ op: fc.constant('delete' as const), table, key, version }) },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant('watch' as const), table, prefix, id: fc.integer({ min: 0, max: 3 }) }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('unwatch' as const), id: fc.integer({ min: 0, max: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('restart' as const) }) },
  )

  /** A watcher's copy, kept by nothing but what it was told. */
  interface Copy {
    readonly table: 'kv' | 'names'
    readonly prefix: string
    readonly rows: Map<string, string>
  }

  it('keeps every watcher equal to the table, and what was persisted equal to both, whatever is done', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const persistence = new MemoryPersistence()
        const saved: TableWrite[] = []
        let state = new TablesState()
        const copies = new Map<number, Copy>()
        const model = { kv: new Map<string, string>(), names: new Map<string, string>() }
        const highest = { kv: 0, names: 0 }
        const learn = (copy: Copy, rows: readonly TableRow[], deleted: readonly string[]): void => {
          for (const [name, , value] of rows) copy.rows.set(name, text(value))
          for (const name of deleted) copy.rows.delete(name)
        }
        steps.forEach((one, index) => {
          if (one.op === 'restart') {
            // All that a restart leaves is what was persisted; watchers watch again.
            state = new TablesState(saved)
            copies.clear()
          } else if (one.op === 'watch' || one.op === 'unwatch') {
            const on = one.op === 'watch' ? one.table : 'kv'
            const operation: TableOperation = one.op === 'watch' ? ['watch', one.prefix, one.id] : ['unwatch', one.id]
            const [reply] = ask(state, on, operation)
            copies.delete(one.id)
            if (one.op === 'watch' && reply?.kind === 'reply') {
              const copy: Copy = { table: on, prefix: one.prefix, rows: new Map() }
              learn(copy, reply.rows, [])
              copies.set(one.id, copy)
            }
          } else {
            const name = one.table
            const value = `v${index}`
            const out = ask(
              state,
              name,
              one.op === 'put' ? ['put', one.key, bytes(value), one.version] : ['delete', one.key, one.version],
            )
            for (const instruction of out) {
              if (instruction.kind === 'persist') {
                saved.push(...instruction.writes)
                void persistence.write(instruction.writes)
                for (const write of instruction.writes) {
                  expect(write.version, 'versions rise, over restarts too').to.be.above(highest[name])
                  highest[name] = write.version
                }
                if (one.op === 'put') model[name].set(one.key, value)
                else model[name].delete(one.key)
              }
              if (instruction.kind === 'notify')
                learn(copies.get(instruction.watchId) as Copy, instruction.rows, instruction.deleted)
            }
          }
          for (const name of ['kv', 'names'] as const) {
            const rows = new Map(state.list(name).map(([rowKey, , value]) => [rowKey, text(value)]))
            expect(Object.fromEntries(rows)).to.deep.equal(Object.fromEntries(model[name]))
          }
          for (const copy of copies.values()) {
            const expected = [...model[copy.table]].filter(([name]) => name.startsWith(copy.prefix))
            expect(Object.fromEntries(copy.rows)).to.deep.equal(Object.fromEntries(expected))
          }
        })
      }),
      { numRuns: 200 },
    )
  })

  it('is restored from memory persistence with its rows, order and next version', async () => {
    const persistence = new MemoryPersistence()
    const state = new TablesState([], { maxEvents: 2 })
    const run = async (on: string, operation: TableOperation): Promise<void> => {
      for (const one of ask(state, on, operation)) if (one.kind === 'persist') await persistence.write(one.writes)
    }
    for (const name of ['x', 'y', 'z']) await run('events', ['put', name, bytes(name), -1])
    await run('kv', ['put', 'a', bytes('1'), -1])
    await run('kv', ['put', 'b', bytes('2'), -1])
    await run('kv', ['delete', 'b', -1])
    const again = new TablesState((await persistence.load()).writes, { maxEvents: 2 })
    expect(again.list('events')).to.deep.equal(state.list('events'))
    expect(again.list('kv')).to.deep.equal(state.list('kv'))
    expect(replyOf(ask(again, 'kv', ['put', 'b', bytes('3'), 0])).rows).to.deep.equal([['b', 4, '3']])
  })
})
