import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'full-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What a script prints that may mount; undefined where it may not. */
async function printed(text: string, more: Readonly<Record<string, string>>): Promise<string | undefined> {
  const unshare = mountNamespace()
  if (unshare === undefined) return undefined
  const [command, ...args] = [...unshare, 'sh', '-c', text]
  const home = join(folder, 'home')
  mkdirSync(home)
  const env = {
    ...process.env,
    ...{ NODE: process.execPath, MAIN: main, LIBRARY: library, OUTPOOL_HOME: home, OUT: join(folder, 'started') },
    ...more,
  }
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (data) => (out += String(data)))
  await once(child, 'close')
  return out
}

/** A worker is killed, which the log would tell of, while that is on a full disk; and another one when there is room again. */
const logScript = `
  mount -t tmpfs -o size=1m none "$OUTPOOL_HOME" || exit 9
  outpool() { "$NODE" "$MAIN" "$@" 2>&1; }
  outpool start --head --port 0 --storage memory --num-cpus 1 --json > "$OUT" || exit 8
  address=$(sed 's/.*"url":"\\([^"]*\\)".*/\\1/' "$OUT")
  kills() {
    OUTPOOL_ADDRESS=$address "$NODE" --input-type=module -e "
      import { init, remote, shutdown } from '$LIBRARY'
      await init()
      await remote(() => process.kill(process.pid, 'SIGKILL'), { maxRetries: 0 }).run().catch(() => {})
      console.log(await remote(() => 'the node goes on').run())
      await shutdown()" 2>&1
  }
  head -c 2000000 /dev/zero > "$OUTPOOL_HOME/filler" 2> /dev/null
  echo "== full"; kills; outpool status; echo "exit $?"
  echo "== another"; outpool start --address "$address" --num-cpus 1; echo "exit $?"
  rm "$OUTPOOL_HOME/filler"
  echo "== room"; kills
  echo "== stop"; outpool stop; echo "exit $?"
  echo "== logs"; cat "$OUTPOOL_HOME"/nodes/*.log`

describe('a node whose log is on a full disk', () => {
  it('goes on, and says in its log what was lost of that when there is room again', async function () {
    const out = await printed(logScript, {})
    if (out === undefined) return this.skip()
    const parts = new Map(out.split(/^== /m).map((part) => [part.split('\n', 1)[0], part]))
    expect(parts.get('full')).to.contain('the node goes on').and.contain('alive, head').and.contain('exit 0')
    expect(parts.get('another'), out).to.match(/did not start: .*ENOSPC.*; that disk has no room.*OUTPOOL_HOME/)
    expect(parts.get('another')).to.contain('exit 1')
    expect(parts.get('stop')).to.contain('Stopped the head').and.contain('exit 0')
    expect(parts.get('logs')).to.match(/^\(\d lines before this one could not be written\)\n.* was ended by SIGKILL/m)
  })
})

/** A module that is sent as a folder of 40 files, asked for by a node whose temporary folder is a disk of its own. */
const temporaryScript = `
  mount -t tmpfs -o size=50m,nr_inodes=60 none "$TMPDIR" || exit 9
  outpool() { "$NODE" "$MAIN" "$@" 2>&1; }
  outpool start --head --port 0 --storage memory --num-cpus 1 --json > "$OUT" || exit 8
  export OUTPOOL_ADDRESS=$(sed 's/.*"url":"\\([^"]*\\)".*/\\1/' "$OUT")
  echo "== program"
  "$NODE" --input-type=module -e "
    import { init, put, remote, shutdown } from '$LIBRARY'
    import { execFileSync } from 'node:child_process'
    await init()
    const told = (what) => (error) => console.log(what + ':', error.name, error.message)
    const { FULL, TMPDIR } = process.env
    if (FULL === 'files') await remote(new URL('file://' + process.env.MODULE), 'f').run().catch(told('module'))
    else execFileSync('mount', ['-o', 'remount,ro', TMPDIR])
    await put(new Uint8Array(1e6)).catch(told('put'))
    await remote(() => 1).run().catch(told('task'))
    await shutdown()" 2>&1
  unset OUTPOOL_ADDRESS
  echo "== stop"; outpool stop; echo "exit $?"
  echo "== logs"; cat "$OUTPOOL_HOME"/nodes/*.log`

/**
 * A worker dies while its node may not remove its files any more: what is mounted over them is read-only, as a disk that
 * has a fault, with the files that are open. In the program itself where there is no address.
 */
