import { expect } from 'chai'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newProcessId } from '../../runtime/base/ids.ts'
import { startLocal } from '../../runtime/cluster/local.ts'
import type { LocalNode } from '../../runtime/cluster/local.ts'
import { readNodeFile, runFoldersRoot } from '../../runtime/cluster/run-folder.ts'
import { openHome } from '../../runtime/owner/home.ts'
import type { Home } from '../../runtime/owner/home.ts'
import { dial } from '../../runtime/transport/dial.ts'
import type { Link } from '../../runtime/transport/link.ts'
import { namesIn } from '../../runtime/base/names-in.ts'
import { eventually } from '../tools/eventually.ts'
import { withoutStoreLine } from '../tools/native.ts'

const root = new URL('../../', import.meta.url)

describe('local mode', () => {
  let local: LocalNode | undefined
  let home: Home | undefined

  const open = async (onLink: (link: Link) => void = () => {}): Promise<Home> => {
    const node = await startLocal({ numCpus: 1, memory: '1GiB', resources: { scanner: 1 } })
    local = node
    const process = newProcessId()
    home = await openHome({
      ...{ kind: 'driver', process, node: node.node, token: node.token, runFolder: node.runFolder },
      ...{ address: node.address, connect: () => node.connect(process), reconnectMs: 0, onMessage: () => {}, onLink },
    })
    return home
  }

  afterEach(async () => {
    home?.close()
    await local?.stop()
    home = local = undefined
    expect(namesIn(runFoldersRoot())).to.deep.equal([])
  })

  it('is a cluster of one node without a port, whose head answers', async () => {
    const driver = await open()
    const [row] = await driver.nodes()
    expect(row).to.include({ id: local?.node, url: '', head: true, state: 'alive' })
    await driver.startJob({})
    const { error, rows } = await driver.table('jobs', ['get', driver.self.process])
    expect([error, rows.length]).to.deep.equal(['', 1])
    expect(readNodeFile(local?.runFolder ?? '')).to.include({ id: local?.node, token: local?.token, url: '' })
  })

  it('lets its workers reach the driver over a socket, without a relay', async () => {
    const links: Link[] = []
    const driver = await open((link) => void links.push(link))
    const path = join(local?.runFolder ?? '', `${driver.self.process}.sock`)
    const from = { kind: 'worker', node: driver.node, process: newProcessId() } as const
    const link = await dial({ address: { unix: path }, to: driver.self, from, token: local?.token ?? '' })
    await eventually(() => links.length === 1 || undefined)
    expect(links[0]?.peer.process).to.equal(from.process)
    link.close()
  })

  it('leaves nothing behind when it is stopped at once', async () => {
    await open()
    home?.close()
    const folder = local?.runFolder ?? ''
    local?.stopNow()
    expect(existsSync(folder)).to.equal(false)
  })

  it('lets a program that has nothing more to do end by itself, and removes its folder', () => {
    const folder = mkdtempSync(join(tmpdir(), 'l-'))
    const url = (path: string): string => JSON.stringify(new URL(path, root).href)
    const program = join(folder, 'program.mjs')
    writeFileSync(
      program,
      `import { startLocal } from ${url('runtime/cluster/local.ts')}
       import { openHome } from ${url('runtime/owner/home.ts')}
       import { newProcessId } from ${url('runtime/base/ids.ts')}
       const local = await startLocal({ numCpus: 1 })
       process.on('exit', () => local.stopNow())
       const id = newProcessId()
       const home = await openHome({
         kind: 'driver', process: id, node: local.node, token: local.token, runFolder: local.runFolder,
         address: local.address, connect: () => local.connect(id), reconnectMs: 0, onMessage() {}, onLink() {},
       })
       await home.startJob({})
       console.log((await home.nodes()).length)`,
    )
    const env = { ...process.env, TMPDIR: folder }
    const options = { env, encoding: 'utf8', cwd: fileURLToPath(root), timeout: 110_000 } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program], options)
    expect([withoutStoreLine(stderr), stdout, status]).to.deep.equal(['', '1\n', 0])
    expect(readdirSync(folder).filter((name) => name.startsWith('outpool-'))).to.deep.equal([])
    rmSync(folder, { recursive: true, force: true })
  })
  it('keeps workers at hand for a program, and gives them to what needs them', () => {
    const program = fileURLToPath(new URL('test/cluster/programs/other-needs.mjs', root))
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 110_000 })
    expect([withoutStoreLine(stderr), stdout.trim().split('\n'), status]).to.deep.equal([
      '',
      ['more CPUs soon', 'another environment soon', 'calls of a task soon', 'the same again soon'],
      0,
    ])
  })
})
