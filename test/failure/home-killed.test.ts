import { expect } from 'chai'
import { FailureCluster, signal } from './support.ts'

interface Answer {
  readonly node?: string
  readonly error?: string
  readonly message?: string
  readonly waitedMs: number
}

describe('a driver whose home is killed', function () {
  this.timeout(60_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('hears of it at once, never runs anything elsewhere in silence, and is back when its address is', async () => {
    const head = await cluster.startHead()
    const home = await cluster.startNode(head.url)
    const driver = cluster.run('homeless', { address: home.url })
    const ask = (): Promise<Answer> => {
      driver.tell('ask')
      return driver.next<Answer>('answer')
    }
    await driver.next('joined')
    expect((await ask()).node).to.be.oneOf([home.id, head.id])
    signal(home.pid, 'SIGKILL')
    // One of its workers may outlive it for some milliseconds.
    let lost = await ask()
    for (; lost.error === undefined; lost = await ask()) expect(lost.node).to.be.oneOf([home.id, head.id])
    // Not after the ten seconds for which a home that may come back is looked for.
    expect(lost.waitedMs).below(8_000)
    expect(lost.error, lost.message).to.equal('ConnectionLostError')
    const again = await ask()
    expect(again.error, again.message).to.equal('ConnectionLostError')
    expect(again.message).to.contain(home.url)
    const next = await cluster.startNode(head.url, { port: Number(new URL(home.url).port) })
    expect((await ask()).node).to.be.oneOf([next.id, head.id])
    driver.tell('leave')
    expect(await driver.next<Answer>('answer')).to.include({ error: 'NotInitializedError' })
    await driver.next('end')
  })
})