const endScript = `
  mount -t tmpfs -o size=50m none "$TMPDIR" || exit 9
  outpool() { "$NODE" "$MAIN" "$@" 2>&1; }
  start() {
    outpool start --head --port 0 --storage memory --num-cpus 1 --json > "$OUT" || exit 8
    export OUTPOOL_ADDRESS=$(sed 's/.*"url":"\\([^"]*\\)".*/\\1/' "$OUT")
  }
  [ "$KIND" = local ] || start
  echo "== program"
  "$NODE" --input-type=module -e "
    import { init, remote, shutdown } from '$LIBRARY'
    import { execFileSync } from 'node:child_process'
    await init()
    const { TMPDIR } = process.env
    await remote(() => 1).run()
    execFileSync('mount', ['--bind', TMPDIR, TMPDIR])
    execFileSync('mount', ['-o', 'remount,bind,ro', TMPDIR])
    const module = remote(new URL('file://' + process.env.MODULE), 'f')
    await module.run().then(console.log, (error) => console.log('module:', error.name, error.message))
    const kill = remote(() => process.kill(process.pid, 'SIGKILL'), { maxRetries: 0 })
    await kill.run().catch((error) => console.log('task:', error.name))
    console.log('the program goes on')
    await shutdown()" 2>&1; echo "exit $?"
  [ "$KIND" = local ] && exit
  unset OUTPOOL_ADDRESS
  echo "== status"; outpool status
  echo "== stop"; outpool stop
  echo "== logs"; cat "$OUTPOOL_HOME"/nodes/*.log`

describe('a node whose temporary folder cannot be written to', () => {
  type Parts = Map<string | undefined, string>

  async function parts(more: Readonly<Record<string, string>>, text = temporaryScript): Promise<Parts | undefined> {
    const temporary = join(folder, 't')
    mkdirSync(temporary)
    const out = await printed(text, { TMPDIR: temporary, ...more })
    return out === undefined ? undefined : new Map(out.split(/^== /m).map((part) => [part.split('\n', 1)[0], part]))
  }

  /** A module that goes along as its folder, with so many files. */
  function moduleOf(files: number): string {
    const modules = join(folder, 'modules')
    mkdirSync(modules)
    for (let i = 0; i < files; i++) writeFileSync(join(modules, `f${i}.js`), '')
    writeFileSync(join(modules, 'package.json'), '{"type":"module"}')
    writeFileSync(join(modules, 'm.js'), "export const f = () => import('./f' + 1 + '.js').then(() => 1)")
    return join(modules, 'm.js')
  }

  it('says what to do where the disk has no place for more files', async function () {
    const told = await parts({ FULL: 'files', MODULE: moduleOf(60) })
    if (told === undefined) return this.skip()
    expect(told.get('program'), [...told.values()].join('')).to.match(
      /^module: RuntimeEnvSetupError the archive .* could not be unpacked into .*: ENOSPC.*; that disk .* no place for more files .*df -i.*TMPDIR/m,
    )
    expect(told.get('stop')).to.contain('Stopped the head').and.contain('exit 0')
  })

  it('says so where it has become read-only, and stops all the same', async function () {
    const told = await parts({ FULL: 'read-only' })
    if (told === undefined) return this.skip()
    const advice = 'EROFS: .*; that disk is read-only .*TMPDIR'
    expect(told.get('program')).to.match(new RegExp(`^put: OutOfDiskError .*${advice}`, 'm'))
    expect(told.get('program')).to.match(new RegExp(`^task: RuntimeEnvSetupError .*could not be made: ${advice}`, 'm'))
    expect(told.get('stop')).to.contain('Stopped the head').and.contain('exit 0')
    for (const part of ['stop', 'logs']) expect(told.get(part)).to.contain('is left over and cannot be removed: EROFS')
    expect(told.get('logs')).to.not.contain('    at ')
  })

  const leaves =
    /what workers leave behind when they end cannot be removed: EROFS: .*; that disk is read-only .*TMPDIR/g

  const goesOn = /^task: WorkerCrashedError\n(.+\n)*the program goes on\n(.+\n)*exit 0$/m

  it('goes on, and says so once, where a worker ends on a disk that has become read-only', async function () {
    const told = await parts({ KIND: 'cluster', MODULE: moduleOf(2) }, endScript)
    if (told === undefined) return this.skip()
    expect(told.get('program')).to.match(
      /^module: RuntimeEnvSetupError .*the code cache of node \S+ cannot be used: EROFS: .*; that disk is read-only/m,
    )
    expect(told.get('program')).to.match(goesOn)
    expect(told.get('status')).to.contain('alive, head')
    expect(told.get('stop')).to.contain('Stopped the head')
    expect(told.get('logs')?.match(leaves)).to.have.lengthOf(1)
  })

  it('does not end a program that runs its workers itself by that', async function () {
    const told = (await parts({ KIND: 'local', MODULE: moduleOf(2) }, endScript))?.get('program')
    if (told === undefined) return this.skip()
    expect(told).to.match(goesOn)
    expect(told.match(leaves)).to.have.lengthOf(1)
  })
})

describe('a head whose disk fills while it runs', () => {
  it('says why it ended, though its log is on that disk, to who asks for it, until it was asked to stop', async function () {
    const out = await printed(script, {})
    if (out === undefined) return this.skip()
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
