import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createClaimPageFile, openClaimPage } from '../../../runtime/objects/claim-page.ts'

const program = fileURLToPath(new URL('claim-contention.fixture.ts', import.meta.url))
const windows = 1_000

describe('a claim page between two processes', () => {
  let folder: string
  let path: string
  beforeEach(function () {
    folder = mkdtempSync(join(tmpdir(), 'claim-'))
    path = join(folder, 'page')
    createClaimPageFile(path)
    const page = openClaimPage(path)
    // Where files cannot be mapped there is no page, and nothing is sent ahead.
    if (page === undefined) return this.skip()
    page.close()
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const contender = async (side: string): Promise<Uint8Array> => {
    const [meeting, result] = [join(folder, 'meeting'), join(folder, side)]
    const child = spawn(process.execPath, ['--import', 'tsx', program, path, meeting, side, String(windows), result], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    expect(await once(child, 'exit')).to.deep.equal([0, null])
    return readFileSync(result)
  }

  it('gives each task to one of them, however they meet', async () => {
    createClaimPageFile(join(folder, 'meeting'))
    const [started, recalled] = await Promise.all([contender('start'), contender('recall')])
    const wrong = started.findIndex((mine, i) => mine + (recalled[i] as number) !== 1)
    expect(wrong).to.equal(-1)
    expect([started.includes(1), recalled.includes(1)]).to.deep.equal([true, true])
  })
})
