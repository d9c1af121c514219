import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { headOptions, replaceHead, restartUnderLoad } from './scenarios/head-restarted.ts'
import { FailureCluster } from './support.ts'

describe('a head that is killed and started again on its tables', function () {
  this.timeout(300_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('is found by its nodes and programs; nothing that runs fails, nothing acknowledged is missing', async () => {
    const result = await restartUnderLoad(cluster, { kills: 3, cpusPerNode: 2 })
    expect(result.outcomes.errors).to.deep.equal([])
    expect(result.outcomes.tally).to.deep.equal({ succeeded: result.outcomes.submitted, failed: {} })
    expect(result.outcomes.wrong).to.equal(0)
    expect([...cluster.executions()].filter(([, times]) => times !== 1)).to.deep.equal([])
    expect(result.acknowledged).to.be.at.least(60)
    expect(result.missing).to.deep.equal([])
    expect(result.left).to.deep.equal({})
  })

  describe('ten times during the main job', () => {
    let input: string
    before(() => {
      input = mkdtempSync(join(tmpdir(), 'input-'))
      for (let file = 0; file < 400; file++) {
        const lines = Array.from(
          { length: 400 + (file % 7) * 100 },
          (_, line) => `const a${line % 97} = b${file} + ${line}`,
        )
        writeFileSync(join(input, `${file}.js`), lines.join('\n'))
      }
    })
    after(() => rmSync(input, { recursive: true, force: true }))

    it('changes nothing of its result', async () => {
      const options = await headOptions(cluster)
      let head = await cluster.startHead(options)
      const others = await Promise.all([1, 2].map(() => cluster.startNode(head.url, { numCpus: 1 })))
      await cluster.knowEachOther([head, ...others])
      const address = (others[0] as DaemonFacts).url
      const facts = async (name: string, where: { readonly address?: string }): Promise<string> => {
        const result = (await cluster.example(`file-facts/${name}.mjs`, ['--dir', input], where)) as object
        const { wallMs: _, cpuMs: __, ...same } = result as Record<string, unknown>
        return JSON.stringify(same)
      }
      const expected = await facts('before', {})
      let kills = 0
      // The job, again and again, until the head was killed ten times in the middle of it.
      const seen: string[] = []
      while (kills < 10) {
        let running = true
        const job = facts(seen.length % 2 === 0 ? 'after' : 'map', { address }).finally(() => (running = false))
        job.catch(() => {})
        while (running && kills < 10) {
          head = await replaceHead(cluster, head, options, others)
          if (running) kills++
        }
        seen.push(await job)
      }
      expect(new Set(seen)).to.deep.equal(new Set([expected]))
    })
  })
})
