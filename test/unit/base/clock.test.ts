import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { withTimeout } from '../../../compat/shared/with-timeout.ts'
import { afterReading, monotonicMs } from '../../../runtime/base/clock.ts'

function keepBusy(ms: number): void {
  const endsAtMs = monotonicMs() + ms
  while (monotonicMs() < endsAtMs);
}

describe('a time limit for what comes', () => {
  let folder: string
  let server: Server
  let near: Socket
  let far: Socket
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'clock-'))
    server = createServer().listen(join(folder, 'socket'))
    await once(server, 'listening')
    near = connect(join(folder, 'socket'))
    const [[accepted]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [[Socket], unknown]
    far = accepted
  })
  afterEach(() => {
    near.destroy()
    far.destroy()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('is told after what came while the process was busy', async () => {
    const seen: string[] = []
    near.on('data', (data) => seen.push(String(data)))
    const told = new Promise<void>((resolve) => {
      afterReading(5, () => {
        seen.push('over')
        resolve()
      })
    })
    far.write('here')
    keepBusy(50)
    await told
    expect(seen).to.deep.equal(['here', 'over'])
  })

  it('is so in seconds', async () => {
    const come = once(near, 'data').then(String)
    const taken = withTimeout(come, 0.005, (seconds) => `nothing within ${seconds} s`)
    far.write('here')
    keepBusy(50)
    expect(await taken).to.equal('here')
    expect(await withTimeout(new Promise(() => {}), 0.005, (seconds) => `nothing within ${seconds} s`)).to.equal(
      'nothing within 0.005 s',
    )
  })

  it('is not told when it is cancelled while that is read', async () => {
    let told = false
    const timer = afterReading(5, () => (told = true))
    near.on('data', () => timer.cancel())
    far.write('here')
    keepBusy(50)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(told).to.equal(false)
  })
})
