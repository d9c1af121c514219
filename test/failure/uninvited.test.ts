import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { failures } from './scenarios/under-load.ts'
import { knock, sendUninvited } from './scenarios/uninvited.ts'
import { FailureCluster } from './support.ts'

const mebibyte = 1024 * 1024
/** For everything but the connections that say nothing. */
const spareFiles = 300

/** Of this process; Node raises it to what the system allows. */
function openFilesLimit(): number {
  return Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 1_024)
}

describe('a port to which anybody can connect', function () {
  this.timeout(120_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('refuses whoever has no business there and says so in its log, in bounded memory; its jobs go on', async function () {
    this.timeout(300_000)
    const floodBytes = 200 * mebibyte
    const silent = Math.min(10_000, openFilesLimit() - spareFiles)
    const result = await sendUninvited(cluster, { silent, floodBytes })
    const said = Object.fromEntries(result.answers.map(({ what, said: line }) => [what, line]))
    expect(said).to.include({
      'no token': 'HTTP/1.1 401 authentication',
      'a wrong token': 'HTTP/1.1 401 authentication',
      'a foreign Origin': 'HTTP/1.1 403 origin',
      'a wrong Host': 'HTTP/1.1 421 host',
      'another protocol version': 'HTTP/1.1 426 protocol-version',
      garbage: 'HTTP/1.1 400 malformed',
      'a first frame of zeros': 'HTTP/1.1 400 malformed',
      'a header without end': 'HTTP/1.1 431 too-large',
      'a request byte by byte': 'HTTP/1.1 408 timeout',
    })
    const silences = result.answers.map(({ what }) => Number(/^silence, (\d+) times$/.exec(what)?.[1] ?? 0))
    expect(silences.reduce((sum, times) => sum + times, 0)).equal(silent)
    const log = result.refusals.join('\n')
    for (const code of ['authentication', 'origin', 'host', 'protocol-version', 'malformed', 'too-large', 'timeout'])
      expect(log).to.contain(`(${code}): `)
    expect(log).to.match(/refused a connection from 127\.0\.0\.1:\d+ \(busy\): 256 connections are waiting/)
    expect(log).to.not.contain(cluster.token)
    // Everything that was sent is far more than this.
    expect(result.rssMost - result.rssBefore).below(100 * mebibyte)
    expect(failures(result.outcomes)).equal(0)
    expect(result.outcomes.wrong).equal(0)
    expect(result.outcomes.tally.succeeded).equal(result.outcomes.submitted)
    expect(result.left).to.deep.equal({})
  })
})

describe('a port with a name', () => {
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('is told to others by the name that it advertises, and takes no other but those that are allowed', async () => {
    const head = await cluster.startHead({ advertise: 'localhost', allowedHosts: ['node.example'] })
    const { hostname, port } = new URL(head.url)
    expect(hostname).equal('localhost')
    // Without a token: who gets as far as being asked for it has passed with that name.
    const answer = (host: string): Promise<string> => knock(Number(port), host)
    expect(await answer('node.example')).equal('HTTP/1.1 401 authentication')
    expect(await answer(`NODE.example:${port}`)).equal('HTTP/1.1 401 authentication')
    expect(await answer('other.example')).equal('HTTP/1.1 421 host')
    expect((await cluster.status(head)).nodes).to.have.length(1)
  })
})
