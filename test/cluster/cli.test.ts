import { expect } from 'chai'
import { spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { namesIn } from '../../runtime/base/names-in.ts'
import { runFoldersRoot } from '../../runtime/cluster/run-folder.ts'
import type { ClusterStatus } from '../../runtime/cluster/status.ts'
import { listRecords, recordsFolder } from '../../runtime/cluster/node-records.ts'
import { noteProcess, stateOfProcess } from '../../runtime/base/process-identity.ts'
import { descendantsOf, describeProcess } from '../tools/processes.mjs'
import { Command, main, run } from './command.ts'
import { recordedIds, TestCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { withoutStoreLine } from '../tools/native.ts'

describe('outpool', () => {
  let cluster: TestCluster

  beforeEach(() => (cluster = new TestCluster()))
  afterEach(async () => {
    // What a test left running was started by a command, not by the test: it is known by its record.
    const left = listRecords()
    for (const { pid } of left) process.kill(pid, 'SIGTERM')
    for (const note of left) await eventually(() => stateOfProcess(note) !== 'alive' || undefined)
    await cluster.close()
  })

  it('starts a head, joins it with the very command that it printed, shows both, and stops both', async () => {
    const head = await run('start --head --port 0 --num-cpus 2 --memory 1GiB --name first')
    expect(head.err).to.equal('')
    expect(head.code).to.equal(0)
    const command = /^ {2}outpool (start --address ws:\S+)$/m.exec(head.out)?.[1] as string
    const second = await run(`${command} --num-cpus 0.5 --num-gpus 2 --resources {"scanner":2} --labels zone=a,rack=b`)
    expect([second.code, second.err]).to.deep.equal([0, ''])

    const { code, out } = await run('status --json')
    expect(code).to.equal(0)
    const empty = await run('status --json', { OUTPOOL_ADDRESS: '' })
    expect([empty.code, empty.err]).to.deep.equal([0, ''])
    const status = JSON.parse(out) as ClusterStatus
    expect(status.nodes.map(({ id }) => id)).to.have.members(recordedIds())
    const [one, other] = [status.nodes.find((node) => node.head), status.nodes.find((node) => !node.head)]
    expect(one).to.deep.include({ state: 'alive', labels: { name: 'first' } })
    expect(one?.resources).to.deep.equal({ CPU: { used: 0, total: 2 }, memory: { used: 0, total: 1024 } })
    expect(other?.labels).to.deep.equal({ zone: 'a', rack: 'b' })
    expect(other?.resources).to.deep.include({
      CPU: { used: 0, total: 0.5 },
      GPU: { used: 0, total: 2 },
      scanner: { used: 0, total: 2 },
    })
    expect(other?.heartbeatAgeMs).to.be.within(0, 60_000)

    const shown = await run(`status --address ${other?.url}`)
    for (const text of [one?.id, other?.id, '0/2', '0/0.5', 'scanner 0/2', '(first)', 'alive, head'])
      expect(shown.out).to.contain(text)

    const stopped = await run(`stop --node ${other?.id.slice(0, 8)}`)
    expect(stopped.out).to.contain(`Stopped node ${other?.id}`)
    expect(recordedIds()).to.deep.equal([one?.id])
    expect((await run('stop --node ffff')).code).to.equal(1)
    const all = await run('stop')
    expect([all.code, all.err]).to.deep.equal([0, ''])
    expect(all.out).to.contain(`Stopped the head, node ${one?.id}`)
    expect((await run('stop')).out).to.contain('No node of yours')
    const nothing = await run('status')
    expect(nothing.code).to.equal(3)
    expect(nothing.err).to.contain('outpool start --head')
  })

  it('tells programs in JSON what it started, what tokens there are, and what it stopped', async () => {
    const started = JSON.parse((await run('start --head --port 0 --json')).out) as Record<string, unknown>
    const [record] = listRecords()
    expect(started).to.include({ id: record?.id, url: record?.url, pid: record?.pid, head: true })
    const tokens = JSON.parse((await run('token status --json')).out) as {
      readonly own: { readonly shown: string }
      readonly nodes: readonly { readonly node: string; readonly shown: string; readonly accepted: readonly string[] }[]
    }
    const { shown } = tokens.own
    expect(tokens.nodes).to.deep.equal([{ shown, accepted: [shown], kept: true, node: record?.id, url: record?.url }])
    const { id, url, pid } = started
    const stopped = JSON.parse((await run('stop --json')).out) as unknown
    expect(stopped).to.deep.equal({ stopped: [{ id, url, head: true, pid }], left: [] })
    expect(JSON.parse((await run('stop --json')).out)).to.deep.equal({ stopped: [], left: [] })
  })

  it('tells of the last node of an address that is gone, not of one before it', async () => {
    const folder = recordsFolder()
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const url = 'ws://127.0.0.1:1'
    // No process has that number.
    const facts = { url, headUrl: url, head: true, logFile: '', pid: 2 ** 30, pidStart: '1', pidSpace: '' }
    const write = (id: string, atSeconds: number, more: object): void => {
      writeFileSync(join(folder, `${id}.json`), JSON.stringify({ id, ...facts, ...more }))
      utimesSync(join(folder, `${id}.json`), atSeconds, atSeconds)
    }
    write('aaaaaaaaaaaaaaaa', 10, { ended: { atMs: 10_000, why: 'its disk was full' } })
    write('bbbbbbbbbbbbbbbb', 20, { ended: { atMs: 20_000, why: 'its tables were damaged' } })
    write('cccccccccccccccc', 5, {})
    const { code, err } = await run(`status --address ${url}`, { OUTPOOL_TOKEN: 'x'.repeat(64) })
    expect(code, err).to.equal(3)
    expect(err)
      .to.contain('Your head bbbbbbbbbbbbbbbb')
      .and.not.match(/a{16}|c{16}/)
  })

  it('goes on in the foreground when nobody reads any more what it says', async () => {
    const head = await cluster.start({ head: true, numCpus: 0 })
    const node = new Command(['start', '--block', '--json', '--num-cpus', '1', '--address', head.url])
    const { url, id } = await eventually(
      () => (node.out.endsWith('\n') && (JSON.parse(node.out) as { url: string; id: string })) || undefined,
    )
    try {
      node.child.stdout?.destroy()
      node.child.stderr?.destroy()
      process.kill(head.pid, 'SIGKILL')
      // It says so where nobody hears it.
      await eventually(async () => (await fetch(url.replace(/^ws/, 'http') + '/readyz')).status === 503 || undefined)
      const { nodes } = JSON.parse((await run(`status --json --address ${url}`)).out) as ClusterStatus
      expect(nodes.find((row) => row.id === id)).to.include({ state: 'alive' })
      expect(node.child.exitCode).to.equal(null)
    } finally {
      const ended = node.ended()
      node.child.kill('SIGTERM')
      expect((await ended).code).to.equal(0)
    }
  })

  it('keeps the token out of the command line of the node, and out of what it prints', async () => {
    const started = await run('start --head --port 0')
    const { token } = cluster
    const [record] = listRecords()
    const commandLine = readFileSync(`/proc/${record?.pid}/cmdline`, 'utf8')
    expect(commandLine).to.contain('daemon-entry')
    for (const text of [commandLine, started.out, readFileSync(record?.logFile as string, 'utf8')])
      expect(text).to.not.contain(token)
  })

  it('stays in the foreground with --block, until it is told to stop', async () => {
    const command = new Command(['start', '--head', '--port', '0', '--block'], {})
    const ended = command.ended()
    await eventually(() => /Ctrl-C stops the node/.test(command.out) || undefined)
    expect(listRecords().map(({ pid, logFile }) => [pid, logFile])).to.deep.equal([[command.child.pid, '']])
    command.child.kill('SIGINT')
    expect(await ended).to.have.property('code', 0)
    expect(withoutStoreLine(command.err)).to.match(/^\S+ got SIGINT: stops\n$/)
    expect(recordedIds()).to.deep.equal([])
  })

  it('stops with --block when its terminal is closed', async function () {
    // Of util-linux: a terminal for a command, which hangs up when that process is gone.
    if (!existsSync('/usr/bin/script')) this.skip()
    const terminal = spawn('/usr/bin/script', [
      ...['--quiet', '--command', `exec '${process.execPath}' '${main}' start --head --port 0 --block`],
      '/dev/null',
    ])
    let shown = ''
    terminal.stdout.on('data', (text) => (shown += String(text)))
    await eventually(() => /Ctrl-C stops the node/.test(shown) || undefined)
    const [node] = listRecords()
    terminal.kill('SIGKILL')
    await eventually(() => stateOfProcess(node as NonNullable<typeof node>) !== 'alive' || undefined)
    expect(recordedIds()).to.deep.equal([])
  })

  it('leaves nothing behind of a node that keeps its code, which ends as it does without', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'code-'))
    const command = new Command(['start', '--head', '--port', '0', '--block', '--code-cache', folder], {})
    const ended = command.ended()
    await eventually(() => /Ctrl-C stops the node/.test(command.out) || undefined)
    command.child.kill('SIGINT')
    expect(await ended).to.have.property('code', 0)
    expect(withoutStoreLine(command.err)).to.match(/^\S+ got SIGINT: stops\n$/)
    expect(recordedIds()).to.deep.equal([])
    rmSync(folder, { recursive: true })
  })

  it('kills with --force what does not answer', async () => {
    await run('start --head --port 0')
    const [record] = listRecords()
    process.kill(record?.pid as number, 'SIGSTOP')
    const { code, out } = await run('stop --force')
    expect(code).to.equal(0)
    expect(out).to.contain(`Killed the head, node ${record?.id}`)
    expect(recordedIds()).to.deep.equal([])
  })

  it('says of nodes in another container of this machine that they are left', async () => {
    await run('start --head --port 0')
    const [record] = listRecords()
    const { pidSpace = '', ...facts } = record ?? {}
    const pid = 2 ** 30
    const apart = { ...facts, id: 'aaaaaaaaaaaaaaaa', pid, pidSpace: `${pidSpace.split(' ')[0]} pid:[1]` }
    const path = join(recordsFolder(), `${apart.id}.json`)
    writeFileSync(path, JSON.stringify(apart))
    const idsOf = (found: readonly { readonly id: string }[]): string[] => found.map(({ id }) => id)
    try {
      const { code, out, err } = await run('stop --json')
      const { stopped, left } = JSON.parse(out) as Record<'stopped' | 'left', { readonly id: string }[]>
      expect([idsOf(stopped), idsOf(left)]).to.deep.equal([[record?.id], [apart.id]])
      const text = `node ${apart.id} runs in another container, or on another machine (pid ${pid} there): stop it from there`
      expect(err).to.contain(text)
      const again = await run('stop')
      expect([code, again.code, again.out]).to.deep.equal([1, 1, ''])
      expect(again.err).to.contain(text)
      expect(recordedIds()).to.deep.equal([apart.id])
    } finally {
      rmSync(path)
    }
  })

  it('tells of nodes that were killed, as the system does where memory runs out, until it was asked to stop', async () => {
    const head = JSON.parse((await run('start --head --port 0 --json')).out) as { url: string }
    await run(`start --address ${head.url}`)
    const records = listRecords()
    const told = ({ id, pid }: (typeof records)[number]): RegExp =>
      new RegExp(`Your (head|node) ${id} at ws:\\S+ \\(pid ${pid}\\) was killed, .*dmesg.*Its log: .*\\.log`)
    const node = records.find((record) => !record.head) as (typeof records)[number]
    process.kill(node.pid, 'SIGKILL')
    await eventually(() => stateOfProcess(node) === 'dead' || undefined)
    expect((await run('status')).err).to.match(told(node))
    expect((await run('doctor')).out).to.match(told(node))
    const first = records.find((record) => record.head) as (typeof records)[number]
    process.kill(first.pid, 'SIGKILL')
    await eventually(() => stateOfProcess(first) === 'dead' || undefined)
    const status = await run('status')
    expect(status.code).to.equal(3)
    for (const record of records) expect(status.err).to.match(told(record))
    expect((await run(`status --address ${first.url}`)).err).to.match(told(first))
    const { err } = await run('stop')
    for (const record of records) expect(err).to.match(told(record))
    expect(await run('stop')).to.include({ code: 0, err: '', out: 'No node of yours runs on this machine.\n' })
  })

  it('says which cluster is meant where two heads run here, and takes an address as it prints it', async function () {
    const [first, second] = [
      await run('start --head --port 0 --json'),
      await run('start --head --port 0 --host [::1] --json'),
    ]
    if (/no such address|not available/.test(second.err)) return this.skip()
    const urls = [first, second].map(({ out }) => (JSON.parse(out) as { url: string }).url)
    expect(urls[1]).to.match(/^ws:\/\/\[::1\]:\d+$/)
    const { code, out, err } = await run('status')
    const [about, other] = out.includes(String(urls[0])) ? urls : urls.toReversed()
    expect([code, err]).to.deep.equal([
      0,
      `outpool: this is about the cluster of ${about}; there are more heads here: ${other} (see --address)\n`,
    ])
    expect((await run(`status --address ${urls[1]}`)).err).to.equal('')
    expect((await run('stop')).err).to.equal('')
  })

  it('leaves no node behind when the command that starts it is ended before that is up', async () => {
    const command = new Command(['start', '--head', '--port', '0'])
    const [daemon] = (await eventually(() => {
      const found = descendantsOf(command.child.pid as number).filter((pid) =>
        describeProcess(pid).includes('daemon-entry'),
      )
      return found.length > 0 ? found : undefined
    })) as [number]
    const note = noteProcess(daemon)
    command.child.kill('SIGKILL')
    await eventually(() => stateOfProcess(note) === 'dead' || undefined)
    expect(recordedIds()).to.deep.equal([])
  })

  it('leaves none behind either where that waits for a head that is gone', async () => {
    await run('start --head --port 0')
    const [head] = listRecords()
    const node = JSON.parse((await run(`start --address ${head?.url} --json`)).out) as { id: string; url: string }
    process.kill(head?.pid as number, 'SIGKILL')
    // The node that is there still tells where its head was.
    const command = new Command(['start', '--address', node.url])
    const logs = (): string[] => readdirSync(recordsFolder()).filter((name) => name.endsWith('.log'))
    const waiting = (name: string): boolean =>
      readFileSync(join(recordsFolder(), name), 'utf8').includes('it is tried again')
    await eventually(() => logs().some(waiting) || undefined)
    const started = descendantsOf(command.child.pid as number).find((pid) =>
      describeProcess(pid).includes('daemon-entry'),
    )
    const note = noteProcess(started as number)
    command.child.kill('SIGKILL')
    await eventually(() => stateOfProcess(note) === 'dead' || undefined)
    expect(recordedIds()).to.deep.equal([node.id])
    await eventually(() => isDeepStrictEqual(namesIn(runFoldersRoot()), [node.id]) || undefined)
  })

  it('says why a node did not start, with exit code 1', async () => {
    await run('start --head --port 0')
    const { port } = new URL(listRecords()[0]?.url as string)
    const second = await run(`start --head --port ${port}`)
    expect(second.code).to.equal(1)
    expect(second.err).to.contain(`127.0.0.1:${port}`).and.contain('in use')
    expect(recordedIds()).to.have.length(1)
  })

  it('does not start a second head on the tables of one that runs, and the next one at once when that was killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tables-'))
    try {
      const command = `start --head --port 0 --storage ${folder}`
      expect((await run(command)).code).to.equal(0)
      const [first] = listRecords()
      for (const way of [command, `${command} --block`]) {
        const second = await run(way)
        expect(second.code).to.equal(1)
        expect(second.err).to.contain(`${folder} are in use by process ${first?.pid} on `)
        expect(second.err.split('are in use by')).to.have.length(2)
        expect(recordedIds()).to.deep.equal([first?.id])
      }
      process.kill(first?.pid as number, 'SIGKILL')
      expect(await run(command)).to.include({ code: 0, err: '' })
      expect(recordedIds()).to.have.length(1).and.not.include(first?.id)
      await run('stop')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  const failures: [string, string, Record<string, string>, number, RegExp][] = [
    ['nothing to do is said', 'start', {}, 2, /--head.*--address/],
    ['a port is none', 'start --head --port 70000', {}, 2, /0 to 65535/],
    ['an amount is none', 'start --head --num-cpus many', {}, 2, /not negative/],
    ['resources are no JSON', 'start --head --resources gpu', {}, 2, /JSON/],
    ['an option does not exist', 'start --head --colour', {}, 2, /unknown option/],
    ['a command does not exist', 'begin', {}, 2, /unknown command/],
    ['an address has no such port', 'status --address ws://127.0.0.1:99999', {}, 2, /not an address/],
    ['an address is of another protocol', 'start --address http://127.0.0.1:1', {}, 2, /begins with ws/],
    ['nobody listens there', 'status --address ws://127.0.0.1:1', {}, 3, /outpool start --head/],
    ['there is no cluster to join', 'start --address ws://127.0.0.1:1', {}, 3, /outpool start --head/],
    ['nobody listens there with TLS', 'status --address wss://127.0.0.1:1', {}, 3, /outpool start --head/],
    ['TLS is required', 'status --address ws://127.0.0.1:1', { OUTPOOL_TLS_CA: 'system' }, 1, /not encrypted/],
    ['a certificate has no key', 'start --head --tls-cert node.pem', {}, 2, /belong together/],
    ['the token is too short', 'start --head', { OUTPOOL_TOKEN: 'x' }, 1, /not a token/],
    ['a node is unknown', 'stop --node ffff', {}, 3, /no node ffff/],
    ['a variable with the id of a node is empty', 'stop --node ', {}, 2, /It is empty/],
    ['that of a node to drain is', 'drain ', {}, 2, /It is empty/],
    ['that of a folder is', 'start --head --storage ', {}, 2, /It is empty/],
    ['a host is an address', 'start --head --host ws://0.0.0.0:7420', {}, 2, /a name or an address alone/],
    ['a host has a port', 'start --head --advertise head.example:80', {}, 2, /a name or an address alone/],
    ['a state is none', 'tasks --state done', {}, 2, /queued, pushed, finished, failed, cancelled/],
    ['no fault is named', 'chaos --dry-run --faults ', {}, 2, /kill-worker/],
    ['a deadline is none', 'drain a --deadline soon', {}, 2, /90s/],
    ['a count is none', 'logs --lines few', {}, 2, /whole number/],
    ['a list is to be followed', 'logs --worker a --follow --json', {}, 2, /cannot be used with option '--json'/],
    ['a task is to be of two workers', 'logs --task a:1 --worker b', {}, 2, /cannot be used with option '--worker/],
    ['the events of no task are named', 'logs --events x', {}, 2, /--task says which/],
    ['the job of no task is', 'logs --job a', {}, 2, /--task says which/],
    ['there is nothing to drain', 'drain a', {}, 3, /outpool start --head/],
    ['stdin may end a node in the background', 'start --head --stop-on-eof', {}, 2, /--block/],
    [
      'a token has no file to be replaced in',
      'token rotate --address ws://127.0.0.1:1',
      { OUTPOOL_TOKEN: 'x'.repeat(32) },
      2,
      /OUTPOOL_TOKEN_FILE/,
    ],
    [
      'there is no cluster to rotate the token of',
      'token rotate --address ws://127.0.0.1:1',
      {},
      3,
      /outpool start --head/,
    ],
  ]
  for (const [title, args, environment, code, message] of failures)
    it(`ends with exit code ${code}, when ${title}`, async () => {
      if (!args.startsWith('start --head')) void cluster.token
      const ended = await run(args, environment)
      expect(ended.err).to.match(message)
      expect(ended.code).to.equal(code)
    })

  it('does not repeat a password that somebody wrote into an address', async () => {
    const command = new Command(['status', '--address', 'ws://user:secret@head:7420'])
    const { code, out, err } = await command.ended()
    expect([code, out]).to.deep.equal([2, ''])
    expect(err)
      .to.match(/the token comes from OUTPOOL_TOKEN/)
      .and.not.match(/secret/)
  })

  it('ends without a word when nobody reads its output any more', async () => {
    for (const args of [['--help'], ['doctor', '--no-cluster']]) {
      const command = new Command(args)
      command.child.stdout?.destroy()
      const { code, err } = await command.ended()
      expect([code, err]).to.deep.equal([0, ''])
    }
  })

  it('says it in one line when there is no room for its output', async () => {
    // No file that it writes to may have a byte.
    const line = 'ulimit -f 0; exec "$0" "$1" --help > "$2"'
    const { status, stderr } = spawnSync('sh', ['-c', line, process.execPath, main, join(cluster.folder, 'help.txt')], {
      encoding: 'utf8',
    })
    expect([status, stderr]).to.deep.equal([1, 'outpool: the output cannot be written: EFBIG: file too large, write\n'])
  })

  it('explains each command with examples, and exits with 0', async () => {
    const commands = [
      'start',
      'status',
      'stop',
      'nodes',
      'drain',
      'logs',
      'memory',
      'doctor',
      'tasks',
      'why',
      'timeline',
    ]
    commands.push('chaos', 'token', 'token status', 'token rotate', 'token retire')
    await Promise.all(
      commands.map(async (name) => {
        const { code, out } = await run(`${name} --help`)
        expect(code).to.equal(0)
        expect(out).to.contain('Examples:').and.contain(`outpool ${name}`).and.contain('Exit codes')
      }),
    )
  })
})
