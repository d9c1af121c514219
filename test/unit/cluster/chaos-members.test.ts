import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { noteProcess } from '../../../runtime/base/process-identity.ts'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { ChaosMembers } from '../../../runtime/cluster/chaos-members.ts'
import { recordsFolder, writeRecord } from '../../../runtime/cluster/node-records.ts'
import type { NodeRecord } from '../../../runtime/cluster/node-records.ts'

describe('the members of a cluster under chaos', () => {
  const { OUTPOOL_HOME: before } = process.env
  let home: string

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'members-'))
    process.env.OUTPOOL_HOME = home
  })
  afterEach(() => {
    if (before === undefined) delete process.env.OUTPOOL_HOME
    else process.env.OUTPOOL_HOME = before
    rmSync(home, { recursive: true })
  })

  it('are not started again where somebody else has done so: they would wait for the port of each other', async () => {
    const [url, headUrl] = ['ws://127.0.0.1:9', '']
    const options = { head: false, address: 'ws://127.0.0.1:10', port: 9, logFile: '' }
    const common = { url, headUrl, head: false, logFile: '', options }
    // This process stands for the node that is there.
    writeRecord({ ...common, id: '00000000000000b2' as NodeId })
    const record: NodeRecord = {
      ...common,
      id: '00000000000000a1' as NodeId,
      pid: 2 ** 22 + 1,
      pidStart: '1',
      pidSpace: 'other',
    }
    const members = new ChaosMembers('ws://127.0.0.1:10', 'token')
    const told = await members.restart({ id: record.id, url, head: false, record })
    expect(told).to.equal('node 00000000000000b2 is there again already')
  })

  it('are not there again while they still end: a machine may take its time for that', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    try {
      const [url, headUrl] = ['ws://127.0.0.1:9', 'ws://127.0.0.1:10']
      const options = { head: false, address: headUrl, port: 9, logFile: '' }
      const common = { url, headUrl: '', head: false, logFile: '', options }
      const record = { ...common, id: '00000000000000a1' as NodeId, ...noteProcess(child.pid ?? 0) }
      // This process stands for the node that comes next; its record is put away until it does.
      writeRecord({ ...common, id: '00000000000000b2' as NodeId })
      const path = join(recordsFolder(home), '00000000000000a1.json')
      const later = `${path}.later`
      renameSync(join(recordsFolder(home), '00000000000000b2.json'), later)
      writeFileSync(path, JSON.stringify(record))
      const members = new ChaosMembers(headUrl, 'token')
      const restarted = members.restart({ id: record.id, url, head: false, record })
      await setTimeout(700)
      renameSync(later, join(recordsFolder(home), '00000000000000b2.json'))
      child.kill('SIGKILL')
      expect(await restarted).to.equal('node 00000000000000b2 is there again already')
    } finally {
      child.kill('SIGKILL')
    }
  })
})
