import { expect } from 'chai'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { ChaosMembers } from '../../../runtime/cluster/chaos-members.ts'
import { writeRecord } from '../../../runtime/cluster/node-records.ts'
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
})
