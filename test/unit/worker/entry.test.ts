import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { noteProcess } from '../../../runtime/base/process-identity.ts'

const entry = fileURLToPath(new URL('../../../runtime/worker/entry.ts', import.meta.url))
/** A thousand times as fast; says so when an hour is over. */
const fastClock = `data:text/javascript,${encodeURIComponent(`
  const { hrtime } = process
  const [beganAt] = hrtime()
  process.hrtime = Object.assign(() => {
    const [seconds, nanoseconds] = hrtime()
    const passed = 1_000 * (seconds - beganAt + nanoseconds / 1e9)
    if (passed > 3_600) process.stdout.write('an hour is over')
    return [Math.floor(passed), Math.floor((passed % 1) * 1e9)]
  }, hrtime)`)}`

describe('a worker that is started before its node is there', () => {
  let folder: string
  let child: ChildProcess
  let printed: string
  const start = (): void => {
    child = spawn(process.execPath, ['--import', 'tsx', '--import', fastClock, entry, folder, newProcessId()])
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (printed += String(text)))
  }
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'w-'))
    printed = ''
  })
  afterEach(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  it('waits for it as long as who starts it lives and keeps its folder', async () => {
    writeFileSync(join(folder, 'starting.json'), JSON.stringify(noteProcess(process.pid)))
    start()
    const ended = once(child, 'close')
    await Promise.race([once(child.stdout!, 'data'), ended])
    rmSync(folder, { recursive: true })
    expect(await ended, printed).to.deep.equal([0, null])
    expect(printed.replaceAll('an hour is over', '')).to.equal('')
  })

  it('ends where who starts it was gone before it could look', async () => {
    const gone = spawn(process.execPath, ['-e', ''])
    writeFileSync(join(folder, 'starting.json'), JSON.stringify(noteProcess(gone.pid as number)))
    await once(gone, 'exit')
    start()
    const ended = await once(child, 'close')
    expect(ended, printed).to.deep.equal([0, null])
    expect(printed).to.equal('')
  })
})
