/** What a process waits for may have come while it was busy itself: its timers are due before it has looked. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { heldUpMs, systemClock } from '../../../runtime/base/clock.ts'
import { callBack, dial, openBulk } from '../../../runtime/transport/dial.ts'
import type { Address } from '../../../runtime/transport/dial.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import { DialBackTable } from '../../../runtime/transport/dial-back.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'
import { Requests } from '../../../runtime/transport/rpc.ts'
import { Bench, hello, token } from './support.ts'

/** Enough for a machine that is busy otherwise. */
const timeoutMs = 1_000

/** Longer than any timer of these tests, by more than what is taken for a busy machine. */
function keepBusy(): void {
  const endsAtMs = systemClock.now() + timeoutMs + 1.2 * heldUpMs
  while (systemClock.now() < endsAtMs);
}

describe('a process that was busy by itself', () => {
  let bench: Bench
  beforeEach(() => (bench = new Bench()))
  afterEach(() => bench.close())

  for (const when of ['while it connects', 'before it reads the answer'] as const)
    for (const kind of ['unix', 'url'] as const)
      it(`reaches whom it dials, ${when}: ${kind}`, async () => {
        let busy = when === 'while it connects' ? 0 : 2
        const admit = (): undefined => void (busy-- > 0 && keepBusy())
        const { listener } = kind === 'unix' ? await bench.unix({ admit }) : await bench.port({ admit })
        const address = {
          [kind]: kind === 'unix' ? (listener as { path: string }).path : (listener as { url: string }).url,
        }
        const options = {
          address: address as unknown as Address,
          to: 'any',
          from: hello('driver'),
          token,
          timeoutMs,
        } as const
        const opening = [dial(options), openBulk(options)] as const
        if (when === 'while it connects') keepBusy()
        const [link, bulk] = await Promise.all(opening)
        link.close()
        bulk.close()
      })

  for (const what of ['hello', 'ticket'] as const)
    it(`begins anew where the other side has gone before it has said its ${what}`, async () => {
      const dialBack = new DialBackTable()
      const { listener } = await bench.unix({ dialBack })
      const path = `${listener.path}.impatient`
      // In a thread: it ends the first connection while this one is busy.
      const thread = new Worker(
        `const { connect, createServer } = require('node:net')
        const { parentPort, workerData: { path, behind } } = require('node:worker_threads')
        let first = true
        const server = createServer((socket) => {
          if (first) return (first = false), socket.destroy()
          const on = connect(behind)
          socket.on('error', () => {}).pipe(on).on('error', () => {}).pipe(socket)
        })
        server.listen(path, () => parentPort.postMessage('listens'))`,
        { eval: true, workerData: { path, behind: listener.path } },
      )
      bench.later(() => thread.terminate())
      await once(thread, 'message')
      const [address, from] = [{ unix: path }, hello('driver')]
      const { ticket, socket } = dialBack.issue('driver')
      const { options: incoming } = bench.site()
      const begun =
        what === 'hello'
          ? dial({ address, to: 'any', from, token })
          : callBack({ address, ticket, from, token, incoming })
      keepBusy()
      const link = await begun
      if (link === undefined) (await socket).destroy()
      else link.close()
    })

  it('gets the connection of who called it back', async () => {
    const dialBack = new DialBackTable()
    const { listener } = await bench.unix({ dialBack })
    const { ticket, socket } = dialBack.issue('driver', { timeoutMs })
    const { options } = bench.site()
    const calling = callBack({
      address: { unix: listener.path },
      ticket,
      from: hello('driver'),
      token,
      incoming: options,
    })
    keepBusy()
    await calling
    ;(await socket).destroy()
  })

  it('gets the answer to what it asked', async () => {
    const requests = new Requests(systemClock)
    const [near, far] = memoryPair(peerHello(hello('driver')), peerHello(hello('node')))
    near.onMessage = ([, id]) => void requests.settle(id as number, ['the answer'])
    far.onMessage = ([, id]) => setImmediate(() => far.send([11, id]))
    const answer = requests.request(near, (id) => [10, id], { timeoutMs })
    keepBusy()
    expect(await answer).to.deep.equal(['the answer'])
    near.close()
  })
})
