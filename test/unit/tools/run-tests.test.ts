import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { Stage } from '../../tools/stage.mjs'
import { runSuite } from '../../tools/suite.mjs'

describe('the stage', () => {
  it('keeps what each says in one piece and in its order, however they speak, and loses nothing', () => {
    const turns = fc.array(fc.record({ who: fc.nat(3), leaves: fc.boolean() }), { maxLength: 60 })
    fc.assert(
      fc.property(turns, (steps) => {
        let printed = ''
        const stage = new Stage((chunk: Buffer | string) => (printed += chunk.toString()))
        const acts = [0, 1, 2, 3].map((who) => ({ who, said: `<${who}`, here: true, act: stage.enter(`<${who}`) }))
        const end = (act: (typeof acts)[number]): void => {
          act.act.write(Buffer.from('>'))
          act.said += '>'
          act.here = false
          act.act.end()
        }
        for (const [index, { who, leaves }] of steps.entries()) {
          const act = acts[who]
          if (!act?.here) continue
          const text = `${who}.${index} `
          act.act.write(Buffer.from(text))
          act.said += text
          if (act === acts.find(({ here }) => here)) expect(printed.endsWith(text)).equal(true)
          if (leaves) end(act)
        }
        for (const act of acts) if (act.here) end(act)
        expect(printed).equal(acts.map(({ said }) => said).join(''))
      }),
    )
  })
})

describe('a suite', () => {
  let folder: string

  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'suite-'))))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const run = async (text: string): Promise<Awaited<ReturnType<typeof runSuite>> & { output: string }> => {
    const file = join(folder, 'made.test.mjs')
    writeFileSync(file, text)
    const output: Buffer[] = []
    const write = (chunk: Buffer): void => void output.push(chunk)
    const how = { options: [], children: new Set<never>(), write, leftoverLimitMs: 300 }
    const result = await runSuite({ name: 'made', files: [file] }, how)
    return { ...result, output: Buffer.concat(output).toString() }
  }

  it('tells its totals and all that it printed', async () => {
    const result = await run(
      "it('holds', () => {})\nit('breaks', () => { console.log('said'); throw new Error('no') })\nit('waits')\n",
    )
    expect(result).to.include({ passed: 1, failed: 1, skipped: 1 })
    expect(result.failures).deep.equal(['breaks'])
    expect(result.pending).deep.equal(['waits'])
    expect(result.problems).deep.equal([])
    expect(result.output).to.contain('said\n').and.contain('1 passing').and.contain('Error: no')
  })

  it('has failed when it ends before it told its totals, even with exit code 0', async () => {
    const result = await run("it('leaves early', () => process.exit(0))\n")
    expect(result.problems).deep.equal(['ended without telling its totals'])
  })

  it('has failed when it leaves a process behind, which is ended', async () => {
    const result = await run(
      "import { spawn } from 'node:child_process'\n" +
        "it('starts', () => spawn('sleep', ['600'], { detached: true, stdio: 'inherit' }).unref())\n",
    )
    expect(result.passed).equal(1)
    expect(result.problems).to.have.length(1)
    expect(result.problems[0]).to.match(/^left a process behind: \d+ sleep 600$/)
  })
})
