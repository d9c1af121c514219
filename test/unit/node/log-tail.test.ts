import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { LogTail } from '../../../runtime/node/log-tail.ts'
import { earlierLog, rotateIfLarge } from '../../../runtime/node/rotate-file.ts'
import { ManualClock } from '../manual-clock.ts'

describe('the output of a worker', () => {
  const worker = newProcessId()
  const maxFileBytes = 300_000
  let folder: string
  let out: string
  /** As the worker has it: whatever happens to the file, it appends. */
  let written: number
  let tail: LogTail
  let clock: ManualClock
  let told: string[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lt-'))
    out = join(folder, 'out')
    written = openSync(out, 'a', 0o600)
    closeSync(openSync(join(folder, 'err'), 'a'))
    told = []
    clock = new ManualClock()
    tail = new LogTail({
      clock,
      maxFileBytes,
      onLines: (_worker, _stream, lines) => told.push(...lines.map(({ text }) => text)),
    })
    tail.follow(worker, out, join(folder, 'err'))
  })
  afterEach(() => {
    tail.close()
    closeSync(written)
    rmSync(folder, { recursive: true, force: true })
  })

  it('goes on in a new file when it has grown beyond its bound, with what was before beside it, and every line is told', () => {
    const lines: string[] = []
    for (let round = 0; round < 40; round++) {
      const line = `${round} ${'x'.repeat(19_990)}`
      lines.push(line)
      writeSync(written, `${line}\n`)
      tail.poll()
      expect(statSync(out).size).at.most(maxFileBytes + 20_010)
    }
    tail.finish(worker)
    expect(told.map((text) => text.split(' ')[0])).deep.equal(lines.map((text) => text.split(' ')[0]))
    const both = readFileSync(earlierLog(out), 'utf8') + readFileSync(out, 'utf8')
    expect(lines.join('\n').endsWith(both.trimEnd())).equal(true)
    expect(both.length).at.least(maxFileBytes)
    expect(statSync(earlierLog(out)).mode & 0o777).equal(0o600)
  })

  it('stays within twice its bound where it comes faster than it is read, and what was not read is counted', () => {
    const flood = Buffer.alloc(1_000_000, `${'y'.repeat(99)}\n`)
    for (let round = 0; round < 5; round++) {
      writeSync(written, flood)
      tail.poll()
      expect(statSync(out).size).equal(0)
      expect(statSync(earlierLog(out)).size).at.most(8 * 1024 * 1024)
    }
    writeSync(written, 'the last line\n')
    tail.finish(worker)
    const notice = `outpool: ${1_000_000 - 256 * 1024} bytes of output came too fast to be shown here`
    expect(told.filter((text) => text === notice || text.startsWith('outpool: '))).to.include(notice)
  })

  it('is looked at ten times a second while it comes, and seldom in a silence', () => {
    const looks = (ms: number): number => {
      let count = 0
      tail.poll = () => {
        count++
        LogTail.prototype.poll.call(tail)
      }
      clock.advance(ms)
      return count
    }
    for (let second = 0; second < 5; second++) {
      writeSync(written, `${second}\n`)
      expect(looks(1_000)).to.equal(10)
    }
    looks(1_500)
    expect(looks(20_000)).to.equal(10)
  })

  it('is told soon after a silence, and found by a look where the system does not tell of it', async () => {
    clock.advance(5_000)
    writeSync(written, 'the first word\n')
    while (told.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      clock.advance(1)
    }
    expect(clock.now()).to.be.below(6_500)
    clock.advance(5_000)
    writeSync(written, 'seen by nobody\n')
    clock.advance(2_000)
    expect(told).to.deep.equal(['the first word', 'seen by nobody'])
  })
})

describe('a log that has grown', () => {
  it('is left alone within its bound, and else begins anew with its end beside it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rf-'))
    try {
      const path = join(folder, 'log')
      expect(rotateIfLarge(path, 10)).equal(false)
      appendFileSync(path, '0123456789')
      expect(rotateIfLarge(path, 10)).equal(false)
      appendFileSync(path, 'ab')
      expect(rotateIfLarge(path, 10)).equal(true)
      expect(statSync(path).size).equal(0)
      expect(readFileSync(earlierLog(path), 'utf8')).equal('23456789ab')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
