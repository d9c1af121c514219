import { expect } from 'chai'
import { steadyPort } from '../tools/steady-port.ts'
import { FailureCluster, signal } from './support.ts'

interface Answer {
  readonly node?: string
  readonly error?: string
  readonly message?: string
}

describe('a driver whose home is killed', function () {
  this.timeout(120_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('hears of it at once, never runs anything elsewhere in silence, and is back when its address is', async () => {
    const head = await cluster.startHead()
    const port = await steadyPort()
    const home = await cluster.startNode(head.url, { port })
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
    expect(lost.error, lost.message).to.equal('ConnectionLostError')
    // Because nobody listens on its socket any more; not after the time for which one that may come back is looked for.
    expect(lost.message)
      .to.contain(`home node ${home.id} at `)
      .and.not.match(/no attempt succeeded for/)
    const again = await ask()
    expect(again.error, again.message).to.equal('ConnectionLostError')
    expect(again.message).to.contain(home.url)
    const next = await cluster.startNode(head.url, { port })
    expect((await ask()).node).to.be.oneOf([next.id, head.id])
    driver.tell('leave')
    expect(await driver.next<Answer>('answer')).to.include({ error: 'NotInitializedError' })
    await driver.next('end')
  })

  it('has an end to everything that was pending: by name, with the address, and with what to do', async () => {
    const head = await cluster.startHead({ resources: { elsewhere: 10 } })
    const home = await cluster.startNode(head.url)
    const driver = cluster.run('homeless-pending', { address: home.url, elsewhere: 'elsewhere' })
    await driver.next('pending')
    signal(home.pid, 'SIGKILL')
    driver.tell('killed')
    const { outcomes } = await driver.next<{ readonly outcomes: Record<string, Answer> }>('outcomes')
    const { wait, drained, put, 'cancel of a task': cancelled, ...ended } = outcomes
    // What was waited for is ready: it has its error.
    expect([wait?.error, drained?.error]).to.deep.equal([undefined, undefined])
    for (const [what, { error, message }] of Object.entries(ended)) {
      expect(error, `${what}: ${message}`).to.equal('ConnectionLostError')
      expect(message, what).to.contain(`home node ${home.id} at `).and.contain('init({ address })')
    }
    expect(cancelled).to.deep.equal({ value: 'false' })
    // A new call looks for a node at that address again.
    expect(put?.message).to.contain(home.url)
  })
})
