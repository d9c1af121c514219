import { expect } from 'chai'
import { type Deferred, deferred } from '../../../runtime/base/deferred.ts'
import { newProcessId } from '../../../runtime/base/ids.ts'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { LogRouter } from '../../../runtime/node/log-router.ts'
import type { LogLine } from '../../../runtime/protocol/messages.ts'
import type { Abandon } from '../../../runtime/transport/abandon.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'
import { ManualClock } from '../manual-clock.ts'
import { Ear, hello } from '../transport/support.ts'

describe('runtime/node/log-router', () => {
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
  const job = newProcessId()
  const line = (text: string): LogLine => ['stdout', 1, newProcessId(), 'f', text]

  class Site {
    readonly clock = new ManualClock()
    readonly dialled: { readonly abandon: Abandon; readonly end: Deferred<void> }[] = []
    readonly direct = new Map<ProcessId, Link>()
    readonly over = new Set<ProcessId>()
    readonly router = new LogRouter({
      find: (process) => this.direct.get(process),
      dial: (_job, abandon) => {
        const end = deferred<void>()
        this.dialled.push({ abandon, end })
        return end.promise
      },
      isOver: (process) => this.over.has(process),
      clock: this.clock,
    })

    /** The last dial. */
    get dial(): Site['dialled'][number] {
      return this.dialled.at(-1) as Site['dialled'][number]
    }

    async fail(): Promise<void> {
      this.dial.end.reject(new Error('nobody answers'))
      await turn()
    }
  }

  it('keeps lines for a driver that cannot be reached now, and dials it again', async () => {
    const site = new Site()
    site.router.send(job, [line('a')])
    await site.fail()
    site.router.send(job, [line('b')])
    expect(site.dialled).to.have.length(1)
    site.clock.advance(60_000)
    await site.fail()
    site.clock.advance(60_000)
    expect(site.dialled).to.have.length(3)
    const [near, far] = memoryPair(peerHello(hello('node')), peerHello(hello('driver')))
    const driver = new Ear(far)
    site.router.linked(job, near)
    site.dial.end.resolve()
    const [, lines] = (await driver.messages.take()) as unknown as [number, LogLine[]]
    expect(lines.map((sent) => sent[4])).to.deep.equal(['a', 'b'])
    await turn()
    expect([site.router.size, site.clock.pending, site.dial.abandon.reason]).to.deep.equal([0, 0, undefined])
    near.close()
  })

  it('dials no more when another link is there, or the job is over', async () => {
    const site = new Site()
    site.router.send(job, [line('a')])
    await site.fail()
    const [near] = memoryPair(peerHello(hello('node')), peerHello(hello('driver')))
    site.router.linked(job, near)
    expect([site.router.size, site.clock.pending]).to.deep.equal([0, 0])
    site.router.send(job, [line('b')])
    site.router.jobEnded(job)
    expect(site.dial.abandon.reason?.message).to.equal(`job ${job} is over`)
    await site.fail()
    site.router.send(job, [line('c')])
    await site.fail()
    site.router.jobEnded(job)
    expect([site.router.size, site.clock.pending]).to.deep.equal([0, 0])
    // What a worker said last, when its job was over.
    site.over.add(job)
    const { length } = site.dialled
    site.router.send(job, [line('d')])
    expect([site.router.size, site.dialled.length]).to.deep.equal([0, length])
    near.close()
  })

  it('ends with its node', async () => {
    const site = new Site()
    site.router.send(job, [line('a')])
    site.router.send(newProcessId(), [line('b')])
    await site.fail()
    site.router.close()
    expect(site.dialled[0]?.abandon.reason?.message).to.equal('the node stops')
    expect([site.router.size, site.clock.pending]).to.deep.equal([0, 0])
  })
})
