import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { expect } from 'chai'
import { namesIn } from '../../runtime/base/names-in.ts'
import { runFoldersRoot } from '../../runtime/cluster/run-folder.ts'
import { eventually } from '../tools/eventually.ts'
import { main } from './command.ts'
import { TestCluster } from './support.ts'

/** What goes before a command that is to be the first process of a container; undefined where that is forbidden. */
function container(): readonly string[] | undefined {
  const kinds = [['unshare'], ['unshare', '-r']].map((command) => [...command, '-p', '-f', '--mount-proc'])
  return kinds.find((command) => spawnSync('env', [...command, 'true']).status === 0)
}

/** A way to the head for who asks once who is there: what comes later, to register, is cut. */
async function wayForOne(headUrl: string): Promise<{ url: string; close: () => void }> {
  const { hostname, port } = new URL(headUrl)
  const sockets = new Set<Socket>()
  let connections = 0
  const server: Server = createServer((near) => {
    if (connections++ > 0) return near.destroy()
    const far = connect(Number(port), hostname)
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}))
    near.pipe(far)
    far.pipe(near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

describe('a node in the foreground that the head does not take yet', () => {
  let cluster: TestCluster
  let way: Awaited<ReturnType<typeof wayForOne>>
  beforeEach(async () => {
    cluster = new TestCluster()
    const head = await cluster.start({ head: true, numCpus: 0 })
    way = await wayForOne(head.url)
  })
  afterEach(async () => {
    way.close()
    await cluster.close()
  })

  async function stopped(signal: NodeJS.Signals, before: readonly string[] = []): Promise<string> {
    const folders = namesIn(runFoldersRoot())
    const node = [process.execPath, main, 'start', '--address', way.url, '--block']
    const child = spawn('env', [...before, ...node], { stdio: ['ignore', 'pipe', 'pipe'] })
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += String(text)))
    const ended = once(child, 'close')
    await eventually(() => printed.includes('it is tried again') || undefined)
    const pid = child.pid as number
    const inside = (): number => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ')[0])
    process.kill(before.length === 0 ? pid : inside(), signal)
    expect(await ended, printed).to.deep.equal([0, null])
    expect(namesIn(runFoldersRoot())).to.deep.equal(folders)
    return printed
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`stops in order at ${signal}`, async () => {
      expect(await stopped(signal)).to.match(new RegExp(`got ${signal} while it starts: stops\n$`))
    })

  it('does so, too, as the first process of a container, which ignores what it does not listen for', async function () {
    const before = container()
    if (before === undefined) return this.skip()
    expect(await stopped('SIGTERM', before)).to.match(/got SIGTERM while it starts: stops\n$/)
  })
})
