import { execFile } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { main } from './command.ts'

/** Of nobody, as containers are often run. */
const uid = 47_110
const library = fileURLToPath(new URL('../../dist/lib/index.js', import.meta.url))
const why = new RegExp(`this user \\(${uid}\\) has no home folder: .*set OUTPOOL_HOME to a folder`)

interface Ended {
  readonly code: number | string
  readonly out: string
}

describe('a user whom the system does not know, without HOME', () => {
  let folder: string
  let program: string
  beforeEach(() => {
    // The folder of a test run is closed to others.
    folder = mkdtempSync('/tmp/nobody-')
    chmodSync(folder, 0o755)
    for (const name of ['tmp', 'home']) {
      mkdirSync(join(folder, name))
      chownSync(join(folder, name), uid, uid)
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'work.js'), 'export const twice = (x) => 2 * x\n')
    program = join(folder, 'program.js')
    const text = `import { remote } from ${JSON.stringify(library)}
console.log(await remote(new URL('./work.js', import.meta.url), 'twice').run(21))\n`
    writeFileSync(program, text)
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  function asNobody(args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const { PATH: path = '' } = process.env
    const env = { PATH: path, TMPDIR: join(folder, 'tmp'), ...more }
    return new Promise((resolve) => {
      execFile(process.execPath, args, { uid, gid: uid, env, cwd: folder }, (error, out, err) =>
        resolve({ code: error?.code ?? 0, out: out + err }),
      )
    })
  }

  /** Who is root can, where others may read this folder. */
  async function canBeNobody(): Promise<boolean> {
    if (process.getuid?.() !== 0) return false
    return (await asNobody(['-e', `require('node:fs').accessSync(${JSON.stringify(main)})`])).code === 0
  }

  it('is told to set OUTPOOL_HOME by what needs it, also where HOME is empty; the rest goes on', async function () {
    if (!(await canBeNobody())) return this.skip()
    const token = { OUTPOOL_TOKEN: 'x'.repeat(32) }
    for (const environment of [{}, { HOME: '' }, token]) {
      const started = await asNobody([main, 'start', '--head', '--port', '0'], environment)
      expect(started.out).to.match(why)
      expect(started.code).to.equal(1)
    }
    expect(await asNobody([main, 'status'])).to.include({ code: 3 })
    expect(await asNobody([main, 'stop'])).to.include({ code: 0 })
    const doctor = await asNobody([main, 'doctor', '--no-cluster'], token)
    expect(doctor).to.include({ code: 1 })
    expect(doctor.out)
      .to.match(new RegExp(`home: ${why.source}`))
      .and.contain('checks:')
  })

  it('starts nodes with OUTPOOL_HOME, and needs none in a program that has the token', async function () {
    if (!(await canBeNobody())) return this.skip()
    const own = { OUTPOOL_HOME: join(folder, 'home'), OUTPOOL_TOKEN: 'x'.repeat(32) }
    const started = await asNobody([main, 'start', '--head', '--port', '0', '--num-cpus', '1', '--json'], own)
    expect(started, started.out).to.include({ code: 0 })
    try {
      const { url } = JSON.parse(started.out) as { url: string }
      const ran = await asNobody([program], { OUTPOOL_TOKEN: own.OUTPOOL_TOKEN, OUTPOOL_ADDRESS: url })
      expect(ran).to.deep.equal({ code: 0, out: '42\n' })
    } finally {
      expect(await asNobody([main, 'stop'], own)).to.include({ code: 0 })
    }
  })
})
