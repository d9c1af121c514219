import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { removeOldEvents } from '../../../runtime/owner/old-events.ts'

describe('events of old jobs', () => {
  let folder: string
  /** No process has it: beyond what Linux gives. */
  const deadPid = 2 ** 22 + 1

  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'oe-'))))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const job = (name: string, age: number, { pid = deadPid, bytes = 0 } = {}): void => {
    mkdirSync(join(folder, name))
    const path = join(folder, name, `${name}.jsonl`)
    writeFileSync(path, `${JSON.stringify({ e: 'owner', pid })}\n${'x'.repeat(bytes)}`)
    utimesSync(path, 1_000_000 - age, 1_000_000 - age)
  }
  const left = (): string[] => readdirSync(folder).sort()

  it('go when there are too many of them, the oldest first', () => {
    for (const [age, name] of ['a', 'b', 'c', 'd'].entries()) job(name, age)
    removeOldEvents(folder, { jobs: 2, bytes: 1e9 })
    expect(left()).deep.equal(['a', 'b'])
  })

  it('go when they take too much room', () => {
    for (const [age, name] of ['a', 'b', 'c', 'd'].entries()) job(name, age, { bytes: 1_000 })
    removeOldEvents(folder, { jobs: 10, bytes: 2_500 })
    expect(left()).deep.equal(['a', 'b'])
  })

  it('stay while their program runs, and where there is nothing to remove nothing happens', () => {
    job('a', 0)
    job('b', 1, { pid: process.pid })
    job('c', 2)
    removeOldEvents(folder, { jobs: 1, bytes: 1e9 })
    expect(left()).deep.equal(['a', 'b'])
    mkdirSync(join(folder, 'empty'))
    removeOldEvents(folder, { jobs: 2, bytes: 1e9 })
    expect(left()).deep.equal(['a', 'b'])
    removeOldEvents(join(folder, 'none'))
  })
})
