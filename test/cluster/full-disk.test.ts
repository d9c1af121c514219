import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { main } from './command.ts'

const library = fileURLToPath(new URL('../../dist/lib/index.js', import.meta.url))

/** What goes before a command that mounts a disk of its own; undefined where that is forbidden. */
function mountNamespace(): readonly string[] | undefined {
  for (const unshare of [['unshare', '-m'] as const, ['unshare', '-rm'] as const]) {
    const [command, ...args] = [...unshare, 'mount', '-t', 'tmpfs', 'none', '/mnt']
    if (spawnSync(command, args, { stdio: 'ignore' }).status === 0) return unshare
  }
  return undefined
}

/** Each program writes to the tables of the head, until those do not fit any more. */
const script = `
  mount -t tmpfs -o size=1m none "$OUTPOOL_HOME" || exit 9
  outpool() { "$NODE" "$MAIN" "$@" 2>&1; }
  outpool start --head --port 0 --storage "$OUTPOOL_HOME/tables" --json > "$OUT" || exit 8
  address=$(sed 's/.*"url":"\\([^"]*\\)".*/\\1/' "$OUT")
  head -c 2000000 /dev/zero > "$OUTPOOL_HOME/filler" 2> /dev/null
  for program in 1 2 3 4 5 6 7 8 9 10; do
    OUTPOOL_ADDRESS=$address "$NODE" --input-type=module -e "
      import { init, shutdown } from '$LIBRARY'
      await init()
      await shutdown()" > /dev/null 2>&1 || break
  done
  echo "== status"; outpool status; echo "exit $?"
  echo "== asked by name"; outpool status --address $address; echo "exit $?"
  echo "== doctor"; outpool doctor
  echo "== stop"; outpool stop; echo "exit $?"
  echo "== told"; outpool stop
  echo "== logs"; cat "$OUTPOOL_HOME"/nodes/*.log`

describe('a head whose disk fills while it runs', () => {
  let folder: string
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'full-'))))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('says why it ended, though its log is on that disk, to who asks for it, until it was asked to stop', async function () {
    const unshare = mountNamespace()
    if (unshare === undefined) return this.skip()
    const [command, ...args] = [...unshare, 'sh', '-c', script]
    const home = join(folder, 'home')
    mkdirSync(home)
    const env = {
      ...process.env,
      ...{ NODE: process.execPath, MAIN: main, LIBRARY: library, OUTPOOL_HOME: home, OUT: join(folder, 'started') },
    }
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (text) => (out += String(text)))
    await once(child, 'close')
    const parts = new Map(out.split(/^== /m).map((part) => [part.split('\n', 1)[0], part]))
    const why = /Your head [0-9a-f]{16} at ws:\S+ ended at .*the head's tables in .* could not be written: .*make room/
    for (const name of ['status', 'asked by name', 'doctor', 'stop']) expect(parts.get(name), out).to.match(why)
    expect(parts.get('status')).to.contain('exit 3')
    expect(parts.get('asked by name')).to.contain('exit 3')
    expect(parts.get('stop')).to.contain('exit 0').and.contain('No node of yours')
    expect(parts.get('told')).to.equal('told\nNo node of yours runs on this machine.\n')
    expect(parts.get('logs')).to.equal('logs\n')
  })
})
