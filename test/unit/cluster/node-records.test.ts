import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { endedRecords, listRecords, recordsFolder } from '../../../runtime/cluster/node-records.ts'

describe('runtime/cluster/node-records', () => {
  let home: string
  beforeEach(() => mkdirSync(recordsFolder((home = mkdtempSync(join(tmpdir(), 'records-')))), { mode: 0o700 }))
  afterEach(() => rmSync(home, { recursive: true, force: true }))

  /** The record of a node that is gone, as it was written so many seconds after the first of the test. */
  function gone(id: string, seconds: number, why?: string, pidSpace = ''): void {
    const path = join(recordsFolder(home), `${id}.json`)
    const ended = why === undefined ? {} : { ended: { atMs: seconds * 1000, why } }
    const place = { url: 'ws://127.0.0.1:1', headUrl: '', head: true, logFile: '' }
    // No process has that number.
    const note = { pid: 2 ** 30, pidStart: '1', pidSpace }
    writeFileSync(path, JSON.stringify({ id, ...place, ...note, ...ended }))
    utimesSync(path, seconds, seconds)
  }

  it('tells of nodes that are gone in the order of their ends, also where one was killed and could write nothing', () => {
    gone('cccccccccccccccc', 30)
    gone('aaaaaaaaaaaaaaaa', 10, 'the first')
    gone('bbbbbbbbbbbbbbbb', 20, 'the second')
    expect(endedRecords(home).map(({ id }) => id[0])).to.deep.equal(['a', 'b', 'c'])
  })

  it('takes no node for gone that another machine runs, which shares the home folder', function () {
    if (process.platform !== 'linux') this.skip()
    gone('aaaaaaaaaaaaaaaa', 10, undefined, 'boot pid:[1] another/1')
    gone('bbbbbbbbbbbbbbbb', 20, undefined, 'boot pid:[1]')
    expect(endedRecords(home).map(({ id }) => id[0])).to.deep.equal(['b'])
    expect(listRecords(home).map(({ id }) => id[0])).to.deep.equal(['a'])
  })
})
