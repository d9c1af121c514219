import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { needTool } from '../../tools/need.ts'
import { canShare } from '../../tools/native.ts'

const fixture = fileURLToPath(new URL('orphans.fixture.ts', import.meta.url))

describe('a daemon that is the first process of its container', () => {
  it('lets go of orphans that have ended, and leaves those to Node that it started', function () {
    if (!canShare) this.skip()
    needTool(this, 'unshare', 'install util-linux')
    const namespace = ['-rmpf', '--mount-proc', '--kill-child']
    if (spawnSync('unshare', [...namespace, 'true']).status !== 0) this.skip()
    const program = [process.execPath, '--import', 'tsx', fixture]
    const { stdout, stderr } = spawnSync('unshare', [...namespace, ...program], { encoding: 'utf8', timeout: 60_000 })
    expect(stderr).to.equal('')
    const codes = Array.from({ length: 20 }, (_, code) => code)
    expect(JSON.parse(stdout)).to.deep.equal({ pid: 1, most: 10, left: 0, codes })
  })
})
