import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { freeMemory } from '../../../lib/cli/doctor-room.ts'
import type { Finding } from '../../../lib/cli/doctor-machine.ts'

const meminfo = 'MemTotal:        2000 kB\nMemFree:          100 kB\nMemAvailable:    1000 kB\n'

describe('freeMemory', () => {
  const free = (groups: string, files: Readonly<Record<string, string>>): unknown =>
    freeMemory(groups, (file) => ({ '/proc/meminfo': meminfo, ...files })[file] ?? '')

  it('is what the machine has where no group leaves less', () => {
    expect(free('', {})).to.deep.equal({ bytes: 1_024_000 })
    const files = { '/sys/fs/cgroup/memory.max': 'max\n', '/sys/fs/cgroup/memory.current': '5\n' }
    expect(free('0::/\n', files)).to.deep.equal({ bytes: 1_024_000 })
    expect(freeMemory('', () => '')).to.equal(undefined)
  })

  it('is what the group leaves that leaves the least, of those around this process', () => {
    const files = {
      '/sys/fs/cgroup/a/memory.max': '900000\n',
      '/sys/fs/cgroup/a/memory.current': '600000\n',
      '/sys/fs/cgroup/a/memory.stat': 'anon 1\ninactive_file 100000\nactive_file 7\n',
      '/sys/fs/cgroup/a/b.service/memory.max': '500000\n',
      '/sys/fs/cgroup/a/b.service/memory.current': '10\n',
    }
    expect(free('0::/a/b.service\n', files)).to.deep.equal({ bytes: 400_000, limitBytes: 900_000 })
  })

  it('is that of version 1 as well, and that of a container that knows its path outside alone', () => {
    const files = {
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '700000\n',
      '/sys/fs/cgroup/memory/memory.usage_in_bytes': '800000\n',
      '/sys/fs/cgroup/memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 20\n',
    }
    expect(free('8:cpu:/docker/1\n7:memory:/docker/1\n', files)).to.deep.equal({ bytes: 0, limitBytes: 700_000 })
  })
})

describe('roomFindings', () => {
  const folder = mkdtempSync(join(tmpdir(), 'room-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('says of a disk without room, or without room for more files, what is kept there and what to do', function () {
    const module = fileURLToPath(new URL('../../../lib/cli/doctor-room.ts', import.meta.url))
    const show = `import { roomFindings } from ${JSON.stringify(module)}; console.log(JSON.stringify(roomFindings()))`
    const seen = (options: string, fill: string): Finding[] | undefined => {
      const script = `mount -t tmpfs -o ${options} none "$0" || exit 9; head -c ${fill} /dev/zero > "$0/filler"; "$@"`
      const command = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', show]
      const env = { ...process.env, OUTPOOL_HOME: join(folder, 'not/there/yet') }
      const run = spawnSync('unshare', ['-rm', 'sh', '-c', script, folder, ...command], { env, encoding: 'utf8' })
      if (run.status === 9 || run.error !== undefined || /unshare failed|not permitted/i.test(run.stderr))
        return undefined
      return JSON.parse(run.stdout) as Finding[]
    }
    const home = (findings: Finding[] | undefined): Finding | undefined =>
      findings?.find(({ check }) => check === 'home')
    const full = seen('size=1m', '3000000')
    if (full === undefined) return this.skip()
    expect(home(full)).to.include({ state: 'failure', found: `${join(folder, 'not/there/yet')}, 0 B free` })
    expect(home(full)?.advice).to.match(/token, logs and the tables.*OUTPOOL_HOME/)
    expect(home(seen('size=50m', '1'))).to.include({ state: 'warning' })
    const few = home(seen('size=500m,nr_inodes=100', '1'))
    expect(few).to.include({ state: 'failure' })
    expect(few?.found).to.match(/, \d\d more files free$/)
    expect(home(seen('size=500m', '1'))).to.include({ state: 'ok', advice: '' })
  })
})
