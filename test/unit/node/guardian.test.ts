import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { Guardian } from '../../../runtime/node/guardian.ts'
import { killGroup } from '../../../runtime/node/worker-process.ts'
import { until } from './node-fixture.ts'
import { isAlive } from '../../tools/processes.mjs'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'op-'))
  writeFileSync(join(path, 'file'), '')
  return path
}

/** A process that leads a group of its own. */
function sleeper(): number {
  const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
  child.unref()
  return child.pid as number
}

describe('runtime/node/guardian', () => {
  it('kills the groups it guards and removes the run folder, when it is closed', async () => {
    const runFolder = folder()
    const [kept, released] = [sleeper(), sleeper()]
    const guardian = new Guardian(runFolder, (error) => expect.fail(error.message))
    guardian.guard(kept)
    guardian.guard(released)
    guardian.release(released)
    await guardian.close()
    await until(() => !isAlive(kept))
    expect(isAlive(released)).to.equal(true)
    expect(existsSync(runFolder)).to.equal(false)
    killGroup(released)
    await until(() => !isAlive(released) && !isAlive(guardian.pid))
  })

  it('does the same when the process that it serves is killed', async () => {
    const runFolder = folder()
    const guarded = sleeper()
    const module = fileURLToPath(new URL('../../../runtime/node/guardian.ts', import.meta.url))
    const program = `
      import { Guardian } from ${JSON.stringify(module)}
      new Guardian(${JSON.stringify(runFolder)}, () => {}).guard(${guarded})
      console.log('guarded')
      setInterval(() => {}, 1000)`
    const host = spawn(process.execPath, [...process.execArgv, '--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => host.stdout.once('data', resolve))
    expect(isAlive(guarded)).to.equal(true)
    host.kill('SIGKILL')
    await until(() => !isAlive(guarded) && !existsSync(runFolder))
  })

  it('removes the run folder where that does not succeed at once, as somebody still writes there', async () => {
    const runFolder = folder()
    const bin = folder()
    // The system's own, which has failed twice before.
    const script = `#!/bin/sh
case $(cat ${bin}/file) in aa) PATH=$OTHERS exec rm "$@" ;; esac
printf a >> ${bin}/file
exit 1
`
    const path = process.env['PATH'] ?? ''
    writeFileSync(join(bin, 'rm'), script.replace('$OTHERS', `'${path}'`), { mode: 0o755 })
    process.env['PATH'] = `${bin}:${path}`
    const guardian = new Guardian(runFolder, (error) => expect.fail(error.message))
    process.env['PATH'] = path
    await guardian.close()
    expect([readFileSync(join(bin, 'file'), 'utf8'), existsSync(runFolder)]).to.deep.equal(['aa', false])
    rmSync(bin, { recursive: true })
  })

  it('tells that it is gone when somebody kills it, once', async () => {
    const runFolder = folder()
    const told: string[] = []
    const guardian = new Guardian(runFolder, (error) => told.push(error.message))
    process.kill(guardian.pid, 'SIGKILL')
    await until(() => told.length > 0)
    guardian.guard(1)
    await guardian.close()
    expect(told).to.deep.equal(['it ended by SIGKILL'])
    const second = new Guardian(runFolder, () => {})
    await second.close()
  })

  it('tells that it could not be started where there are too many open files, and ends nothing by that', () => {
    const module = fileURLToPath(new URL('../../../runtime/node/guardian.ts', import.meta.url))
    const program = `
      import { openSync } from 'node:fs'
      import { Guardian } from ${JSON.stringify(module)}
      const open = () => { for (;;) openSync('/dev/null', 'r') }
      try { open() } catch {}
      const guardian = new Guardian('/nowhere', (error) => {
        process._rawDebug(error.message)
        guardian.close().then(() => process._rawDebug('closed'))
      })
      guardian.guard(1234567)
      guardian.release(1234567)`
    const node = [process.execPath, ...process.execArgv, '--input-type=module', '--eval', program]
    const { stderr, status } = spawnSync('sh', ['-c', 'ulimit -n 128 && exec "$0" "$@"', ...node], { encoding: 'utf8' })
    expect([stderr, status]).to.deep.equal(['spawn /bin/sh EMFILE\nclosed\n', 0])
  })
})
